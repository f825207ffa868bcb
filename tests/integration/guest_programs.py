# SPDX-License-Identifier: GPL-2.0-only
"""Packs the programs that misbehave in a guest, as first process or as test."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.build.guest import initramfs
from harness.core.shipped import WRAPPERS

GUESTS = Path(__file__).parent.parent / "guests"
MISBEHAVE = Path(__file__).parent.parent / "golden" / "console" / "misbehave.c"
BAD_INIT = "bad_init.cpio"
"""Its first process misbehaves, the way that its argument says."""
TESTS = "tests.cpio"
"""Our own first process, a test that does what it should, and some that don't."""


def pack_guests(folder: Path, compiler: str, *tests: Path) -> Path:
    """Make both initramfs in a folder; `tests` are sources of more programs for the second."""
    make = [
        "make",
        "-s",
        "-C",
        str(WRAPPERS),
        f"CROSS_COMPILE={compiler}",
        f"O={folder}",
        "WERROR=1",
        "init",
        "pmd_split",
    ]
    subprocess.run(make, check=True)
    bad_init = {
        "init": _compiled(GUESTS / "bad_init.c", folder, compiler),
        "dev/console": initramfs.console(),
    }
    (folder / BAD_INIT).write_bytes(initramfs.archive(bad_init))
    with_tests = {
        "init": initramfs.program(folder / "init"),
        "dev/console": initramfs.console(),
        "bin/pmd_split": initramfs.program(folder / "pmd_split"),
        **{f"bin/{source.stem}": _compiled(source, folder, compiler) for source in (MISBEHAVE, *tests)},
    }
    (folder / TESTS).write_bytes(initramfs.archive(with_tests))
    return folder


def _compiled(source: Path, folder: Path, compiler: str) -> initramfs.Entry:
    target = folder / source.stem
    command = [f"{compiler}gcc", "-static", "-O1", "-w", "-o", str(target), str(source)]
    subprocess.run(command, check=True)
    return initramfs.program(target)
