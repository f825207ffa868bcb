# SPDX-License-Identifier: GPL-2.0-only
"""Puts a run together from its folder: the journal's facts and what the console logs say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from results.compare import compare
from results.console.report import read_report
from results.journal.journal import (
    VARIANTS,
    VERSION,
    BootFact,
    Event,
    JournalError,
    PlanFact,
    TwinFact,
    decode,
    read_events,
)
from results.model.run import ArchComparison, Boot, Build, Cell, Claim, PlannedTest, Run
from results.splats.checkers import loss_notes, lost_evidence
from results.splats.find import find_splats
from results.splats.taint import unexplained_taints


def read_boot(fact: BootFact, planned: Sequence[PlannedTest], run_dir: Path) -> Boot:
    """Read one boot's console log: its tests, splats and capabilities."""
    wanted = [test for test in planned if test.name in fact.tests]
    try:
        log = (run_dir / fact.log).open(encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise JournalError(f"console log of boot {fact.id}: {error.strerror}: {fact.log}") from None
    with log:
        report = read_report(log, fact.nonce, wanted)
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
        capabilities=report.capabilities,
        tests=report.tests,
        splats=splats + unexplained_taints(report.taint, report.tests, splats),
        notes=fact.notes + report.notes + loss_notes(lost.checkers_off, incomplete),
        taint=report.taint,
        checkers_off=lost.checkers_off,
        log_incomplete=incomplete,
    )


def read_plan(events: Iterable[Event]) -> PlanFact:
    """The plan of a run.

    Raises:
        JournalError: if the journal has none, or one of another version.
    """
    for event in events:
        if event.name == "plan":
            plan = decode(PlanFact, event)
            if plan.version != VERSION:
                raise JournalError(
                    f"the run is of journal version {plan.version}, this program reads {VERSION}"
                )
            return plan
    raise JournalError("the journal has no plan: the run stopped before it began")


def read_cells(plan: PlanFact, events: Sequence[Event], run_dir: Path) -> tuple[Cell, ...]:
    """Every cell of the plan with what is known of it so far."""
    builds: dict[tuple[str, str], Build] = {}
    boots: dict[tuple[str, str], list[Boot]] = {}
    twins: dict[tuple[str, str], str] = {}
    for event in events:
        if event.name == "build":
            build = decode(Build, event)
            builds[build.arch, build.variant] = build
        elif event.name == "boot":
            fact = decode(BootFact, event)
            boots.setdefault((fact.arch, fact.variant), []).append(read_boot(fact, plan.planned, run_dir))
            twins.pop((fact.arch, fact.variant), None)
        elif event.name == "twin":
            same = decode(TwinFact, event)
            twins[same.arch, same.variant] = same.twin

    def cell(arch: str, variant: str) -> Cell:
        twin = twins.get((arch, variant), "")
        own = tuple(boots.get((arch, twin or variant), ()))
        return Cell(arch, variant, builds.get((arch, variant)), own, twin)

    variants = plan.variants or tuple(dict.fromkeys(variant for _, variant in builds))
    return tuple(cell(arch, variant) for arch in plan.arches for variant in variants)


def assemble(run_dir: Path) -> Run:
    """Everything there is to say of a run.

    Raises:
        JournalError: if the folder is not a run, or of another version.
    """
    events = list(read_events(run_dir))
    plan = read_plan(events)
    return conclude(plan, events, read_cells(plan, events, run_dir))


def conclude(plan: PlanFact, events: Sequence[Event], cells: Sequence[Cell]) -> Run:
    """Compare the cells and give the verdict."""
    arches = tuple(_compare(plan, cells, arch) for arch in plan.arches)
    verdict = compare.run_verdict(arches)
    return Run(
        id=plan.id,
        started=events[0].time.isoformat(timespec="seconds"),
        seconds=(events[-1].time - events[0].time).total_seconds(),
        harness=plan.harness,
        host=plan.host,
        command=plan.command,
        subject=plan.subject,
        planned=plan.planned,
        cells=tuple(cells),
        arches=arches,
        verdict=verdict.verdict,
        headline=verdict.headline,
        exit_code=verdict.exit_code,
        complete=events[-1].name == "end",
    )


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
    return compare.compare_arch(arch, plan.planned, base, other, claims, allowed, gaps, failures, plan.day)
