# SPDX-License-Identifier: GPL-2.0-only
"""What starts a host's own system: its kernel's command line, and its initramfs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from harness.config.host import SystemFacts
from harness.machines.host.remote.ssh import Link

_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
"""Spaces may stand between quotes (Documentation/admin-guide/kernel-parameters.rst)."""
_NOT_KEPT = ("BOOT_IMAGE", "initrd", "quiet", "splash", "loglevel", "crashkernel")
"""Of the boot loader; what would hide our kernel's words; memory for a kernel that is not loaded."""


def own_words(cmdline: str) -> tuple[str, ...]:
    """The parameters with which the host's own kernel finds its root file system and all else."""
    words = _WORD.findall(cmdline)
    if "--" in words:  # what is behind it is not for the kernel, and ours must not stand there
        words = words[: words.index("--")]
    return tuple(word for word in words if word.partition("=")[0] not in _NOT_KEPT)


def fetch_initramfs(link: Link, system: SystemFacts, target: Path) -> None:
    """Copy the initramfs here, also one that only root may read.

    Raises:
        LinkError: if it is not there, or there is no room.
    """
    with link.scratch() as folder:
        copy = f"{folder}/initramfs"
        link.ask(f": >{copy}")
        link.ask(f"cat {shlex.quote(system.initramfs)} >{copy}", root=True)
        link.download(copy, target)
