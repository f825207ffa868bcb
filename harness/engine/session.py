# SPDX-License-Identifier: GPL-2.0-only
"""The shared state of one run: its folder and journal, new or resumed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
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
from harness.engine.plan_fact import FoundTests, find_tests, plan_fact
from harness.engine.run_folder import OpenedFolder, boot_files, open_folder
from harness.machines.host.lease import HostLease, take_host
from harness.machines.lava.lab import open_lab
from harness.plan.claims import check_claims
from harness.plan.plan import Plan, claims, planned_tests
from harness.plan.prepare import Checkout, Checkouts, worktree_name
from harness.sources.git.worktree_pool import Worktrees
from harness.sources.series.changed_code import ChangedCode
from results.journal.assemble import CellFacts, Conclude, T, conclude_by, read_boot
from results.journal.journal import (
    END,
    INTERRUPTED,
    RESUME,
    BootFact,
    Journal,
    PlanFact,
    Scope,
    TwinFact,
    WalkScope,
    read_events,
)
from results.model.bisect import EndFact
from results.model.configs import CONFIGURATION, DIAGNOSTICS, ConfigResult, ConfigScope, DiagnosticsFact
from results.model.reached import ReachedFact
from results.model.run import Boot, Build, Cell, PlannedTest
from results.model.walk import RebuildCheck


@dataclass(slots=True)
class Session:
    """The state that all steps of one run share."""

    plan: Plan
    workspace: Workspace
    progress: Progress
    checkouts: Checkouts
    planned: tuple[PlannedTest, ...]
    suites: tuple[SuiteRecord, ...]
    run_dir: Path
    lock: IO[str]
    """Lock of the run folder, held until the session is closed."""
    fact: PlanFact
    """The plan as recorded in the journal."""
    journal: Journal
    history: DurationHistory
    cells: CellFacts
    jobserver: Jobserver
    executor: Executor
    """Carries out builds and boots."""
    worktrees: Worktrees
    code: ChangedCode = field(default_factory=ChangedCode)
    """What to count of the series; without objects nothing is."""
    host: HostLease | None = None
    """The physical host that boots all kernels; None for emulators."""
    checks: list[RebuildCheck] = field(default_factory=list)
    children: Children = field(default_factory=Children)
    _recording: threading.Lock = field(default_factory=threading.Lock)

    def sources(self, arch: ArchRecord, checkout: Checkout) -> AbstractContextManager[Path]:
        """Return the worktree of an architecture at a checkout, locked against other runs."""
        name = self.worktree_name(arch)
        return self.worktrees.at(name, checkout.commit, self.children.raise_if_stopping)

    def worktree_name(self, arch: ArchRecord) -> str:
        """Return the name of the worktree of an architecture."""
        return worktree_name(self.plan.tree, arch)

    @property
    def selftests(self) -> Selftests:
        """Return the selftests that are compiled from the tree."""
        return Selftests(self.suites, self.checkouts.commit("series"), self.checkouts.commit("base"))

    def stop(self) -> None:
        """Make all running steps end soon, and start no others."""
        self.jobserver.stop()
        self.children.end_all()
        self.executor.stop()

    @contextmanager
    def carried_out(self) -> Iterator[None]:
        """Note in the journal how the work inside ends, and close the session."""
        try:
            yield
            self.journal.append(END)
        except KeyboardInterrupt:
            self.journal.append(INTERRUPTED)
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Release the host, the run folder and the CPU tokens; no step may be running."""
        self.executor.close()
        if self.host:
            self.host.give_back()
        self.jobserver.close()
        self.lock.close()

    def cell(self, arch: str, variant: str) -> Cell:
        """Return a cell, as far as its builds and boots have come."""
        return self.cells.cell(arch, variant)

    def record_build(self, build: Build) -> None:
        """Record a build."""
        with self._recording:
            self.journal.append("build", build, [self.run_dir / build.log] if build.log else ())
            self.cells.add_build(build)

    def record_twin(self, fact: TwinFact) -> None:
        """Record that a cell shares the boots of another variant."""
        with self._recording:
            self.journal.append("twin", fact)
            self.cells.add_twin(fact)

    def record_check(self, check: RebuildCheck) -> None:
        """Record a rebuild from scratch."""
        with self._recording:
            self.journal.append("check", check)
            self.checks.append(check)

    def record_found(self, fact: EndFact) -> None:
        """Record the end of the search on one architecture."""
        with self._recording:
            self.journal.append("found", fact)

    def record_configuration(self, result: ConfigResult) -> None:
        """Record what became of a configuration."""
        with self._recording:
            files = (self.run_dir / result.log,) if result.log else ()
            self.journal.append(CONFIGURATION, result, files)

    def record_diagnostics(self, fact: DiagnosticsFact) -> None:
        """Record what the whole study found."""
        with self._recording:
            self.journal.append(DIAGNOSTICS, fact)

    def record_boot(self, fact: BootFact) -> Boot:
        """Record a boot, and parse its console log; the end of the session does not parse it again."""
        seen = read_boot(fact, self.planned, self.run_dir)
        with self._recording:
            self.journal.append("boot", fact, boot_files(self.run_dir, fact))
            self.cells.add_boot(fact, seen)
        return seen

    def record_reached(self, fact: ReachedFact) -> None:
        """Record which changed lines a boot ran; before the boot, which a resumed run does not repeat."""
        with self._recording:
            self.journal.append("reached", fact, [self.run_dir / "logs" / f"{fact.boot}.log"])

    def concluded_by(self, conclude: Conclude[T]) -> tuple[T, Path]:
        """Return the results of the session by `conclude`, and the folder."""
        events = list(read_events(self.run_dir))
        return conclude_by(conclude, self.fact, events, self.cells), self.run_dir


