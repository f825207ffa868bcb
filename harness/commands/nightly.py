# SPDX-License-Identifier: GPL-2.0-only
"""A nightly run: a run if anything has changed, the changes of each test, and bisections of new failures.

The next call resumes an interrupted run or bisection.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.commands.bisect.bisect import BisectRequest, bisect
from harness.commands.cache.sharing import in_use
from harness.commands.reports import keep
from harness.commands.results_store import opened, store_address
from harness.commands.run import run
from harness.commands.study import check_disk
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.locks import claim
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.executor import Site, ThisMachine
from harness.engine.run_folder import LOCK as RUN_LOCK
from harness.engine.run_folder import finished_run
from harness.plan.derive.derive import complete
from harness.plan.plan import Plan
from harness.plan.prepare import prepare
from results.bisect.causes import new_causes
from results.files import read_plain
from results.journal.assemble import assemble
from results.model.document import ResultsError
from results.model.run import Run, Verdict
from results.store.folder import MOST_DOCUMENT_BYTES, read_document

SCHEMA = "thp-harness/nightly/1"
REPORT = "nightly.json"
LOCK = "nightly.lock"
NIGHTS = 60
"""Number of nights that are read to find changes."""


@dataclass(frozen=True, slots=True)
class NightRequest:
    """The options of a night."""

    plan: Plan
    force: bool = False
    """Run even if nothing has changed since the last complete run."""
    bisect_seconds: float = 0.0
    """Time limit of all bisections; the next night resumes an unfinished one."""
    keep_runs: int = 0
    """Number of run folders to keep; 0 for all. The store keeps the results of the others."""
    dashboard: Path | None = None
    """Directory in which the dashboard is regenerated."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """The result of a bisection of a new failure."""

    until: str
    arches: tuple[str, ...]
    words: str
    folder: str


@dataclass(frozen=True, slots=True)
class NightReport:
    """The report of a night: `nightly.json` in the run folder, without its `schema`."""

    run: str
    headline: str
    verdict: Verdict
    is_new: bool
    """False if nothing had changed, and the run is an earlier one."""
    news: tuple[str, ...]
    """Changes of tests since the night before, the most serious first."""
    still: tuple[str, ...]
    """Failures that were there before."""
    culprits: tuple[Culprit, ...]
    exit_code: int
    """That of the run; without a new run, that of the earlier one."""
    run_dir: str

    @property
    def lines(self) -> list[str]:
        """For people."""
        return [
            self.headline if self.is_new else f"Nothing new since {self.run}: {self.headline}",
            *(f"  new: {words}" for words in self.news),
            *(f"  still: {words}" for words in self.still),
            *(f"  {each.until}: {each.words} {each.folder}" for each in self.culprits),
            f"Run folder: {self.run_dir}",
        ]

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class _Night:
    """The values that all steps of a night share."""

    request: NightRequest
    workspace: Workspace
    progress: Progress
    command: Sequence[str]
    site: Site


class _TimeIsOverError(KeyboardInterrupt):
    """Ends a bisection as Ctrl-C does, so that it can be resumed."""


def nightly(
    request: NightRequest,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> NightReport:
    """Do what there is to do tonight; the run here or at another site, bisections here.

    Raises:
        InfrastructureError: if another night is at work, or the disk is full.
        HarnessError: what `run` raises.
    """
    workspace.create()
    night = _Night(request, workspace, progress, command, site or ThisMachine())
    with _alone(workspace):
        check_disk(workspace)
        earlier = None if request.force else _nothing_new(night)
        outcome, run_dir = (assemble(earlier), earlier) if earlier else _run(night)
        report = _report(outcome, run_dir, workspace, is_new=not earlier)
        report = replace(report, culprits=_culprits(night, outcome, run_dir))
        if report.culprits:
            keep(outcome, run_dir, workspace, progress.log)  # now with the patches that were found
        (run_dir / REPORT).write_text(json.dumps(report.as_document(), indent=2) + "\n", encoding="utf-8")
        _show(night)
        _let_go(night, run_dir)
        return report


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    lock = claim(workspace.state / LOCK)
    if not lock:
        raise InfrastructureError("another `thp-harness nightly` is running", hint="Wait for it, or stop it.")
    with lock:
        yield


def _nothing_new(night: _Night) -> Path | None:
    """The run that has done all this already."""
    plan, workspace, log = night.request.plan, night.workspace, night.progress.log
    with in_use(workspace.cache, log):
        checkouts = prepare(plan, workspace.cache, log)
        derived, checkouts = complete(plan, checkouts, workspace.cache, lambda line: None)
        found = finished_run(derived, checkouts, workspace)
    if not found:
        return None
    earlier = assemble(found)
    if earlier.verdict is Verdict.INFRASTRUCTURE:
        log(f"{found.name} has the same sources, but the machine failed: running again")
        return None
    tools, _ = night.site.find_tools(plan)
    if _compilers(earlier) - {each.compiler.version for each in tools.values()}:
        log(f"{found.name} has the same sources, but other compilers: running again")
        return None
    return found


def _compilers(run: Run) -> set[str]:
    return {cell.build.compiler for cell in run.cells if cell.build and cell.build.ok}


def _run(night: _Night) -> tuple[Run, Path]:
    outcome, run_dir = run(night.request.plan, night.workspace, night.progress, night.command, night.site)
    keep(outcome, run_dir, night.workspace, night.progress.log)
    return outcome, run_dir


def _report(run: Run, run_dir: Path, workspace: Workspace, *, is_new: bool) -> NightReport:
    """What is known of this night; without a store there is only the run."""
    news, still = _history(run, workspace)
    return NightReport(
        run=run.id,
        headline=run.headline,
        verdict=run.verdict,
        is_new=is_new,
        news=news if is_new else (),
        still=still,
        culprits=(),
        exit_code=run.exit_code,
        run_dir=str(run_dir),
    )


def _history(run: Run, workspace: Workspace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return new and continuing failures, if the store has this run as the last night."""
    from results.dashboard.history import read_history

    with suppress(HarnessError), opened(store_address(workspace)) as store:
        for line in read_history(store, NIGHTS).lines:
            same = (line.tree, line.series) == (run.subject.tree, run.subject.series)
            if same and line.last.name == run.id:
                return tuple(each.words for each in line.news), tuple(each.words for each in line.open)
    return (), ()


