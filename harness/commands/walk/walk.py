# SPDX-License-Identifier: GPL-2.0-only
"""A walk through a series: each patch is built and booted on each architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from harness.commands.study import ArchTasks, Study, carry_out
from harness.commands.walk.patch_tasks import first_tasks
from harness.core.errors import UsageError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.executor import Site
from harness.engine.session import Session
from harness.plan.derive.derive import complete
from harness.plan.patches import Choice, choose, find_kernels, with_patches
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, prepare
from harness.sources.series.mail.mbox import SeriesError
from results.journal.journal import WalkScope, patch_variant
from results.model.walk import Walk
from results.walk.walk import conclude_walk

SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class WalkRequest:
    """The options of a walk beyond its plan."""

    choice: Choice = field(default_factory=Choice)
    boots: bool = True
    checks: int = 0
    """Number of kernels of each architecture that are rebuilt from scratch."""
    seed: int | None = None
    """Random seed for choosing them; None for a random one."""


def walk(
    plan: Plan,
    request: WalkRequest,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> tuple[Walk, Path]:
    """Walk through the series of a plan, here or at another site; returns the results and the folder.

    Raises:
        HarnessError: if nothing can be said of any architecture: no tools, no such patch, …
    """
    if site and request.checks:
        raise UsageError(
            "--verify-incremental builds on this machine, not on a cluster",
            hint="Leave out one of them.",
        )

    def study() -> Study:
        checkouts = prepare(plan, workspace.cache, progress.log)
        derived, checkouts = complete(plan, checkouts, workspace.cache, progress.log)
        scope = _scope(request, checkouts, workspace.cache)
        checkouts = with_patches(checkouts, scope.own, workspace.cache)
        return Study(
            checkouts, lambda session: _tasks(session, session.fact.walk or scope), scope, plan=derived
        )

    return carry_out(plan, study, workspace, progress, command, site).concluded_by(conclude_walk)


def _tasks(session: Session, scope: WalkScope) -> ArchTasks:
    _announce(session, scope)
    return lambda work: first_tasks(work, scope)


def _scope(request: WalkRequest, checkouts: Checkouts, cache: Path) -> WalkScope:
    subject = checkouts.subject
    if not subject.patches:
        raise SeriesError(f"{subject.series} has no patch", hint="A walk needs at least one.")
    numbers = choose(request.choice, len(subject.patches))
    seed = SystemRandom().randrange(SEEDS) if request.seed is None else request.seed
    kernels = find_kernels(numbers, subject, cache)
    return WalkScope(numbers, kernels, request.boots, request.checks, seed)


def _announce(session: Session, scope: WalkScope) -> None:
    subject, log = session.checkouts.subject, session.progress.log
    kernels = len(scope.own) - 1
    patches = len(scope.numbers) - 1
    log(f"{patches} of {len(subject.patches)} patches, {kernels} of them change the sources of the kernel")
    if scope.checks:
        for arch in session.plan.arches:
            drawn = ", ".join(patch_variant(number) for number in scope.drawn(arch.name))
            log(f"{arch.name}: {drawn} will be rebuilt from scratch (--seed {scope.seed})")
