"""The pipeline: sources, then for every architecture two builds and their boots, then the verdict.

Every step's outcome is a fact in the run's journal before the next step begins; what a folder
already knows is not done again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness import __version__
from harness.boot import Bootable, BootRequest, boot, choose_accelerator
from harness.build.cache import digest
from harness.build.kernel import KernelRequest, Workshop, build_kernel, requested_symbols
from harness.build.programs import GuestPrograms, build_programs
from harness.build.toolchain import Compiler, find_compiler
from harness.checkout.mirror import path_hash
from harness.checkout.worktree import worktree
from harness.config import ArchRecord, SuiteRecord
from harness.errors import HarnessError, InfrastructureError, UsageError
from harness.history import History
from harness.machine import qemu
from harness.next_boot import next_boot
from harness.plan import Plan, claims, planned_tests
from harness.prepare import Checkouts, prepare
from harness.progress import Progress
from harness.workspace import Workspace
from results.assemble import VARIANTS, assemble, read_boot, read_cells, read_plan
from results.journal import BootFact, Journal, JournalError, PlanFact, read_events
from results.model import Boot, Build, Capabilities, Cell, PlannedTest, Run

DISK_FREE_BYTES = 3 << 30
"""Two kernels' objects and a worktree fit into this."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What one architecture is built and booted with."""

    compiler: Compiler
    qemu_version: str


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
    journal: Journal
    history: History
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def sources(self, variant: str) -> AbstractContextManager[Path]:
        """The worktree of a variant, locked while it is used."""
        name = f"{self.plan.tree.name}-{variant}"
        return worktree(self.workspace.cache, name, self.checkouts.commit(variant), self.progress.say)


def run(plan: Plan, workspace: Workspace, progress: Progress, command: Sequence[str]) -> tuple[Run, Path]:
    """Do everything that a plan asks for; returns the run and its folder.

    A build that fails or a guest that dies is part of the result.

    Raises:
        HarnessError: if there is nothing to be said of any architecture (no tools, no tree, …).
    """
    workspace.create()
    _check_disk(workspace)
    tools, lacking = _find_tools(plan.arches)
    checkouts = prepare(plan, workspace.cache, progress.say)
    session = _open_session(plan, workspace, progress, checkouts, command)
    try:
        for arch in plan.arches:
            if arch.name in tools:
                _run_arch(session, arch, tools[arch.name])
            else:
                _give_up(session, arch, lacking[arch.name])
    except KeyboardInterrupt:
        session.journal.append("interrupted")
        raise
    except OSError as error:
        raise _as_infrastructure(error) from None
    session.journal.append("end")
    return assemble(session.run_dir), session.run_dir


def _as_infrastructure(error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"{error.filename or 'a file of the run'}: {error.strerror}",
        hint="Make room, then run the same command again: it goes on where it stopped.",
    )


def _check_disk(workspace: Workspace) -> None:
    for folder in (workspace.cache, workspace.state):
        free = shutil.disk_usage(folder).free
        if free < DISK_FREE_BYTES:
            raise InfrastructureError(
                f"{folder} has {free >> 20} MiB left; at least {DISK_FREE_BYTES >> 20} MiB are needed",
                hint="Make room there, or choose another folder with XDG_CACHE_HOME or XDG_STATE_HOME.",
            )


def _find_tools(arches: Sequence[ArchRecord]) -> tuple[Mapping[str, Tools], Mapping[str, UsageError]]:
    """Tools by architecture, and what is wrong with the others.

    Raises:
        UsageError: if no architecture has its tools.
    """
    tools: dict[str, Tools] = {}
    lacking: dict[str, UsageError] = {}
    for arch in arches:
        try:
            tools[arch.name] = Tools(find_compiler(arch), qemu.require(arch.qemu))
        except UsageError as error:
            lacking[arch.name] = error
    if not tools:
        raise next(iter(lacking.values()))
    return tools, lacking


def _open_session(
    plan: Plan, workspace: Workspace, progress: Progress, checkouts: Checkouts, command: Sequence[str]
) -> Session:
    suites = _suites_in_tree(plan, checkouts, workspace.cache, progress.say)
    planned = planned_tests(suites)
    fact = _plan_fact(plan, checkouts, planned, command)
    run_dir, cells = _resume(workspace, fact, progress) or (workspace.new_run(plan.label), {})
    journal = Journal(run_dir)
    if cells:
        journal.append("resume")
    else:
        journal.append("plan", replace(fact, id=run_dir.name))
    return Session(
        plan=plan,
        workspace=workspace,
        progress=progress,
        checkouts=checkouts,
        planned=planned,
        suites=suites,
        run_dir=run_dir,
        journal=journal,
        history=History(workspace.state),
        cells=cells,
    )


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
        "symbols": [requested_symbols(arch) for arch in plan.arches],
        "planned": [asdict(test) for test in planned],
        "allow": plan.allow_unexercised,
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
        allow_unexercised=plan.allow_unexercised,
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


def _resume(
    workspace: Workspace, fact: PlanFact, progress: Progress
) -> tuple[Path, dict[tuple[str, str], Cell]] | None:
    """The newest run, if it has the same plan and did not come to its end."""
    runs = sorted(path for path in workspace.runs.glob("*") if path.is_dir())
    if not runs:
        return None
    try:
        events = list(read_events(runs[-1]))
        earlier = read_plan(events)
        if earlier.digest != fact.digest or events[-1].name == "end":
            return None
        cells = {(cell.arch, cell.variant): cell for cell in read_cells(earlier, events, runs[-1])}
    except JournalError:
        return None
    progress.say(f"going on with the interrupted run {runs[-1].name}")
    return runs[-1], cells


