# SPDX-License-Identifier: GPL-2.0-only
"""Has a host start another kernel: kexec(8)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.machines.host.remote.ssh import Link

LOAD_SECONDS = 120.0
_PATH = "PATH=$PATH:/sbin:/usr/sbin"
_GO = "sleep 0.5; sync; echo u >/proc/sysrq-trigger; sleep 0.5; exec kexec -e"
"""Disks are made read-only first (Documentation/admin-guide/sysrq.rst): kexec -e unmounts nothing."""


def load(link: Link, kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> None:
    """Upload a kernel and its initramfs, and have them loaded; nothing of it stays on the disk.

    Raises:
        LinkError: if the connection fails, or there is no room.
        InfrastructureError: if the host's kernel does not take it.
    """
    record = link.record
    with link.uploaded(kernel, initramfs) as folder:
        words = [*command(record.kexec_options, f"{folder}/kernel", f"{folder}/initramfs", cmdline)]
        said = link.run_as_root(f"{_PATH} {shlex.join(words)}", LOAD_SECONDS)
        loaded = link.run_as_root("cat /sys/kernel/kexec_loaded").out.strip()
    if said.code or loaded != "1":
        raise InfrastructureError(
            f"{record.name} could not load the kernel: {said.complaint}",
            hint=f"thp-harness hosts check {record.name}",
        )


def command(options: Sequence[str], kernel: str, initramfs: str, cmdline: Sequence[str]) -> tuple[str, ...]:
    """What loads a kernel on the host."""
    return ("kexec", *options, "-l", kernel, f"--initrd={initramfs}", f"--command-line={' '.join(cmdline)}")


def launch(link: Link) -> None:
    """Start the kernel that was loaded; the connection dies of it."""
    link.ask(f"setsid sh -c {shlex.quote(f'{_PATH}; {_GO}')} >/dev/null 2>&1 </dev/null &", root=True)
