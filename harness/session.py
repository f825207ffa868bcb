"""One run's shared state: its folder and journal, new or taken up again where it was interrupted."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
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
from harness.hosts.keeper import Keeper
from harness.hosts.standing import Memory
from harness.jobserver import Jobserver
from harness.lock import POLL_SECONDS, claim
from harness.plan import Plan, claims, known_gaps, planned_tests, wholly_allowed
from harness.prepare import Checkout, Checkouts
from harness.process import Children
from harness.progress import Progress
from harness.workspace import Workspace
from results.assemble import read_boot, read_cells, read_plan
from results.bisect_model import BisectScope, EndFact
from results.journal import (
    BootFact,
    Event,
    Journal,
    JournalError,
    PlanFact,
    TwinFact,
    WalkScope,
    decode,
    read_events,
)
from results.model import Boot, Build, Cell, PlannedTest
from results.walk_model import Check

LOCK = ".lock"
TOOLS = "tools"
RUNS_LOOKED_AT = 20
"""A run with the same plan is looked for among so many of the newest ones."""


@dataclass(slots=True)
class _Shared:
    """A worktree that some builds of ours use at this commit."""

    commit: str
    opened: AbstractContextManager[Path]
    path: Path
    users: int = 0


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
    history: History
    cells: dict[tuple[str, str], Cell]
    jobserver: Jobserver
    host: Keeper | None = None
    """The physical host that boots everything; None where emulators do."""
    checks: list[Check] = field(default_factory=list)
    children: Children = field(default_factory=Children)
    _recording: threading.Lock = field(default_factory=threading.Lock)
    _sharing: threading.Condition = field(default_factory=threading.Condition)
    _worktrees: dict[str, _Shared] = field(default_factory=dict)

    @contextmanager
    def sources(self, checkout: Checkout) -> Iterator[Path]:
        """The worktree of a checkout, locked against other runs while anything here uses it."""
        name = f"{self.plan.tree.name}-{checkout.worktree}"
        with self._sharing:
            while (shared := self._worktrees.get(name)) and shared.commit != checkout.commit:
                self._sharing.wait(POLL_SECONDS)
                self.children.raise_if_stopping()
            if shared is None:
                check = self.children.raise_if_stopping
                opened = worktree(self.workspace.cache, name, checkout.commit, self.progress.say, check)
                shared = self._worktrees[name] = _Shared(checkout.commit, opened, opened.__enter__())
            shared.users += 1
        try:
            yield shared.path
        finally:
            with self._sharing:
                shared.users -= 1
                if not shared.users:
                    self._worktrees.pop(name)
                    shared.opened.__exit__(None, None, None)
                    self._sharing.notify_all()

    @contextmanager
    def selftests(self) -> Iterator[Path]:
        """Only what the suites take from the tree; a worktree may be another run's for a long time."""
        with scratch_repository(open_mirror(self.workspace.cache)) as scratch:
            check_out_only(scratch, self.checkouts.commit("series"), self._wanted())
            yield scratch.path

    def selftests_id(self) -> str:
        """Content address of what the suites take from the tree, and of all else in tools/."""
        outside = {path for path in self._wanted() if not path.startswith(f"{TOOLS}/")}
        commit, cache = self.checkouts.commit("series"), self.workspace.cache
        return digest({path: path_hash(cache, commit, path) for path in (TOOLS, *sorted(outside))})

    def _wanted(self) -> set[str]:
        programs = [program for suite in self.suites for program in suite.programs]
        return {
            path
            for program in programs
            for path in (*program.tree_sources, *program.tree_includes, *program.tree_also)
        }

    def stop(self) -> None:
        """Make everything that is running end soon, and nothing new begin."""
        self.jobserver.stop()
        self.children.end_all()

    def close(self) -> None:
        """Let go of the host, the run folder and the token pool; nothing may be running any more."""
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

    def record_check(self, check: Check) -> None:
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
) -> Session:
    """Begin a run, or take up the last one if it was interrupted and has the very same plan.

    With `walk` it is a walk, with `bisect` a bisection, and its folder is among those.

    Raises:
        UsageError: if the series asks for tests that neither it nor the tree has.
        InfrastructureError: if the plan's host is not to be had.
    """
    suites: tuple[SuiteRecord, ...] = ()
    if walk is None or walk.boots:
        suites = _suites_in_tree(plan, checkouts, workspace.cache, progress.say)
    planned = planned_tests(suites)
    fact = _plan_fact(plan, checkouts, planned, command, walk, bisect)
    children = Children()
    host = _take_host(plan, workspace, progress, children)
    try:
        opened = _resume(workspace, fact, progress) or _begin(workspace, plan, fact)
    except BaseException:
        if host:
            host.give_back()
        raise
    journal = Journal(opened.run_dir)
    if opened.resumed:
        journal.append("resume")
    else:
        journal.append("plan", opened.fact)
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
        history=History(workspace.state),
        cells=opened.cells,
        checks=list(opened.checks),
        jobserver=Jobserver(plan.jobs),
        host=host,
        children=children,
    )


