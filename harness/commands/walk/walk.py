# SPDX-License-Identifier: GPL-2.0-only
"""A walk through a series: every patch is built and booted on every architecture.

Like a run it goes on where it stopped: what its folder and the cache know is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from harness.commands.cache.collect import trim
from harness.commands.cache.sharing import in_use
from harness.commands.cache.size import size_limit
from harness.commands.run import carry_out, check_disk, room
from harness.commands.walk.patch_tasks import column_tasks
from harness.core.errors import UsageError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.executor import Site, ThisMachine
from harness.engine.session import Session, open_session
from harness.plan.patches import Choice, choose, find_kernels, with_patches
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, prepare
from harness.sources.series.mbox import SeriesError
from results.journal.journal import WalkScope, patch_variant
from results.model.walk import Walk
from results.walk.walk import assemble_walk

SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class WalkRequest:
    """What is asked of a walk beyond its plan."""

    choice: Choice = field(default_factory=Choice)
    boots: bool = True
    checks: int = 0
    """So many kernels of each architecture are built once more from nothing."""
    seed: int | None = None
    """Draws them; None for any."""


def walk(
    plan: Plan,
    request: WalkRequest,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> tuple[Walk, Path]:
    """Walk through the plan's series, here or at another site; returns what was found, and the folder.

    Raises:
        HarnessError: if there is nothing to be said of any architecture (no tools, no such patch, …).
    """
    if site and request.checks:
        raise UsageError(
            "--verify-incremental builds on this machine, not on a cluster",
            hint="Leave out one of them.",
        )
    limit = size_limit()
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, room(plan, workspace))
        outcome = _walk(plan, request, workspace, progress, command, site or ThisMachine())
    trim(workspace.cache, limit, progress.log)
    return outcome


def _walk(
    plan: Plan,
    request: WalkRequest,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site,
) -> tuple[Walk, Path]:
    tools, lacking = site.find_tools(plan)
    checkouts = prepare(plan, workspace.cache, progress.log)
    scope = _scope(request, checkouts, workspace.cache)
    checkouts = with_patches(checkouts, scope.own, workspace.cache)
    session = open_session(plan, workspace, progress, checkouts, command, scope, site=site)
    scope = session.fact.walk or scope
    _announce(session, scope)
    carry_out(
        session,
        tools,
        lacking,
        lambda arch, known: column_tasks(ArchRunner(session, arch, known), scope),
    )
    return assemble_walk(session.run_dir), session.run_dir


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
    log(f"{patches} of {len(subject.patches)} patches, {kernels} of them change what kernels are built from")
    if scope.checks:
        for arch in session.plan.arches:
            drawn = ", ".join(patch_variant(number) for number in scope.drawn(arch.name))
            log(f"{arch.name}: {drawn} will be built once more from nothing (--seed {scope.seed})")
