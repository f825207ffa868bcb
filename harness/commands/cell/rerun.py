# SPDX-License-Identifier: GPL-2.0-only
"""Boots the cached kernels of a run many times with its tests, to learn how often each fails.

A round is one turn of every test: mostly one boot for each kind of machine, and more of them where a
guest dies before its last test. Rounds run side by side, and each is a fact when it is over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness import __version__
from harness.build.build_cache import IMAGE, digest
from harness.commands.cache.sharing import in_use
from harness.commands.cell.cell import RecordedCell
from harness.commands.reports import write_rerun_report
from harness.commands.run import check_disk
from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.errors import UsageError
from harness.core.jobserver import Jobserver
from harness.core.locks import claim
from harness.core.process import Children
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.boot import Bootable, BootRequest, boot
from harness.engine.durations import DurationHistory
from harness.engine.executor import emulators_here, hercules_missing
from harness.engine.next_boot import next_boot
from harness.engine.run_folder import LOCK
from harness.engine.schedule import Kind, Task, work_off
from harness.machines import emulator
from harness.machines.host.lease import HostLease, take_host
from harness.machines.kinds import MachineKind, host_kind, share_out
from results.journal.assemble import read_boot
from results.journal.journal import Journal, JournalError, read_events
from results.model.rerun import Rerun
from results.model.run import Boot, Cell, PlannedTest
from results.rerun.rerun import (
    BEGIN,
    ROUND,
    RerunFact,
    RerunSubject,
    RoundFact,
    assemble_rerun,
    read_fact,
    rounds_done,
)

RERUNS_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """What is asked for."""

    cells: tuple[RecordedCell, ...]
    """Of one run."""
    times: int
    tests: tuple[PlannedTest, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel that is booted, and where each of its tests runs."""

    past: RecordedCell
    bootable: Bootable
    shares: tuple[tuple[MachineKind, tuple[PlannedTest, ...]], ...]


@dataclass(slots=True)
class _Work:
    """What all rounds share."""

    folder: Path
    fact: RerunFact
    progress: Progress
    history: DurationHistory
    jobserver: Jobserver
    children: Children = field(default_factory=Children)
    recording: threading.Lock = field(default_factory=threading.Lock)

    def record(self, name: str, fact: object = None) -> None:
        """Keep a fact."""
        with self.recording:
            Journal(self.folder).append(name, fact)

    def stop(self) -> None:
        """Make everything that is running end soon."""
        self.jobserver.stop()
        self.children.end_all()


def rerun(request: RerunRequest, workspace: Workspace, progress: Progress) -> tuple[Rerun, Path]:
    """Boot as often as asked, or go on where that was interrupted; returns the outcome and the folder.

    Raises:
        UsageError: if there is nothing to boot or to run.
        InfrastructureError: if a kernel or the test programs are gone.
    """
    if not request.tests:
        raise UsageError(f"{request.cells[0].plan.id} has no tests", hint="Name another run with --run.")
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, in_cache=0)
        folder = _rerun(request, workspace, progress)
    outcome = assemble_rerun(folder)
    write_rerun_report(outcome, folder)
    return outcome, folder


def _rerun(request: RerunRequest, workspace: Workspace, progress: Progress) -> Path:
    children = Children()
    with _host(request, workspace, progress, children) as host:
        return _rerun_there(request, workspace, progress, children, host)


@contextmanager
def _host(
    request: RerunRequest, workspace: Workspace, progress: Progress, children: Children
) -> Iterator[HostLease | None]:
    """The physical host that the run's kernels were booted on, kept for us; None for emulators."""
    if not (name := request.cells[0].host):
        yield None
        return
    keeper = take_host(find(HostRecord, name), workspace.state, progress.log, children)
    try:
        yield keeper
    finally:
        keeper.give_back()


def _rerun_there(
    request: RerunRequest,
    workspace: Workspace,
    progress: Progress,
    children: Children,
    host: HostLease | None,
) -> Path:
    kernels = [
        _kernel(past, request.tests, workspace.cache, children, host) for past in _distinct(request, progress)
    ]
    with _opened(_fact(request, kernels), workspace, progress) as (folder, fact):
        jobserver = Jobserver(request.jobs)
        work = _Work(folder, fact, progress, DurationHistory(workspace.state), jobserver, children)
        try:
            with progress:
                work_off(_tasks(work, kernels), lambda: request.jobs, work.stop)
            work.record("end")
        except KeyboardInterrupt:
            work.record("interrupted")
            raise
        finally:
            jobserver.close()
    return folder


def _distinct(request: RerunRequest, progress: Progress) -> Iterator[RecordedCell]:
    """Kernels that are not the same bytes as one before."""
    seen: dict[str, str] = {}
    for past in request.cells:
        past.require_built()
        first = seen.setdefault(past.build.image_sha256, past.label)
        if first == past.label:
            yield past
        else:
            progress.log(f"{past.label}: the same image as {first}, booted once")