def finished_run(plan: Plan, checkouts: Checkouts, workspace: Workspace) -> Path | None:
    """The newest of the last runs that had the very same plan and came to its end.

    Raises:
        UsageError: as `open_session`.
    """
    suites = _suites_in_tree(plan, checkouts, workspace.cache, lambda line: None)
    wanted = _plan_fact(plan, checkouts, planned_tests(suites), (), None, None).digest
    for run_dir in _newest(workspace.runs):
        with suppress(JournalError):
            events = list(read_events(run_dir))
            if events and events[-1].name == "end" and read_plan(events).digest == wanted:
                return run_dir
    return None


def _newest(home: Path) -> Sequence[Path]:
    return sorted((path for path in home.glob("*") if path.is_dir()), reverse=True)[:RUNS_LOOKED_AT]


def _take_host(plan: Plan, workspace: Workspace, progress: Progress, children: Children) -> Keeper | None:
    if plan.host is None:
        return None
    memory = Memory(workspace.state, plan.host.name)
    keeper = Keeper(plan.host, memory, progress.say, lambda: children.stopping)
    keeper.take()
    return keeper


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run folder that is ours."""

    run_dir: Path
    lock: IO[str]
    fact: PlanFact
    cells: dict[tuple[str, str], Cell]
    checks: tuple[Check, ...]
    resumed: bool


def _begin(workspace: Workspace, plan: Plan, fact: PlanFact) -> _Opened:
    run_dir = workspace.new_run(plan.label, _home(workspace, fact))
    lock = claim(run_dir / LOCK)
    assert lock, "nobody else knows of a new run folder"
    return _Opened(run_dir, lock, replace(fact, id=run_dir.name), {}, (), resumed=False)


def _home(workspace: Workspace, fact: PlanFact) -> Path:
    if fact.bisect:
        return workspace.bisects
    return workspace.walks if fact.walk else workspace.runs


def _suites_in_tree(
    plan: Plan, checkouts: Checkouts, cache: Path, say: Callable[[str], None]
) -> tuple[SuiteRecord, ...]:
    """Suites whose sources exist with the series applied.

    Raises:
        UsageError: if the series' record asks for one that does not.
    """
    commit = checkouts.commit("series")
    present = []
    for suite in plan.suites:
        lacking = {
            name: program.tree_sources[0]
            for name, program in suite.programs_of_tree.items()
            if not path_hash(cache, commit, program.tree_sources[0])
        }
        if len(lacking) < len(suite.cases):
            present.append(suite.without(lacking))
        elif plan.tests_asked_for_by:
            raise UsageError(
                f"{plan.tests_asked_for_by} asks for the tests {suite.name}, "
                f"but neither the series nor the tree has {next(iter(lacking.values()))}",
                hint="Correct `tests:` in the series' record, or choose with --tests.",
            )
        else:
            say(f"{suite.name} is left out: the series does not bring {next(iter(lacking.values()))}")
            continue
        for name, source in lacking.items():
            say(f"{suite.name}.{name} is left out: the tree has no {source}")
    return tuple(present)


def _plan_fact(
    plan: Plan,
    checkouts: Checkouts,
    planned: tuple[PlannedTest, ...],
    command: Sequence[str],
    walk: WalkScope | None,
    bisect: BisectScope | None,
) -> PlanFact:
    decides = {
        "trees": checkouts.trees,
        "arches": [arch.model_dump() for arch in plan.arches],
        "bases": [plan.recipes[arch.name].base for arch in plan.arches],
        "symbols": [plan.recipes[arch.name].symbols for arch in plan.arches],
        "planned": [asdict(test) for test in planned],
        "allow": plan.allow_unexercised,
        "known failures": [asdict(entry) for entry in plan.known_failures],
        "always boot": plan.always_boot,
        **({"host": plan.host.model_dump()} if plan.host else {}),
        "harness": __version__,
        **({"walk": asdict(replace(walk, seed=0))} if walk else {}),
        **({"bisect": asdict(bisect)} if bisect else {}),
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
        known_failures=plan.known_failures,
        day=datetime.now(UTC).date().isoformat(),
        digest=digest(decides),
        walk=walk,
        bisect=bisect,
        origin=checkouts.origin,
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
    for run_dir in _newest(_home(workspace, fact)):
        if not _unfinished(run_dir, fact) or not (lock := claim(run_dir / LOCK)):
            continue
        if opened := _taken_up(run_dir, fact, lock):
            kind = "bisection" if fact.bisect else "walk" if fact.walk else "run"
            progress.say(f"going on with the interrupted {kind} {run_dir.name}")
            return opened
        lock.close()
    return None


def _taken_up(run_dir: Path, fact: PlanFact, lock: IO[str]) -> _Opened | None:
    """What a locked run has done; None if it came to its end just before, or can't be read."""
    events = _unfinished(run_dir, fact)
    try:
        plan = read_plan(events)
        cells = {(cell.arch, cell.variant): cell for cell in read_cells(plan, events, run_dir)}
        checks = tuple(decode(Check, event) for event in events if event.name == "check")
    except JournalError:
        return None
    return _Opened(run_dir, lock, plan, cells, checks, resumed=True)


def _unfinished(run_dir: Path, fact: PlanFact) -> list[Event]:
    """The events of a run that has this plan and did not come to its end; none of any other."""
    try:
        events = list(read_events(run_dir))
        if not events or events[-1].name == "end" or read_plan(events).digest != fact.digest:
            return []
    except JournalError:
        return []
    return events
