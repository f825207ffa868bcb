"""What a run does on one architecture: both kernels are built, each is booted when it is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.arch_work import ArchWork
from harness.schedule import Kind, Task


def tasks(work: ArchWork) -> list[Task]:
    """Both builds; each is followed by the boots of its kernel."""
    return [_build_task(work, variant) for variant in work.session.fact.variants]


def _build_task(work: ArchWork, variant: str) -> Task:
    work.session.progress.await_turn(work.label(variant))

    def action() -> Sequence[Task]:
        kernel = work.build(work.session.checkouts.checkout(variant))
        return [boot_task(work, variant, kernel)] if kernel else []

    return Task(work.arch.name, Kind.BUILD, work.expect("build").seconds, action)


def boot_task(work: ArchWork, variant: str, kernel: Path) -> Task:
    """All boots of one kernel."""

    def action() -> Sequence[Task]:
        work.boot(variant, kernel)
        return []

    return Task(work.arch.name, Kind.BOOT, work.expect("boot").seconds, action)
