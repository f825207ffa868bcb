# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a run: a new one, or that of an earlier run of the same plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TypeVar

from harness.core.locks import claim
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.plan_fact import find_tests, plan_fact
from harness.plan.plan import Plan, claims, planned_tests
from harness.plan.prepare import Checkouts
from results.journal.assemble import CellFacts, read_cells, read_plan
from results.journal.journal import (
    JOURNAL,
    BootFact,
    Event,
    JournalError,
    PlanFact,
    damaged_lines,
    decode,
    is_complete,
    read_events,
)
from results.model.document import DOCUMENTS, FolderKind
from results.model.walk import RebuildCheck

T = TypeVar("T")
LOCK = ".lock"
UNREPORTED = ".unreported"
"""Marks a folder until its reports are written and its results are in the store."""
RUNS_LOOKED_AT = 20
"""Number of the newest folders in which a run of the same plan is searched."""


@dataclass(frozen=True, slots=True)
class OpenedFolder:
    """A run folder that is locked by this process."""

    run_dir: Path
    lock: IO[str]
    fact: PlanFact
    cells: CellFacts
    checks: tuple[RebuildCheck, ...]
    resumed: bool


def open_folder(plan: Plan, fact: PlanFact, workspace: Workspace, progress: Progress) -> OpenedFolder:
    """Make a new folder, or lock that of the last interrupted run of the same plan."""
    folder, lock, known = lock_folder(workspace, fact.kind, fact.digest, plan.label, progress, _read)
    if known is None:
        return OpenedFolder(folder, lock, replace(fact, id=folder.name), CellFacts(), (), resumed=False)
    return OpenedFolder(folder, lock, *known, resumed=True)


def _read(run_dir: Path, events: Sequence[Event]) -> tuple[PlanFact, CellFacts, tuple[RebuildCheck, ...]]:
    plan = read_plan(events)
    checks = tuple(decode(RebuildCheck, event) for event in events if event.name == "check")
    return plan, read_cells(plan, events, run_dir), checks


def finished_run(plan: Plan, checkouts: Checkouts, workspace: Workspace) -> Path | None:
    """Return the newest complete run of the same plan.

    Raises:
        UsageError: as `find_tests`.
    """
    suites = find_tests(plan, checkouts, workspace.cache, lambda line: None).suites
    wanted = plan_fact(plan, checkouts, planned_tests(suites, claims(plan.series)), ()).digest
    runs = _newest(workspace.runs)
    return next((run_dir for run_dir in runs if _events(run_dir, wanted, ended=True)), None)


def lock_folder(
    workspace: Workspace,
    kind: FolderKind,
    digest: str,
    label: str,
    progress: Progress,
    read: Callable[[Path, Sequence[Event]], T],
) -> tuple[Path, IO[str], T | None]:
    """Lock the folder of the last interrupted work with this digest, or make one named by `label`.

    Returns the folder, its lock, and what `read` returned for it: None for a new folder. A folder that
    `read` can't read (JournalError), or that another process has locked, is left alone.
    """
    home = workspace.home(kind)
    for folder in _newest(home):
        if not _events(folder, digest, ended=False) or not (lock := claim(folder / LOCK)):
            continue
        events = _events(folder, digest, ended=False)  # another process may have just completed it
        with suppress(JournalError):
            if events:
                known = read(folder, events)
                progress.log(f"resuming the interrupted {DOCUMENTS[kind].noun} {folder.name}")
                for number in damaged_lines(folder):
                    progress.log(f"{folder / JOURNAL}:{number}: damaged, does not count")
                (folder / UNREPORTED).touch()
                return folder, lock, known
        lock.close()
    folder = workspace.new_run(label, home)
    lock = claim(folder / LOCK)
    assert lock, "no other process knows of a new folder"
    (folder / UNREPORTED).touch()
    return folder, lock, None


def _events(run_dir: Path, digest: str, *, ended: bool) -> list[Event]:
    """Return the events of a folder with this digest that is complete and reported, or is not; else none."""
    with suppress(JournalError):
        events = list(read_events(run_dir))
        is_done = is_complete(events) and not (run_dir / UNREPORTED).exists()
        if events and is_done is ended and events[0].fact.get("digest") == digest:
            return events
    return []


def forget_unreported(folder: Path) -> None:
    """Let the same command begin new work: this folder is reported."""
    (folder / UNREPORTED).unlink(missing_ok=True)


def boot_files(run_dir: Path, fact: BootFact) -> tuple[Path, ...]:
    """Return the files that a boot leaves in its run folder."""
    return run_dir / fact.log, run_dir / "boots" / f"{fact.id}.cpio"


def _newest(home: Path) -> Sequence[Path]:
    return sorted((path for path in home.glob("*") if path.is_dir()), reverse=True)[:RUNS_LOOKED_AT]
