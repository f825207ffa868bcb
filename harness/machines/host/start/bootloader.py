# SPDX-License-Identifier: GPL-2.0-only
"""A boot loader's menu on a host, in which an entry of ours is chosen for one boot.

Kernel, initramfs and the entry stand there until the host is back.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.machines.host.remote.ssh import Link, LinkError

ENTRY = "thp-harness"
SECONDS = 60.0
GIVE_UP = """\
set -eu
PATH=$PATH:/sbin:/usr/sbin
give_up() {
	echo "$*" >&2
	exit 1
}
"""
"""How the scripts begin; what is given up says why."""


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One boot loader, as scripts for sh(1) that run as root, one behind the other."""

    name: str
    find: str
    """Find its menu."""
    fit: str
    """Give up unless whatever becomes of our kernel, the boot after it is the host's own."""
    remove: str
    """Leave nothing of ours; nothing being there is no mistake."""
    install: str
    """Have the next boot, and only that, start `kernel` and `initramfs` of `$folder` with `$cmdline`."""
    quoted: Callable[[Sequence[str]], str]
    """A kernel command line in the menu's own words."""

    def load(self, link: Link, kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> None:
        """Put both there, and have them started at the next boot only.

        Raises:
            LinkError: if the connection fails, or there is no room.
            InfrastructureError: if the host has no such boot loader, or none that forgets what it started.
        """
        with link.uploaded(kernel, initramfs) as folder:
            said = link.run_as_root(self.script(folder, cmdline), SECONDS)
        if said.code:
            with contextlib.suppress(LinkError):
                link.run_as_root(self.find + self.remove, SECONDS)
            raise InfrastructureError(
                f"{link.record.name} could not be given an entry in {self.name}'s menu: {said.complaint}",
                hint=f"thp-harness hosts check {link.record.name}",
            )

    def script(self, folder: str, cmdline: Sequence[str]) -> str:
        """All that makes the entry; files in `folder` are copied."""
        files = f"folder={shlex.quote(folder)} cmdline={shlex.quote(self.quoted(cmdline))}\n"
        return self.find + self.fit + self.remove + files + self.install

    def unfit(self, link: Link) -> str:
        """Why a host can't be started by it once; empty if it can.

        Raises:
            LinkError: if the connection fails.
        """
        said = link.run_as_root(self.find + self.fit)
        return said.complaint if said.code else ""

    def tidy(self, link: Link) -> None:
        """Remove what was put there.

        Raises:
            LinkError: if that does not work.
        """
        said = link.run_as_root(self.find + self.remove, SECONDS)
        if said.code:
            raise LinkError(
                f"{link.record.name}: our entry in {self.name}'s menu is still there: {said.complaint}"
            )
