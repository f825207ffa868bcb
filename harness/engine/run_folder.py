# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a run: a new one, or that of the same plan, interrupted or come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from harness.core.locks import claim
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.plan_fact import plan_fact, suites_in_tree
from harness.plan.plan import Plan, planned_tests
from harness.plan.prepare import Checkouts
from results.journal.assemble import read_cells, read_plan
from results.journal.journal import Event, JournalError, PlanFact, decode, read_events
from results.model.run import Cell
from results.model.walk import RebuildCheck

LOCK = ".lock"
RUNS_LOOKED_AT = 20
"""A run with the same plan is looked for among so many of the newest ones."""


@dataclass(frozen=True, slots=True)
class OpenedFolder:
    """A run folder that is ours."""

    run_dir: Path
    lock: IO[str]
    fact: PlanFact
    cells: dict[tuple[str, str], Cell]
    checks: tuple[RebuildCheck, ...]
    resumed: bool


def open_folder(plan: Plan, fact: PlanFact, workspace: Workspace, progress: Progress) -> OpenedFolder:
    """Begin a run, or take up the last one if it was interrupted and has the very same plan."""
    return _resume(workspace, fact, progress) or _begin(workspace, plan, fact)


def finished_run(plan: Plan, checkouts: Checkouts, workspace: Workspace) -> Path | None:
    """The newest of the last runs that had the very same plan and came to its end.

    Raises:
        UsageError: as `suites_in_tree`.
    """
    suites = suites_in_tree(plan, checkouts, workspace.cache, lambda line: None)
    wanted = plan_fact(plan, checkouts, planned_tests(suites), (), None, None).digest
    runs = _newest(workspace.runs)
    return next((run_dir for run_dir in runs if _events(run_dir, wanted, ended=True)), None)


def _begin(workspace: Workspace, plan: Plan, fact: PlanFact) -> OpenedFolder:
    run_dir = workspace.new_run(plan.label, _home(workspace, fact))
    lock = claim(run_dir / LOCK)
    assert lock, "nobody else knows of a new run folder"
    return OpenedFolder(run_dir, lock, replace(fact, id=run_dir.name), {}, (), resumed=False)


def _home(workspace: Workspace, fact: PlanFact) -> Path:
    if fact.bisect:
        return workspace.bisects
    return workspace.walks if fact.walk else workspace.runs


def _resume(workspace: Workspace, fact: PlanFact, progress: Progress) -> OpenedFolder | None:
    """The newest run with the same plan that did not come to its end and that nobody works on."""
    for run_dir in _newest(_home(workspace, fact)):
        if not _events(run_dir, fact.digest, ended=False) or not (lock := claim(run_dir / LOCK)):
            continue
        if opened := _taken_up(run_dir, fact, lock):
            kind = "bisection" if fact.bisect else "walk" if fact.walk else "run"
            progress.log(f"going on with the interrupted {kind} {run_dir.name}")
            return opened
        lock.close()
    return None


def _taken_up(run_dir: Path, fact: PlanFact, lock: IO[str]) -> OpenedFolder | None:
    """What a locked run has done; None if it came to its end just before, or can't be read."""
    events = _events(run_dir, fact.digest, ended=False)
    try:
        plan = read_plan(events)
        cells = {(cell.arch, cell.variant): cell for cell in read_cells(plan, events, run_dir)}
        checks = tuple(decode(RebuildCheck, event) for event in events if event.name == "check")
    except JournalError:
        return None
    return OpenedFolder(run_dir, lock, plan, cells, checks, resumed=True)


def _events(run_dir: Path, digest: str, *, ended: bool) -> list[Event]:
    """The events of a run that has this plan, and came to its end or did not; none of any other."""
    with suppress(JournalError):
        events = list(read_events(run_dir))
        if events and (events[-1].name == "end") is ended and read_plan(events).digest == digest:
            return events
    return []


def _newest(home: Path) -> Sequence[Path]:
    return sorted((path for path in home.glob("*") if path.is_dir()), reverse=True)[:RUNS_LOOKED_AT]