def _give_up(session: Session, arch: ArchRecord, reason: UsageError) -> None:
    """Record that an architecture can't be built here; the others go on."""
    session.progress.say(f"{arch.name}: {reason} ({reason.hint})")
    for variant in VARIANTS:
        _record_build(session, _unbuilt(session, arch, variant, f"{reason}; {reason.hint}"))


def _unbuilt(session: Session, arch: ArchRecord, variant: str, reason: str) -> Build:
    return Build(
        arch=arch.name,
        variant=variant,
        ok=False,
        key="",
        cached=False,
        seconds=0.0,
        commit=session.checkouts.commit(variant),
        compiler="",
        error=reason,
        error_is_infrastructure=True,
    )


def _run_arch(session: Session, arch: ArchRecord, tools: Tools) -> None:
    kernels = {variant: _build_cell(session, arch, variant, tools) for variant in VARIANTS}
    if not any(kernels.values()):
        return
    try:
        programs = _build_programs(session, tools)
    except HarnessError as error:
        session.progress.say(f"{arch.name}: {error}")
        for variant in VARIANTS:
            _record_build(session, _unbuilt(session, arch, variant, str(error)))
        return
    for variant, kernel in kernels.items():
        if kernel:
            bootable = Bootable(arch, kernel / "image", programs.initramfs)
            _boot_cell(session, bootable, variant, tools)


def _build_programs(session: Session, tools: Tools) -> GuestPrograms:
    cache = session.workspace.cache
    tools_id = path_hash(cache, session.checkouts.commit("series"), "tools") or ""
    return build_programs(tools.compiler, session.suites, lambda: session.sources("series"), tools_id, cache)


def _build_cell(session: Session, arch: ArchRecord, variant: str, tools: Tools) -> Path | None:
    """Build one kernel and record it; returns the folder of its files."""
    log = session.run_dir / "logs" / f"{arch.name}-{variant}-build.log"
    request = KernelRequest(
        arch=arch,
        variant=variant,
        commit=session.checkouts.commit(variant),
        tree=session.checkouts.trees[variant],
        compiler=tools.compiler,
        jobs=session.plan.jobs,
    )
    expected = session.history.expect("build", arch.name)
    title = f"{arch.name} {variant}: build"
    with session.progress.activity(title, expected.seconds, expected.steps) as doing:
        shop = Workshop(
            cache=session.workspace.cache,
            log=log,
            say=session.progress.say,
            step=doing.step,
            sources=lambda: session.sources(variant),
        )
        build, kernel = build_kernel(request, shop)
        doing.outcome = _build_outcome(build)
    if build.ok and not build.cached:
        session.history.learn("build", arch.name, build.seconds, doing.steps)
    if log.exists():
        build = replace(build, log=str(log.relative_to(session.run_dir)))
    _record_build(session, build)
    return kernel


def _build_outcome(build: Build) -> str:
    if not build.ok:
        return "FAILED: " + build.error.splitlines()[0] if build.error else "FAILED"
    return "from the cache" if build.cached else "done"


def _record_build(session: Session, build: Build) -> None:
    session.journal.append("build", build)
    known = session.cells.get((build.arch, build.variant), Cell(build.arch, build.variant))
    session.cells[build.arch, build.variant] = replace(known, build=build)


def _boot_cell(session: Session, bootable: Bootable, variant: str, tools: Tools) -> None:
    """Boot a cell until there is nothing more to learn of it."""
    arch = bootable.arch.name
    accelerator = choose_accelerator(bootable, tools.qemu_version, session.workspace.cache)
    while wanted := next_boot(session.planned, session.cells[arch, variant]):
        number = len(session.cells[arch, variant].boots) + 1
        request = BootRequest(f"{arch}-{variant}-{number}", variant, wanted.purpose, wanted.tests)
        expected = session.history.expect("boot", arch)
        title = f"{arch} {variant}: boot {number}, {len(wanted.tests)} tests ({wanted.purpose})"
        with session.progress.activity(title, expected.seconds) as doing:
            fact = boot(bootable, accelerator, request, session.run_dir)
            doing.outcome = f"{fact.end}, {fact.detail}"
        seen = _record_boot(session, fact)
        if wanted.purpose == "first" and seen.capabilities:
            session.history.learn("boot", arch, fact.seconds)
            session.history.learn_machine(arch, _huge_pages(seen.capabilities, fact))


def _record_boot(session: Session, fact: BootFact) -> Boot:
    session.journal.append("boot", fact)
    seen = read_boot(fact, session.planned, session.run_dir)
    cell = session.cells[fact.arch, fact.variant]
    session.cells[fact.arch, fact.variant] = replace(cell, boots=(*cell.boots, seen))
    return seen


def _huge_pages(found: Capabilities, fact: BootFact) -> str:
    where = f"on {fact.machine} ({fact.accelerator})"
    if found.thp and found.pmd_size:
        return f"{found.pmd_size >> 20} MiB {where}"
    return f"none {where}: {found.missing(('thp',))}"


def command_for_people(arguments: Sequence[str] = tuple(sys.argv)) -> tuple[str, ...]:
    """The command line as it was typed, without the program's path."""
    return ("thp-harness", *arguments[1:])
