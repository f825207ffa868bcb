# SPDX-License-Identifier: GPL-2.0-only
"""Assembles a run from its folder: the facts of the journal, and the console logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from results.compare.compare import compare_arch
from results.compare.reached.judge import CountedArch, ReachedBoot, counted_tests, judge_reached
from results.compare.verdict import run_verdict
from results.console.report import read_report
from results.files import open_plain
from results.journal.journal import (
    PLAN,
    REACHED,
    VARIANTS,
    VERSION,
    BootFact,
    Event,
    JournalError,
    PlanFact,
    TwinFact,
    decode,
    folder_kind,
    is_complete,
    lacks_facts,
    read_events,
)
from results.model.reached import ReachedFact, ReachedRun
from results.model.run import ICOUNT, ArchComparison, Boot, Build, Capabilities, Cell, Claim, PlannedTest, Run
from results.splats.checkers import loss_notes, lost_evidence
from results.splats.find import find_splats
from results.splats.taint import unexplained_taints

T = TypeVar("T")
MOST_LOG_BYTES = 128 << 20
"""Of a console log: a boot ends with a quarter of it (`harness.machines.watch`)."""
LOST = "a damaged line of the journal may be about it; the same command does again what is lost"


def _tests_of(variant: str, planned: Sequence[PlannedTest]) -> Sequence[PlannedTest]:
    """Return the tests that the boots of a variant choose from."""
    return counted_tests(planned) if variant == REACHED else planned


def read_boot(fact: BootFact, planned: Sequence[PlannedTest], run_dir: Path) -> Boot:
    """Parse the console log of a boot: its tests, splats and capabilities.

    Raises:
        JournalError: if the log can't be read."""
    wanted = [test for test in _tests_of(fact.variant, planned) if test.name in fact.tests]
    try:
        file = open_plain(run_dir / fact.log, MOST_LOG_BYTES, below=run_dir)
    except OSError as error:
        raise JournalError(f"console log of boot {fact.id}: {error.strerror}: {fact.log}") from None
    with TextIOWrapper(file, "utf-8", "replace", newline="\n") as log:
        report = read_report(log, fact.nonce, wanted, fact.signals)
    splats = find_splats(report.kernel_lines)
    lost = lost_evidence(report.kernel_lines, splats)
    incomplete = "; ".join(filter(None, (report.log_incomplete, lost.messages_lost)))
    return Boot(
        id=fact.id,
        purpose=fact.purpose,
        machine=fact.machine,
        accelerator=fact.accelerator,
        end=fact.end,
        detail=fact.detail,
        seconds=fact.seconds,
        log=fact.log,
        command=fact.command,
        capabilities=_with_clock(report.capabilities, fact.accelerator),
        tests=report.tests,
        splats=splats + unexplained_taints(report.taint, report.tests, splats),
        notes=fact.notes + report.notes + loss_notes(lost.checkers_off, incomplete),
        taint=report.taint,
        checkers_off=lost.checkers_off,
        log_incomplete=incomplete,
    )


def _with_clock(found: Capabilities | None, accelerator: str) -> Capabilities | None:
    """Add what the guest can't know: whether its clock counts instructions."""
    if found is None or accelerator != ICOUNT:
        return found
    return replace(found, facts={**found.facts, ICOUNT: "1"})


def read_plan(events: Iterable[Event]) -> PlanFact:
    """Read the plan of a run, a walk or a bisection.

    Raises:
        JournalError: if the journal has none, or one of another version.
    """
    for event in events:
        if event.name == PLAN:
            plan = decode(PlanFact, event)
            if plan.version != VERSION:
                raise JournalError(
                    f"the run is of journal version {plan.version}, this program reads {VERSION}"
                )
            return replace(plan, kind=folder_kind([event]))
    raise JournalError("the journal has no plan: the run stopped before it began")


class CellFacts:
    """The builds and boots of each cell, as the facts of a journal add them."""

    def __init__(self) -> None:
        self._builds: dict[tuple[str, str], Build] = {}
        self._boots: dict[tuple[str, str], tuple[Boot, ...]] = {}
        self._twins: dict[tuple[str, str], str] = {}

    def add_build(self, build: Build) -> None:
        """Add a build, in place of an earlier one."""
        self._builds[build.arch, build.variant] = build

    def add_boot(self, fact: BootFact, boot: Boot) -> None:
        """Add a boot; a booted cell no longer shares another variant's boots."""
        key = (fact.arch, fact.variant)
        self._boots[key] = (*self._boots.get(key, ()), boot)
        self._twins.pop(key, None)

    def add_twin(self, fact: TwinFact) -> None:
        """Let a cell share the boots of another variant."""
        self._twins[fact.arch, fact.variant] = fact.twin

    def cell(self, arch: str, variant: str) -> Cell:
        """Return a cell with its own boots, or those of the variant whose image it has."""
        twin = self._twins.get((arch, variant), "")
        boots = self._boots.get((arch, twin or variant), ())
        return Cell(arch, variant, self._builds.get((arch, variant)), boots, twin)

    def cells(self, plan: PlanFact) -> tuple[Cell, ...]:
        """Return every cell of a plan; those of a bisection are what has been built."""
        variants = plan.variants or tuple(dict.fromkeys(variant for _, variant in self._builds))
        return tuple(self.cell(arch, variant) for arch in plan.arches for variant in variants)


