# SPDX-License-Identifier: GPL-2.0-only
"""Run planned tests in one boot under QEMU, without a run around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.core.process import Children
from harness.engine.boot import Bootable, BootRequest, boot
from harness.machines.kinds import qemu_kind
from harness.machines.qemu.accel import Accelerator
from results.journal.assemble import read_boot
from results.model.run import BootEnd, PlannedTest, TestResult

Results = Mapping[str, TestResult]


def run_tests(
    bootable: Bootable, accelerator: str, folder: Path, planned: tuple[PlannedTest, ...]
) -> Results:
    """Boot once and give each test's result by its name; manifest and log go into new parts of `folder`."""
    for name in ("boots", "logs"):
        (folder / name).mkdir(parents=True)
    request = BootRequest("x86_64-base-1", "base", "first", planned)
    kind = qemu_kind(bootable.arch, Accelerator(accelerator))
    found = read_boot(boot(bootable, kind, request, folder, Children()), planned, folder)
    assert found.end is BootEnd.DONE, found.detail
    return {result.name: result for result in found.tests}