def _kernel(
    past: RecordedCell, tests: Sequence[PlannedTest], cache: Path, children: Children, host: HostLease | None
) -> _Kernel:
    arch = past.arch
    version = "" if host else emulator.require(arch.qemu)
    bootable = Bootable(arch, past.kernel(cache) / IMAGE, past.programs())
    if host:
        kinds: tuple[MachineKind, ...] = (host_kind(host),)
    else:
        kinds = emulators_here(bootable, version, hercules_missing(arch), cache, children)
    return _Kernel(past, bootable, share_out(tests, kinds))


def _fact(request: RerunRequest, kernels: Sequence[_Kernel]) -> RerunFact:
    subjects = tuple(
        RerunSubject(kernel.past.cell.arch, kernel.past.cell.variant, kernel.past.build.image_sha256)
        for kernel in kernels
    )
    run = request.cells[0].plan.id
    decides = {
        "run": run,
        "times": request.times,
        "subjects": [asdict(subject) for subject in subjects],
        "planned": [asdict(test) for test in request.tests],
        "harness": __version__,
    }
    return RerunFact("", __version__, run, request.times, subjects, request.tests, digest(decides))


@contextmanager
def _opened(fact: RerunFact, workspace: Workspace, progress: Progress) -> Iterator[tuple[Path, RerunFact]]:
    """A new folder, or that of the same rerun if it was interrupted; nobody else's meanwhile."""
    for folder in sorted(workspace.reruns.glob("*"), reverse=True)[:RERUNS_LOOKED_AT]:
        if not _is_unfinished(folder, fact) or not (lock := claim(folder / LOCK)):
            continue
        with lock:
            if _is_unfinished(folder, fact):
                progress.log(f"going on with the interrupted rerun {folder.name}")
                Journal(folder).append("resume")
                yield folder, fact
                return
    cells = "+".join(f"{subject.arch}-{subject.variant.replace('/', '-')}" for subject in fact.subjects)
    folder = workspace.new_run(f"{fact.times}-times-{cells}"[:80], workspace.reruns)
    lock = claim(folder / LOCK)
    assert lock, "nobody else knows of a new folder"
    with lock:
        fact = replace(fact, id=folder.name)
        Journal(folder).append(BEGIN, fact)
        yield folder, fact


def _is_unfinished(folder: Path, fact: RerunFact) -> bool:
    with suppress(JournalError):
        events = list(read_events(folder))
        return bool(events) and events[-1].name != "end" and read_fact(events).digest == fact.digest
    return False


def _tasks(work: _Work, kernels: Sequence[_Kernel]) -> list[Task]:
    """The rounds that are not done yet."""
    done = {(each.arch, each.variant, each.number) for each in rounds_done(list(read_events(work.folder)))}
    tasks = []
    for kernel in kernels:
        cell = kernel.past.cell
        work.progress.await_turn(kernel.past.label)
        for number in range(1, work.fact.times + 1):
            if (cell.arch, cell.variant, number) not in done:
                tasks.append(_round_task(work, kernel, number))
    return tasks


def _round_task(work: _Work, kernel: _Kernel, number: int) -> Task:
    def action() -> Sequence[Task]:
        _round(work, kernel, number)
        return []

    return Task(kernel.past.cell.arch, Kind.BOOT, -number, action)


def _round(work: _Work, kernel: _Kernel, number: int) -> None:
    """Let every test have one turn; a failure is not booted again, for the next round will do that."""
    subject = kernel.past.cell
    boots: list[Boot] = []
    for kind, tests in kernel.shares:
        cell = Cell(subject.arch, subject.variant)
        while (wanted := next_boot(tests, cell)) and wanted.purpose != "again":
            name = f"{kernel.past.file_name}-{number}-{len(boots) + 1}"
            request = BootRequest(name, subject.variant, wanted.purpose, wanted.tests)
            boots.append(_boot_once(work, kernel, kind, request))
            cell = replace(cell, boots=(*cell.boots, boots[-1]))
    work.record(ROUND, RoundFact(subject.arch, subject.variant, number, tuple(boot.id for boot in boots)))


def _boot_once(work: _Work, kernel: _Kernel, kind: MachineKind, request: BootRequest) -> Boot:
    label, _, number = request.id.rpartition("-")
    what = f"round {label.rpartition('-')[2]} of {work.fact.times}, boot {number} on {kind.name}"
    expected = work.history.expect("boot", kernel.past.cell.arch)
    with (
        kind.alone,
        work.jobserver.hold(kind.cpus),
        work.progress.activity(f"{kernel.past.label}", what, expected.seconds) as doing,
    ):
        fact = boot(kernel.bootable, kind, request, work.folder, work.children)
        work.children.raise_if_stopping()
        doing.outcome = f"{fact.end}, {fact.detail}"
    (work.folder / "boots" / f"{request.id}.cpio").unlink(missing_ok=True)
    work.record("boot", fact)
    return read_boot(fact, work.fact.planned, work.folder)
