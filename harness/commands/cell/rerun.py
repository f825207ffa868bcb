# SPDX-License-Identifier: GPL-2.0-only
"""Boots the cached kernels of a run many times, to measure how often each test fails.

A round runs every test once: mostly one boot for each kind of machine, and more where a guest dies before its
last test. Rounds run concurrently; each is recorded when it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness import __version__
from harness.build.build_cache import IMAGE, digest
from harness.commands.cell.cell import RecordedCell
from harness.commands.study import cache_in_use
from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.errors import UsageError
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.core.progress import Progress
from harness.core.version import program_version
from harness.core.workspace import Workspace
from harness.engine.boot import Bootable, BootRequest, boot
from harness.engine.durations import DurationHistory
from harness.engine.executor import emulators_here, hercules_missing
from harness.engine.next_boot import next_boot
from harness.engine.run_folder import boot_files, lock_folder
from harness.engine.schedule import Kind, Task, work_off
from harness.machines import emulator
from harness.machines.host.lease import HostLease, take_host
from harness.machines.kinds import MachineKind, host_kind, share_out
from results.journal.assemble import read_boot
from results.journal.journal import END, INTERRUPTED, RERUN, RESUME, BootFact, Journal
from results.model.document import FolderKind
from results.model.rerun import Rerun
from results.model.run import Boot, Cell, PlannedTest
from results.rerun.rerun import (
    ROUND,
    RerunFact,
    RerunSubject,
    RoundFact,
    assemble_rerun,
    rounds_done,
)


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """The options of a rerun."""

    cells: tuple[RecordedCell, ...]
    """Cells of one run."""
    times: int
    tests: tuple[PlannedTest, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel, and the machines on which its tests run."""

    past: RecordedCell
    bootable: Bootable
    shares: tuple[tuple[MachineKind, tuple[PlannedTest, ...]], ...]


@dataclass(slots=True)
class _Work:
    """The state that all rounds share."""

    folder: Path
    fact: RerunFact
    progress: Progress
    history: DurationHistory
    jobserver: Jobserver
    children: Children = field(default_factory=Children)
    boots: dict[str, Boot] = field(default_factory=dict)
    """Parsed boots by id."""
    recording: threading.Lock = field(default_factory=threading.Lock)

    def record(self, name: str, fact: object = None) -> None:
        """Record a fact."""
        files = boot_files(self.folder, fact) if isinstance(fact, BootFact) else ()
        with self.recording:
            Journal(self.folder).append(name, fact, files)

    def stop(self) -> None:
        """Make all running boots end soon."""
        self.jobserver.stop()
        self.children.end_all()


def rerun(request: RerunRequest, workspace: Workspace, progress: Progress) -> tuple[Rerun, Path]:
    """Boot the requested number of times, or resume an interrupted rerun; returns the outcome and the folder.

    Raises:
        UsageError: if there is no kernel to boot or no test to run.
        InfrastructureError: if a kernel or the test programs are missing.
    """
    if not request.tests:
        raise UsageError(f"{request.cells[0].plan.id} has no tests", hint="Name another run with --run.")
    children = Children()
    with (
        cache_in_use(workspace, progress, 0),
        _host(request, workspace, progress, children) as host,
    ):
        work = _rerun(request, workspace, progress, children, host)
    return assemble_rerun(work.folder, work.boots), work.folder


@contextmanager
def _host(
    request: RerunRequest, workspace: Workspace, progress: Progress, children: Children
) -> Iterator[HostLease | None]:
    """Reserve the physical host that booted the kernels of the run; None for emulators."""
    if not (name := request.cells[0].host):
        yield None
        return
    lease = take_host(find(HostRecord, name), workspace.state, progress.log, children)
    try:
        yield lease
    finally:
        lease.give_back()


def _rerun(
    request: RerunRequest,
    workspace: Workspace,
    progress: Progress,
    children: Children,
    host: HostLease | None,
) -> _Work:
    kernels = [
        _kernel(past, request.tests, workspace.cache, children, host) for past in _distinct(request, progress)
    ]
    fact = _fact(request, kernels)
    cells = "+".join(f"{subject.arch}-{subject.variant.replace('/', '-')}" for subject in fact.subjects)
    label = f"{fact.times}-times-{cells}"[:80]
    folder, lock, done = lock_folder(
        workspace, FolderKind.RERUN, fact.digest, label, progress, lambda _, events: rounds_done(events)
    )
    with lock:
        jobserver = Jobserver(request.jobs)
        work = _Work(folder, fact, progress, DurationHistory(workspace.state), jobserver, children)
        if done is None:
            work.record(RERUN, replace(fact, id=folder.name))
        else:
            work.record(RESUME)
        try:
            with progress:
                work_off(_tasks(work, kernels, done or ()), lambda: request.jobs, work.stop)
            work.record(END)
        except KeyboardInterrupt:
            work.record(INTERRUPTED)
            raise
        finally:
            jobserver.close()
    return work


def _distinct(request: RerunRequest, progress: Progress) -> Iterator[RecordedCell]:
    """Yield the cells with different images."""
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
        "harness": program_version(),
    }
    return RerunFact("", __version__, run, request.times, subjects, request.tests, digest(decides))


def _tasks(work: _Work, kernels: Sequence[_Kernel], rounds: Sequence[RoundFact]) -> list[Task]:
    """Return the rounds that are not recorded yet."""
    done = {(each.arch, each.variant, each.number) for each in rounds}
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
    """Run every test once; a failure is not repeated, since the next round does that."""
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
    seen = read_boot(fact, work.fact.planned, work.folder)
    work.boots[fact.id] = seen
    return seen
