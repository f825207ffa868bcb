"""One run's shared state: its folder and journal, new or taken up again where it was interrupted."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from harness import __version__
from harness.build.cache import digest
from harness.checkout.mirror import open_mirror, path_hash
from harness.checkout.scratch import check_out_only, scratch_repository
from harness.checkout.worktree import worktree
from harness.config import SuiteRecord
from harness.errors import UsageError
from harness.history import History
from harness.jobserver import Jobserver
from harness.lock import claim
from harness.plan import Plan, claims, known_gaps, planned_tests, wholly_allowed
from harness.prepare import Checkouts
from harness.process import Children
from harness.progress import Progress
from harness.workspace import Workspace
from results.assemble import read_boot, read_cells, read_plan
from results.journal import BootFact, Event, Journal, JournalError, PlanFact, TwinFact, read_events
from results.model import Boot, Build, Cell, PlannedTest

LOCK = ".lock"
RUNS_LOOKED_AT = 20
"""An interrupted run is looked for among so many of the newest ones."""


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
    journal: Journal
    history: History
    cells: dict[tuple[str, str], Cell]
    jobserver: Jobserver
    children: Children = field(default_factory=Children)
    _recording: threading.Lock = field(default_factory=threading.Lock)
    _sharing: threading.Lock = field(default_factory=threading.Lock)
    _users: dict[str, int] = field(default_factory=dict)
    _worktrees: dict[str, tuple[AbstractContextManager[Path], Path]] = field(default_factory=dict)

    @contextmanager
    def sources(self, variant: str) -> Iterator[Path]:
        """The worktree of a variant, locked against other runs while anything here uses it."""
        with self._sharing:
            if not self._users.get(variant):
                name = f"{self.plan.tree.name}-{variant}"
                commit = self.checkouts.commit(variant)
                check = self.children.raise_if_stopping
                opened = worktree(self.workspace.cache, name, commit, self.progress.say, check)
                self._worktrees[variant] = (opened, opened.__enter__())
            self._users[variant] = self._users.get(variant, 0) + 1
        try:
            yield self._worktrees[variant][1]
        finally:
            with self._sharing:
                self._users[variant] -= 1
                if not self._users[variant]:
                    self._worktrees.pop(variant)[0].__exit__(None, None, None)

    @contextmanager
    def selftests(self) -> Iterator[Path]:
        """Only what the suites take from the tree; a worktree may be another run's for a long time."""
        wanted: set[str] = set()
        for program in (suite.program for suite in self.suites):
            wanted |= {*program.tree_sources, *program.tree_includes, *program.tree_also}
        with scratch_repository(open_mirror(self.workspace.cache)) as scratch:
            check_out_only(scratch, self.checkouts.commit("series"), wanted)
            yield scratch.path

    def stop(self) -> None:
        """Make everything that is running end soon, and nothing new begin."""
        self.jobserver.stop()
        self.children.end_all()

    def close(self) -> None:
        """Let go of the run folder and the token pool; nothing may be running any more."""
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
    plan: Plan, workspace: Workspace, progress: Progress, checkouts: Checkouts, command: Sequence[str]
) -> Session:
    """Begin a run, or take up the last one if it was interrupted and has the very same plan.

    Raises:
        UsageError: if the series asks for tests that neither it nor the tree has.
    """
    suites = _suites_in_tree(plan, checkouts, workspace.cache, progress.say)
    planned = planned_tests(suites)
    fact = _plan_fact(plan, checkouts, planned, command)
    opened = _resume(workspace, fact, progress) or _begin(workspace, plan)
    journal = Journal(opened.run_dir)
    if opened.resumed:
        journal.append("resume")
    else:
        journal.append("plan", replace(fact, id=opened.run_dir.name))
    return Session(
        plan=plan,
        workspace=workspace,
        progress=progress,
        checkouts=checkouts,
        planned=planned,
        suites=suites,
        run_dir=opened.run_dir,
        lock=opened.lock,
        journal=journal,
        history=History(workspace.state),
        cells=opened.cells,
        jobserver=Jobserver(plan.jobs),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run folder that is ours."""

    run_dir: Path
    lock: IO[str]
    cells: dict[tuple[str, str], Cell]
    resumed: bool


def _begin(workspace: Workspace, plan: Plan) -> _Opened:
    run_dir = workspace.new_run(plan.label)
    lock = claim(run_dir / LOCK)
    assert lock, "nobody else knows of a new run folder"
    return _Opened(run_dir, lock, {}, resumed=False)


def _suites_in_tree(
    plan: Plan, checkouts: Checkouts, cache: Path, say: Callable[[str], None]
) -> tuple[SuiteRecord, ...]:
    """Suites whose sources exist with the series applied.

    Raises:
        UsageError: if the series' record asks for one that does not.
    """
    present = []
    for suite in plan.suites:
        source = "" if suite.program.wrapper else suite.program.tree_sources[0]
        if not source or path_hash(cache, checkouts.commit("series"), source):
            present.append(suite)
        elif plan.tests_are_asked_for:
            raise UsageError(
                f"series '{plan.series.name}' asks for the tests {suite.name}, "
                f"but neither it nor the tree has {source}",
                hint="Correct `tests:` in the series' record.",
            )
        else:
            say(f"{suite.name} is left out: the series does not bring {source}")
    return tuple(present)


def _plan_fact(
    plan: Plan, checkouts: Checkouts, planned: tuple[PlannedTest, ...], command: Sequence[str]
) -> PlanFact:
    decides = {
        "trees": checkouts.trees,
        "arches": [arch.model_dump() for arch in plan.arches],
        "bases": [plan.recipes[arch.name].base for arch in plan.arches],
        "symbols": [plan.recipes[arch.name].symbols for arch in plan.arches],
        "planned": [asdict(test) for test in planned],
        "allow": plan.allow_unexercised,
        "always boot": plan.always_boot,
        "harness": __version__,
    }
    return PlanFact(
        id="",
        harness=__version__,
        host=_host_facts(),
        command=tuple(command),
        subject=checkouts.subject,
        planned=planned,
        arches=tuple(arch.name for arch in plan.arches),
        claims=claims(plan.series),
        allow_unexercised=wholly_allowed(plan),
        known_gaps=known_gaps(plan),
        digest=digest(decides),
    )


def _host_facts() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {
        "architecture": platform.machine(),
        "cpus": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "system": system,
        "python": platform.python_version(),
    }


def _resume(workspace: Workspace, fact: PlanFact, progress: Progress) -> _Opened | None:
    """The newest run with the same plan that did not come to its end and that nobody works on."""
    runs = sorted((path for path in workspace.runs.glob("*") if path.is_dir()), reverse=True)
    for run_dir in runs[:RUNS_LOOKED_AT]:
        if not _unfinished(run_dir, fact) or not (lock := claim(run_dir / LOCK)):
            continue
        if cells := _cells_so_far(run_dir, fact):
            progress.say(f"going on with the interrupted run {run_dir.name}")
            return _Opened(run_dir, lock, {(cell.arch, cell.variant): cell for cell in cells}, resumed=True)
        lock.close()
    return None


def _cells_so_far(run_dir: Path, fact: PlanFact) -> tuple[Cell, ...]:
    """What a locked run has done; nothing if it came to its end just before, or can't be read."""
    events = _unfinished(run_dir, fact)
    try:
        return read_cells(read_plan(events), events, run_dir) if events else ()
    except JournalError:
        return ()


def _unfinished(run_dir: Path, fact: PlanFact) -> list[Event]:
    """The events of a run that has this plan and did not come to its end; none of any other."""
    try:
        events = list(read_events(run_dir))
        if not events or events[-1].name == "end" or read_plan(events).digest != fact.digest:
            return []
    except JournalError:
        return []
    return events