def open_session(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    checkouts: Checkouts,
    command: Sequence[str],
    scope: Scope | None = None,
    site: Site | None = None,
    code: ChangedCode | None = None,
) -> Session:
    """Begin a run, or resume the last interrupted one of the same plan.

    With a `scope` it is a walk, a bisection, or a study of configurations. With `code` it tells which changed
    lines ran. Its steps are carried out at `site`, or on this machine.

    Raises:
        UsageError: if the series asks for tests that neither it nor the tree has.
        InfrastructureError: if the host or the lab of the plan can't be used.
    """
    found = FoundTests(())
    if not isinstance(scope, ConfigScope) and (not isinstance(scope, WalkScope) or scope.boots):
        found = find_tests(plan, checkouts, workspace.cache, progress.log)
    claimed = claims(plan.series)
    planned = planned_tests(found.suites, claimed)
    if planned:
        check_claims(claimed, planned, checkouts, workspace.cache)
    fact = plan_fact(plan, checkouts, planned, command, scope, found, code.files if code else None)
    children = Children()
    lab = open_lab(plan.lab, plan.arches) if plan.lab else None
    host, opened = _take_host_and_folder(plan, fact, workspace, progress, children)
    jobserver = Jobserver(plan.jobs)
    context = RunContext(plan, workspace, opened.run_dir, children, jobserver, host, lab)
    return Session(
        plan=plan,
        workspace=workspace,
        progress=progress,
        checkouts=checkouts,
        planned=planned,
        suites=found.suites,
        run_dir=opened.run_dir,
        lock=opened.lock,
        fact=opened.fact,
        journal=_begin_journal(opened),
        history=DurationHistory(workspace.state),
        cells=opened.cells,
        checks=list(opened.checks),
        jobserver=jobserver,
        executor=(site or ThisMachine()).begin(context),
        worktrees=Worktrees(workspace.cache, progress.log),
        code=code or ChangedCode(),
        host=host,
        children=children,
    )


def _take_host_and_folder(
    plan: Plan, fact: PlanFact, workspace: Workspace, progress: Progress, children: Children
) -> tuple[HostLease | None, OpenedFolder]:
    """Take the host of the plan, if it has one; no host stays taken if there is no folder for the run."""
    host = take_host(plan.host, workspace.state, progress.log, children) if plan.host else None
    try:
        return host, open_folder(plan, fact, workspace, progress)
    except BaseException:
        if host:
            host.give_back()
        raise


def _begin_journal(opened: OpenedFolder) -> Journal:
    journal = Journal(opened.run_dir)
    if opened.resumed:
        journal.append(RESUME)
    else:
        journal.append("plan", opened.fact)
    return journal
