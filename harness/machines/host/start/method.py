# SPDX-License-Identifier: GPL-2.0-only
"""The ways in which a host starts a kernel of ours: kexec, once by its boot loader, a command of the site."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config.host import HostRecord
from harness.core.errors import InfrastructureError
from harness.machines.host.remote.console import run_command
from harness.machines.host.remote.ssh import Link
from harness.machines.host.start import grub, kexec, systemd_boot

Load = Callable[[Link, Path, Path, Sequence[str]], None]
Words = Callable[[Path, Path, Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Method:
    """One way. The calls come in this order; the last two also come for what an earlier run has left."""

    name: str
    load: Load
    """Have the kernel ready, with its initramfs and its command line."""
    launch: Callable[[Link], None]
    """Start it; the connection dies of it."""
    words: Words
    """What loads it there, for people."""
    only_once: Callable[[], None] | None = None
    """Have the boot after this one be the host's own; None where that is so by itself."""
    tidy: Callable[[Link], None] | None = None
    """Leave nothing behind on the host; None where nothing is."""
    may_fall_back: bool = True
    """A host that is back without having shown our kernel may never have started it."""


def method_of(record: HostRecord) -> Method:
    """The way that a host's record asks for."""
    match record.boot.method:
        case "grub-once":
            return Method("grub-once", grub.MENU.load, _restart, _grub_words, tidy=grub.MENU.tidy)
        case "bootctl-once":
            return Method(
                "bootctl-once", systemd_boot.load, _restart, _bootctl_words, tidy=systemd_boot.MENU.tidy
            )
        case "command":
            words, once = _command_words(record), lambda: _tell(record, "own")
            return Method("command", _load_by_command, _restart, words, only_once=once)
        case _:
            words = _kexec_words(record)
            return Method("kexec", kexec.load, kexec.launch, words, may_fall_back=False)


def _restart(link: Link) -> None:
    command = f"sleep 0.5; sync; {link.record.power.reboot}"
    link.ask(f"setsid sh -c {shlex.quote(command)} >/dev/null 2>&1 </dev/null &", root=True)


def _load_by_command(link: Link, kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> None:
    files = {"THP_KERNEL": str(kernel.absolute()), "THP_INITRAMFS": str(initramfs.absolute())}
    try:
        _tell(link.record, "test", **files, THP_CMDLINE=" ".join(cmdline))
    except InfrastructureError:
        with contextlib.suppress(InfrastructureError):  # it may have come halfway
            _tell(link.record, "own")
        raise


def _tell(record: HostRecord, boot: str, **more: str) -> None:
    environment = {**os.environ, "THP_HOST": record.name, "THP_BOOT": boot, **more}
    run_command(record.boot.command, record.boot.seconds, environment)


def _kexec_words(record: HostRecord) -> Words:
    return lambda kernel, initramfs, cmdline: kexec.command(
        record.kexec_options, str(kernel), str(initramfs), cmdline
    )


def _grub_words(kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> tuple[str, ...]:
    return ("linux", str(kernel), *cmdline, "initrd", str(initramfs))


def _bootctl_words(kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> tuple[str, ...]:
    return ("linux", str(kernel), "initrd", str(initramfs), "options", *cmdline)


def _command_words(record: HostRecord) -> Words:
    return lambda kernel, initramfs, cmdline: (
        "env",
        f"THP_HOST={record.name}",
        "THP_BOOT=test",
        f"THP_KERNEL={kernel}",
        f"THP_INITRAMFS={initramfs}",
        f"THP_CMDLINE={' '.join(cmdline)}",
        *record.boot.command,
    )