def _culprits(night: _Night, run: Run, run_dir: Path) -> tuple[Culprit, ...]:
    """Bisect new failures, except those that an earlier call has found."""
    found = _found_before(run_dir)
    if not night.request.bisect_seconds or len(run.subject.patches) < 2:
        return found
    known = {each.until for each in found}
    causes = new_causes(run, _run_before(run, night.workspace))
    wanted = {until: arches for until, arches in causes.items() if until not in known}
    try:
        with _time_limit(night.request.bisect_seconds):
            for until, arches in wanted.items():
                found = (*found, _bisect(night, until, arches))
    except _TimeIsOverError:
        night.progress.log("the time limit of the bisections is reached; the next night resumes them")
    return found


def _found_before(run_dir: Path) -> tuple[Culprit, ...]:
    with suppress(OSError, ValueError, TypeError, LookupError, RecursionError):
        document = json.loads(read_plain(run_dir / REPORT, MOST_DOCUMENT_BYTES, below=run_dir))
        return tuple(Culprit(**{**each, "arches": tuple(each["arches"])}) for each in document["culprits"])
    return ()


def _run_before(run: Run, workspace: Workspace) -> Run | None:
    """Return the last complete run of the same series on the same tree before this one."""
    for folder in sorted(workspace.runs.glob("*"), reverse=True):
        with suppress(OSError, ResultsError):
            other = read_document(Run, folder)
            same = (other.subject.tree, other.subject.series) == (run.subject.tree, run.subject.series)
            if same and other.complete and other.started < run.started:
                return other
    return None


def _bisect(night: _Night, until: str, arches: tuple[str, ...]) -> Culprit:
    plan = night.request.plan
    narrow = replace(plan, arches=tuple(arch for arch in plan.arches if arch.name in arches))
    try:
        outcome, folder = bisect(narrow, BisectRequest(until), night.workspace, night.progress, night.command)
    except HarnessError as error:
        return Culprit(until, arches, f"could not be bisected: {error}", "")
    keep(outcome, folder, night.workspace, night.progress.log)
    return Culprit(until, arches, outcome.headline, str(folder))


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TimeIsOverError when the time is over; works in the main thread only, which gets the signals."""

    def end(number: int, frame: Any) -> None:
        raise _TimeIsOverError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _show(night: _Night) -> None:
    """Build the dashboard; a failure is logged only."""
    from results.dashboard.site import SiteError, build_site

    if not night.request.dashboard:
        return
    try:
        with opened(store_address(night.workspace)) as store:
            build_site(store, night.request.dashboard, NIGHTS)
    except (HarnessError, SiteError) as error:
        night.progress.log(f"no dashboard: {error}")


def _let_go(night: _Night, current: Path) -> None:
    """Remove the folders of old runs that no process works on."""
    folders = sorted((path for path in night.workspace.runs.glob("*") if path.is_dir()), reverse=True)
    for folder in folders[night.request.keep_runs :] if night.request.keep_runs else ():
        lock = claim(folder / RUN_LOCK)
        if not lock or folder == current:
            continue
        with lock:
            shutil.rmtree(folder, ignore_errors=True)
        night.progress.log(f"removed {folder}: there are more than {night.request.keep_runs} runs")
