# SPDX-License-Identifier: GPL-2.0-only
"""The files that Hercules boots from: its configuration, and the guest's in the forms it loads.

Their formats: https://hercules-390.github.io/html/hercconf.html, and Documentation/arch/s390 for
where the kernel looks for its parameters and its initramfs.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from harness.config.arch import HerculesFacts
from harness.core.errors import InfrastructureError
from harness.machines.base import BootFiles

CONFIGURATION, COMMANDS, CHANNEL = "herc.cnf", "run.rc", "res.fba"
IMAGE, INITRAMFS = "image", "initrd"
"""Second names of files that others need, too: Hercules must not write them."""
CHANNEL_BYTES = 36 << 20
"""More than the watch lets a log grow, so that it sees a flood."""
INITRAMFS_ADDRESS = 128 << 20
"""All of the kernel is below."""
_PARAMETERS_ADDRESS = 0x10480
_INITRAMFS_WORDS_ADDRESS = 0x10408
_LONGEST_PARAMETERS = 895
_QUIET = "loglevel=0"
"""The log goes to the channel. The console would cost time, and could pass for Hercules' own messages."""


def lay_out(folder: Path, facts: HerculesFacts, files: BootFiles) -> None:
    """Make the folder and everything in it; one that is left of an earlier boot is replaced.

    Raises:
        InfrastructureError: if that can't be written, or the kernel's parameters are too long.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _link_or_copy(files.kernel, folder / IMAGE)
        _link_or_copy(files.initramfs, folder / INITRAMFS)
        for name, content in contents(facts, files.cmdline, files.initramfs.stat().st_size).items():
            (folder / name).write_bytes(content)
        with (folder / CHANNEL).open("wb") as channel:
            channel.truncate(CHANNEL_BYTES)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or folder}: {error.strerror}") from None


def contents(facts: HerculesFacts, cmdline: tuple[str, ...], initramfs_bytes: int) -> Mapping[str, bytes]:
    """The small files, by name."""
    parameters = " ".join((_QUIET, *cmdline)).encode()
    if len(parameters) > _LONGEST_PARAMETERS:
        raise InfrastructureError(
            f"the kernel's parameters have {len(parameters)} bytes; "
            f"this machine takes {_LONGEST_PARAMETERS}: {' '.join(cmdline)}"
        )
    return {
        CONFIGURATION: _configuration(facts).encode(),
        COMMANDS: b"ipl linux.ins\n",
        "linux.ins": _load_list().encode(),
        "parmfile": parameters + b" ",
        "initrd.addrsize": struct.pack(">QQ", INITRAMFS_ADDRESS, initramfs_bytes),
    }


def _configuration(facts: HerculesFacts) -> str:
    """The same priority for all threads: an unprivileged user could not have the usual ones."""
    lines = (
        "CPUSERIAL 000001",
        f"CPUMODEL {facts.cpu_model}",
        f"MAINSIZE {facts.memory_mb}",
        "XPNDSIZE 0",
        f"NUMCPU {facts.cpus}",
        f"MAXCPU {facts.cpus}",
        "ARCHMODE z/Arch",
        "OSTAILOR QUIET",
        "PANRATE FAST",
        "PGMPRDOS LICENSED",
        "DIAG8CMD DISABLE",
        "SHCMDOPT DISABLE",
        *(f"{threads}PRIO 0" for threads in ("HERC", "TOD", "DEV", "CPU")),
        "0009 3215-C noprompt",
        f"0200 3370 {CHANNEL}",
    )
    return "".join(line + "\n" for line in lines)


def _load_list() -> str:
    """A list-directed IPL; its first line is a comment."""
    return (
        "* what is loaded where\n"
        "image 0x00000000\n"
        f"initrd {INITRAMFS_ADDRESS:#010x}\n"
        f"parmfile {_PARAMETERS_ADDRESS:#010x}\n"
        f"initrd.addrsize {_INITRAMFS_WORDS_ADDRESS:#010x}\n"
    )


def _link_or_copy(source: Path, target: Path) -> None:
    """Hercules refuses files that are elsewhere, but a second name will do."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