def read_cells(plan: PlanFact, events: Iterable[Event], run_dir: Path) -> CellFacts:
    """Read what a journal says of each cell, and the console log of every boot.

    Raises:
        JournalError: if a fact or a console log can't be read.
    """
    facts = CellFacts()
    for event in events:
        if event.name == "build":
            facts.add_build(decode(Build, event))
        elif event.name == "boot":
            fact = decode(BootFact, event)
            facts.add_boot(fact, read_boot(fact, plan.planned, run_dir))
        elif event.name == "twin":
            facts.add_twin(decode(TwinFact, event))
    return facts


def same_image(cells: Iterable[Cell], image_sha256: str) -> Iterator[Cell]:
    """Yield the cells whose kernel is this image, in order."""
    for cell in cells:
        if cell.build and cell.build.ok and cell.build.image_sha256 == image_sha256:
            yield cell


Conclude = Callable[[PlanFact, Sequence[Event], Sequence[Cell]], T]
"""Makes the results of a folder from its plan, its events and its cells."""


def assemble_by(conclude: Conclude[T], folder: Path) -> T:
    """Read a folder and make its results.

    Raises:
        JournalError: if the folder is not of the kind that `conclude` is for, or of another version.
    """
    events = list(read_events(folder))
    plan = read_plan(events)
    return conclude_by(conclude, plan, events, read_cells(plan, events, folder))


def conclude_by(conclude: Conclude[T], plan: PlanFact, events: Sequence[Event], facts: CellFacts) -> T:
    """Make the results of a folder; no cell is judged if a fact is lost, for it may be about any of them."""
    cells = facts.cells(plan)
    if lacks_facts(events):
        cells = tuple(
            Cell(
                cell.arch,
                cell.variant,
                never_built(cell.arch, cell.variant, commit_of(plan, cell.variant), LOST),
            )
            for cell in cells
        )
    return conclude(plan, events, cells)


def commit_of(plan: PlanFact, variant: str) -> str:
    """Return the commit of base or series; empty for other variants."""
    commits = dict(zip(VARIANTS, (plan.subject.base_commit, plan.subject.series_commit), strict=True))
    return commits.get(variant, "")


def never_built(arch: str, variant: str, commit: str, why: str) -> Build:
    """Return a build of which nothing is known, through no fault of its kernel."""
    return Build(
        arch=arch,
        variant=variant,
        ok=False,
        key="",
        cached=False,
        seconds=0.0,
        commit=commit,
        compiler="",
        error=why,
        error_is_infrastructure=True,
    )


def assemble(run_dir: Path) -> Run:
    """Read a run's folder and judge it, as `assemble_by`."""
    return assemble_by(conclude_run, run_dir)


def head(plan: PlanFact, events: Sequence[Event]) -> dict[str, Any]:
    """Return the fields of `results.model.run.Head`."""
    return {
        "id": plan.id,
        "started": events[0].time.isoformat(timespec="seconds"),
        "seconds": (events[-1].time - events[0].time).total_seconds(),
        "harness": plan.harness,
        "host": plan.host,
        "command": plan.command,
        "subject": plan.subject,
        "planned": plan.planned,
    }


def conclude_run(plan: PlanFact, events: Sequence[Event], cells: Sequence[Cell]) -> Run:
    """Compare the cells of each architecture, and give the verdict."""
    arches = tuple(_compare(plan, cells, arch) for arch in plan.arches)
    complete = is_complete(events)
    reached = _reached(plan, events)
    verdict = run_verdict(arches, complete, reached)
    return Run(
        **head(plan, events),
        cells=tuple(cells),
        arches=arches,
        verdict=verdict.verdict,
        headline=verdict.headline,
        exit_code=verdict.exit_code,
        complete=complete,
        reached=reached,
    )


def _reached(plan: PlanFact, events: Iterable[Event]) -> ReachedRun | None:
    if plan.changed is None:
        return None
    counted = {arch: CountedArch(arch) for arch in plan.arches}
    for event in events:
        if event.name == "reached":
            fact = decode(ReachedFact, event)
            counted[fact.arch].facts[fact.boot] = fact
        elif event.name == "build" and event.fact.get("variant") == REACHED:
            build = decode(Build, event)
            counted[build.arch].build = build
        elif event.name == "boot" and event.fact.get("variant") == REACHED:
            boot = decode(BootFact, event)
            counted[boot.arch].boots.append(ReachedBoot(boot.log, boot.seconds))
    return judge_reached(plan.changed, plan.planned, tuple(counted.values()), plan.reached_percent)


def _compare(plan: PlanFact, cells: Sequence[Cell], arch: str) -> ArchComparison:
    base, series = (
        next(cell for cell in cells if (cell.arch, cell.variant) == (arch, variant)) for variant in VARIANTS
    )
    return compare_cells(plan, base, series, plan.claims)


def compare_cells(plan: PlanFact, base: Cell, other: Cell, claims: Iterable[Claim] = ()) -> ArchComparison:
    """Compare two cells of an architecture by the rules of a plan."""
    arch = base.arch
    gaps = tuple(gap for gap in plan.known_gaps if gap.arch == arch)
    failures = tuple(entry for entry in plan.known_failures if entry.arch == arch)
    allowed = arch in plan.allow_unexercised
    return compare_arch(
        arch,
        plan.planned,
        base,
        other,
        claims,
        allowed,
        gaps,
        failures,
        plan.day,
        plan.gone_tests,
        plan.new_tests,
    )
