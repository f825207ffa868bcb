# SPDX-License-Identifier: GPL-2.0-only
"""The tasks of a walk on one architecture: each patch is built incrementally, then booted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.commands.walk.verify_incremental import check_tasks
from harness.engine.arch_runner import ArchRunner
from harness.engine.schedule import Task
from harness.plan.prepare import Checkout, checkout_of, patch_commit
from results.journal.journal import WalkScope, patch_variant


def first_tasks(work: ArchRunner, scope: WalkScope) -> list[Task]:
    """Return the first build; each build returns the next one."""
    return [_build_task(work, scope, 0)]


def _build_task(work: ArchRunner, scope: WalkScope, position: int) -> Task:
    number = scope.own[position]

    def action() -> Sequence[Task]:
        kernel = _build(work, scope, number)
        boots = [work.boot_task(patch_variant(number), kernel, forget=True)] if kernel and scope.boots else []
        if position + 1 < len(scope.own):
            return [*boots, _build_task(work, scope, position + 1)]
        return [*boots, *_checks(work, scope)]

    return work.build_task(patch_variant(number), action)


def _build(work: ArchRunner, scope: WalkScope, number: int) -> Path | None:
    """Build the kernel of a patch, unless the build has failed before."""
    variant = patch_variant(number)
    known = work.cell(variant).build
    kernel = None
    if known is None or known.ok or known.error_is_infrastructure:
        kernel = work.build(_checkout(work, scope, number))
    if kernel is None or not scope.boots:
        work.session.progress.forget(work.label(variant))
    return kernel


def _checkout(work: ArchRunner, scope: WalkScope, number: int) -> Checkout:
    """Return the commit of a patch, or one with the same sources whose kernel is cached."""
    session, variant = work.session, patch_variant(number)
    commits = [patch_commit(session.checkouts.subject, each) for each in scope.same_sources(number)]
    checkouts = [checkout_of(variant, commit, session.workspace.cache) for commit in commits]
    if len(checkouts) == 1:
        return checkouts[0]
    return next(filter(work.is_built, checkouts), checkouts[0])


def _checks(work: ArchRunner, scope: WalkScope) -> list[Task]:
    done = {(check.arch, check.number) for check in work.session.checks}
    return check_tasks(
        work, [each for each in scope.drawn(work.arch.name) if (work.arch.name, each) not in done]
    )
