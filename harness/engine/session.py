# SPDX-License-Identifier: GPL-2.0-only
"""One run's shared state: its folder and journal, new or taken up again where it was interrupted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from harness.build.guest.selftests import Selftests
from harness.config.arch import ArchRecord
from harness.config.suite import SuiteRecord
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.durations import DurationHistory
from harness.engine.executor import Executor, RunContext, Site, ThisMachine
from harness.engine.plan_fact import plan_fact, suites_in_tree
from harness.engine.run_folder import open_folder
from harness.machines.host.lease import HostLease, take_host
from harness.machines.lava.lab import open_lab
from harness.plan.plan import Plan, planned_tests
from harness.plan.prepare import Checkout, Checkouts, worktree_name
from harness.sources.git.worktree_pool import Worktrees
from results.journal.assemble import read_boot
from results.journal.journal import (
    BootFact,
    Journal,
    PlanFact,
    TwinFact,
    WalkScope,
)
from results.model.bisect import BisectScope, EndFact
from results.model.run import Boot, Build, Cell, PlannedTest
from results.model.walk import RebuildCheck


@dataclass(slots=True)
class Session:
    """What all steps of one run share."""

    plan: Plan
    workspace: Workspace
    progress: Progress
    checkouts: Checkouts
    planned: tuple[PlannedTest, ...]
    suites: tuple[SuiteRecord, ...]
    run_dir: Path
    lock: IO[str]
    """Held as long as the run folder is ours."""
    fact: PlanFact
    """The plan as the journal has it."""
    journal: Journal
    history: DurationHistory
    cells: dict[tuple[str, str], Cell]
    jobserver: Jobserver
    executor: Executor
    """Builds and boots."""
    worktrees: Worktrees
    host: HostLease | None = None
    """The physical host that boots everything; None where emulators do."""
    checks: list[RebuildCheck] = field(default_factory=list)
    children: Children = field(default_factory=Children)
    _recording: threading.Lock = field(default_factory=threading.Lock)

    def sources(self, arch: ArchRecord, checkout: Checkout) -> AbstractContextManager[Path]:
        """The worktree of an architecture at a checkout, locked against other runs while it is used here."""
        name = self.worktree_name(arch)
        return self.worktrees.at(name, checkout.commit, self.children.raise_if_stopping)

    def worktree_name(self, arch: ArchRecord) -> str:
        """Name of the folder in which an architecture is built."""
        return worktree_name(self.plan.tree, arch)

    @property
    def selftests(self) -> Selftests:
        """What is compiled for the guest from the tree."""
        return Selftests(self.suites, self.checkouts.commit("series"))

    def stop(self) -> None:
        """Make everything that is running end soon, and nothing new begin."""
        self.jobserver.stop()
        self.children.end_all()
        self.executor.stop()

    def close(self) -> None:
        """Let go of the host, the run folder and the token pool; nothing may be running any more."""
        self.executor.close()
        if self.host:
            self.host.give_back()
        self.jobserver.close()
        self.lock.close()

    def cell(self, arch: str, variant: str) -> Cell:
        """What is known of a cell so far."""
        return self.cells.get((arch, variant), Cell(arch, variant))

    def record_build(self, build: Build) -> None:
        """Keep a build as a fact."""
        with self._recording:
            self.journal.append("build", build)
            known = self.cell(build.arch, build.variant)
            self.cells[build.arch, build.variant] = replace(known, build=build)

    def record_twin(self, fact: TwinFact) -> None:
        """Keep that a cell's boots are those of another variant."""
        with self._recording:
            self.journal.append("twin", fact)
            known = self.cell(fact.arch, fact.variant)
            self.cells[fact.arch, fact.variant] = replace(known, boots_of=fact.twin)

    def record_check(self, check: RebuildCheck) -> None:
        """Keep what building a kernel once more came to."""
        with self._recording:
            self.journal.append("check", check)
            self.checks.append(check)

    def record_found(self, fact: EndFact) -> None:
        """Keep how the search on one architecture ended."""
        with self._recording:
            self.journal.append("found", fact)

    def record_boot(self, fact: BootFact) -> Boot:
        """Keep a boot as a fact, and read what its log says; who boots is nobody's twin any more."""
        seen = read_boot(fact, self.planned, self.run_dir)
        with self._recording:
            self.journal.append("boot", fact)
            cell = self.cell(fact.arch, fact.variant)
            earlier = () if cell.boots_of else cell.boots
            self.cells[fact.arch, fact.variant] = replace(cell, boots=(*earlier, seen), boots_of="")
        return seen


def open_session(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    checkouts: Checkouts,
    command: Sequence[str],
    walk: WalkScope | None = None,
    bisect: BisectScope | None = None,
    site: Site | None = None,
) -> Session:
    """Begin a run, or take up the last one if it was interrupted and has the very same plan.

    With `walk` it is a walk, with `bisect` a bisection, and its folder is among those. `site` is where
    it is carried out, this machine without one.

    Raises:
        UsageError: if the series asks for tests that neither it nor the tree has.
        InfrastructureError: if the plan's host or lab is not to be had.
    """
    suites: tuple[SuiteRecord, ...] = ()
    if walk is None or walk.boots:
        suites = suites_in_tree(plan, checkouts, workspace.cache, progress.log)
    planned = planned_tests(suites)
    fact = plan_fact(plan, checkouts, planned, command, walk, bisect)
    children = Children()
    lab = open_lab(plan.lab, plan.arches) if plan.lab else None
    host = _take_host(plan, workspace, progress, children)
    try:
        opened = open_folder(plan, fact, workspace, progress)
    except BaseException:
        if host:
            host.give_back()
        raise
    journal = Journal(opened.run_dir)
    if opened.resumed:
        journal.append("resume")
    else:
        journal.append("plan", opened.fact)
    jobserver = Jobserver(plan.jobs)
    context = RunContext(plan, workspace, opened.run_dir, children, jobserver, host, lab)
    return Session(
        plan=plan,
        workspace=workspace,
        progress=progress,
        checkouts=checkouts,
        planned=planned,
        suites=suites,
        run_dir=opened.run_dir,
        lock=opened.lock,
        fact=opened.fact,
        journal=journal,
        history=DurationHistory(workspace.state),
        cells=opened.cells,
        checks=list(opened.checks),
        jobserver=jobserver,
        executor=(site or ThisMachine()).begin(context),
        worktrees=Worktrees(workspace.cache, progress.log),
        host=host,
        children=children,
    )


def _take_host(plan: Plan, workspace: Workspace, progress: Progress, children: Children) -> HostLease | None:
    return take_host(plan.host, workspace.state, progress.log, children) if plan.host else None
