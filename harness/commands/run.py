# SPDX-License-Identifier: GPL-2.0-only
"""A run: on every architecture base and series are built and booted, then compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.commands.study import Study, carry_out
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.executor import Site
from harness.engine.schedule import Task
from harness.plan.derive.derive import complete
from harness.plan.patches import changed_code
from harness.plan.plan import Plan
from harness.plan.prepare import prepare
from results.journal.assemble import conclude_run
from results.model.run import Run


def run(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> tuple[Run, Path]:
    """Carry out a plan, here or at another site; returns the run and its folder.

    Raises:
        HarnessError: if nothing can be said of any architecture.
    """

    def study() -> Study:
        checkouts = prepare(plan, workspace.cache, progress.log)
        derived, checkouts = complete(plan, checkouts, workspace.cache, progress.log)
        code = changed_code(checkouts.subject, workspace.cache) if plan.reached else None
        return Study(checkouts, lambda session: _tasks, one_arch_first=True, code=code, plan=derived)

    return carry_out(plan, study, workspace, progress, command, site).concluded_by(conclude_run)


def _tasks(work: ArchRunner) -> list[Task]:
    """The first build; each is followed by the boots of its kernel, and by the next build.

    The kernel with counters is the last one, if there is one.
    """
    variants = work.session.fact.variants
    for variant in variants:
        work.session.progress.await_turn(work.label(variant))
    return _builds(work, variants)


def _builds(work: ArchRunner, variants: Sequence[str]) -> list[Task]:
    if not variants:
        return work.reached_tasks()
    variant, *others = variants

    def action() -> Sequence[Task]:
        kernel = work.build(work.session.checkouts.checkout(variant))
        boots = [work.boot_task(variant, kernel)] if kernel else []
        return [*boots, *_builds(work, others)]

    return [work.build_task(variant, action)]
