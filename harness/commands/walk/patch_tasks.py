# SPDX-License-Identifier: GPL-2.0-only
"""One architecture's way through a series: every patch is built on top of the one before, then booted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.commands.walk.verify_incremental import check_tasks
from harness.engine.arch_runner import ArchRunner
from harness.engine.schedule import Kind, Task
from harness.plan.prepare import Checkout, checkout_of, patch_commit
from results.journal.journal import WalkScope, patch_variant


def column_tasks(work: ArchRunner, scope: WalkScope) -> list[Task]:
    """The first build; every other one follows the one before it."""
    return [_build_task(work, scope, 0)]


def _build_task(work: ArchRunner, scope: WalkScope, position: int) -> Task:
    number = scope.own[position]

    def action() -> Sequence[Task]:
        kernel = _build(work, scope, number)
        boots = [_boot_task(work, patch_variant(number), kernel)] if kernel and scope.boots else []
        if position + 1 < len(scope.own):
            return [*boots, _build_task(work, scope, position + 1)]
        return [*boots, *_checks(work, scope)]

    return Task(work.arch.name, Kind.BUILD, work.expect_build(patch_variant(number)).seconds, action)


def _build(work: ArchRunner, scope: WalkScope, number: int) -> Path | None:
    """Build a patch's kernel, unless it is known not to build."""
    variant = patch_variant(number)
    known = work.cell(variant).build
    kernel = None
    if known is None or known.ok or known.error_is_infrastructure:
        kernel = work.build(_checkout(work, scope, number))
    if kernel is None or not scope.boots:
        work.session.progress.forget(work.label(variant))
    return kernel


def _checkout(work: ArchRunner, scope: WalkScope, number: int) -> Checkout:
    """A patch's own commit, or one with the same sources whose kernel is there already."""
    session, variant = work.session, patch_variant(number)
    commits = [patch_commit(session.checkouts.subject, each) for each in scope.same_sources(number)]
    checkouts = [checkout_of(variant, commit, session.workspace.cache) for commit in commits]
    if len(checkouts) == 1:
        return checkouts[0]
    return next(filter(work.is_built, checkouts), checkouts[0])


def _boot_task(work: ArchRunner, variant: str, kernel: Path) -> Task:
    def action() -> Sequence[Task]:
        work.boot(variant, kernel)
        work.session.progress.forget(work.label(variant))
        return []

    return Task(work.arch.name, Kind.BOOT, work.expect_boot().seconds, action)


def _checks(work: ArchRunner, scope: WalkScope) -> list[Task]:
    done = {(check.arch, check.number) for check in work.session.checks}
    return check_tasks(
        work, [each for each in scope.drawn(work.arch.name) if (work.arch.name, each) not in done]
    )
