# SPDX-License-Identifier: GPL-2.0-only
"""What a run does on one architecture: series is built on top of base, each is booted when it is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.engine.arch_runner import ArchRunner
from harness.engine.schedule import Kind, Task


def tasks(work: ArchRunner) -> list[Task]:
    """The first build; each is followed by the boots of its kernel, and by the next build."""
    variants = work.session.fact.variants
    for variant in variants:
        work.session.progress.await_turn(work.label(variant))
    return _builds(work, variants)


def _builds(work: ArchRunner, variants: Sequence[str]) -> list[Task]:
    if not variants:
        return []
    variant, *others = variants

    def action() -> Sequence[Task]:
        kernel = work.build(work.session.checkouts.checkout(variant))
        boots = [boot_task(work, variant, kernel)] if kernel else []
        return [*boots, *_builds(work, others)]

    return [Task(work.arch.name, Kind.BUILD, work.expect_build(variant).seconds, action)]


def boot_task(work: ArchRunner, variant: str, kernel: Path) -> Task:
    """All boots of one kernel."""

    def action() -> Sequence[Task]:
        work.boot(variant, kernel)
        return []

    return Task(work.arch.name, Kind.BOOT, work.expect_boot().seconds, action)
