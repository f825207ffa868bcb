# SPDX-License-Identifier: GPL-2.0-only
"""Assembles a rerun: the failure rate of each test, with its confidence interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType

from results.compare.tally import OneRun, Runs, boot_is_infrastructures, runs_of
from results.journal.assemble import read_boot
from results.journal.journal import (
    RERUN,
    BootFact,
    Event,
    JournalError,
    decode,
    is_complete,
    lacks_facts,
    read_events,
)
from results.model.document import FolderKind
from results.model.rerun import Rerun, RerunCell, RerunSplat, RerunTest, Spread
from results.model.run import Boot, Cell, PlannedTest
from results.reports.content.wording import count
from results.rerun.binomial import CONFIDENCE, estimate

VERSION = 1
ROUND = "round"
"""An event of a rerun's journal, which begins with RERUN; its boots are `boot`, as in a run."""
DAMAGED = "No result: a line of the journal is damaged; the same command does again what is lost."


@dataclass(frozen=True, slots=True)
class RerunSubject:
    """A kernel of a rerun."""

    arch: str
    variant: str
    image_sha256: str


@dataclass(frozen=True, slots=True)
class RerunFact:
    """The first fact of a rerun: its plan."""

    id: str
    harness: str
    run: str
    times: int
    subjects: tuple[RerunSubject, ...]
    planned: tuple[PlannedTest, ...]
    digest: str
    """Digest of everything that decides the outcome: a rerun with the same digest may be resumed."""
    version: int = VERSION
    kind: FolderKind = FolderKind.RERUN


@dataclass(frozen=True, slots=True)
class RoundFact:
    """A completed round of all tests; `boots` are the ids of its boots."""

    arch: str
    variant: str
    number: int
    boots: tuple[str, ...] = field(default=())


def read_fact(events: Sequence[Event]) -> RerunFact:
    """Read the plan of a rerun.

    Raises:
        JournalError: if the journal is not that of a rerun, or of another version.
    """
    for event in events:
        if event.name == RERUN:
            fact = decode(RerunFact, event)
            if fact.version != VERSION:
                raise JournalError(f"the rerun is of version {fact.version}, this program reads {VERSION}")
            return fact
    raise JournalError("the journal has no rerun")


def rounds_done(events: Sequence[Event]) -> list[RoundFact]:
    """Return the completed rounds, those of which all boots are known."""
    known = {str(event.fact.get("id")) for event in events if event.name == "boot"}
    rounds = [decode(RoundFact, event) for event in events if event.name == ROUND]
    return [done for done in rounds if known.issuperset(done.boots)]


def assemble_rerun(folder: Path, parsed: Mapping[str, Boot] = MappingProxyType({})) -> Rerun:
    """Read the folder of a rerun and make its results; incomplete rounds do not count.

    `parsed` has the boots whose console logs are parsed already, by id.

    Raises:
        JournalError: if the folder is none, or of another version.
    """
    events = list(read_events(folder))
    fact = read_fact(events)
    rounds = rounds_done(events)
    counted = {boot for done in rounds for boot in done.boots}
    # A round that was cut short is begun again, and then its boots have the same names.
    facts = {each.id: each for each in (decode(BootFact, event) for event in events if event.name == "boot")}
    boots = [
        parsed.get(each.id) or read_boot(each, fact.planned, folder)
        for each in facts.values()
        if each.id in counted
    ]
    damaged = lacks_facts(events)
    owners = {each.id: (each.arch, each.variant) for each in facts.values()}
    cells = []
    for subject in fact.subjects:
        key = (subject.arch, subject.variant)
        own = tuple(boot for boot in boots if owners[boot.id] == key)
        count = sum((done.arch, done.variant) == key for done in rounds)
        cells.append(_cell(subject, count, own, fact.planned))
    return Rerun(
        id=fact.id,
        started=events[0].time.isoformat(timespec="seconds"),
        seconds=(events[-1].time - events[0].time).total_seconds(),
        harness=fact.harness,
        run=fact.run,
        times=fact.times,
        confidence=CONFIDENCE,
        cells=tuple(cells),
        headline=DAMAGED if damaged else _headline(cells),
        exit_code=3 if damaged else _exit_code(cells),
        complete=is_complete(events),
    )


def _cell(
    subject: RerunSubject, rounds: int, boots: Sequence[Boot], planned: Sequence[PlannedTest]
) -> RerunCell:
    cell = Cell(subject.arch, subject.variant, boots=tuple(boots))
    counting = [boot for boot in boots if not boot_is_infrastructures(boot)]
    died = tuple(boot.id for boot in counting if boot.end.is_kernels)
    return RerunCell(
        arch=subject.arch,
        variant=subject.variant,
        image_sha256=subject.image_sha256,
        rounds=rounds,
        boots=len(counting),
        left_out=len(boots) - len(counting),
        died=died,
        dying=estimate(len(died), len(counting)) if counting else None,
        tests=tuple(_test(test.name, runs_of(test, cell)) for test in planned),
        splats=_splats(counting),
    )


def _test(name: str, runs: Runs) -> RerunTest:
    failed, passed = len(runs.failing), len(runs.passing)
    reasons = Counter(_reason(run) for run in (*runs.failing, *runs.unexercised))
    return RerunTest(
        name=name,
        passed=passed,
        failed=failed,
        other=len(runs.unexercised),
        left_out=len(runs.unjudged),
        failing=estimate(failed, failed + passed) if failed + passed else None,
        reasons=dict(reasons.most_common()),
        boots=tuple(run.boot.id for run in runs.failing),
        seconds=_spread(runs),
    )


def _reason(run: OneRun) -> str:
    return run.caveat or run.result.reason or str(run.result.status)


def _spread(runs: Runs) -> Spread | None:
    took = [run.result.seconds for run in (*runs.passing, *runs.failing) if run.result.seconds is not None]
    return Spread(min(took), median(took), max(took)) if took else None


def _splats(boots: Sequence[Boot]) -> tuple[RerunSplat, ...]:
    found = {splat.signature: splat for boot in reversed(boots) for splat in boot.splats}
    all_of = {boot.id: {splat.signature for splat in boot.splats} for boot in boots}
    seen = {signature: tuple(name for name in all_of if signature in all_of[name]) for signature in found}
    splats = (
        RerunSplat(signature, splat.title, seen[signature], estimate(len(seen[signature]), len(boots)), splat)
        for signature, splat in found.items()
    )
    return tuple(sorted(splats, key=lambda splat: (-splat.coming.seen, splat.signature)))


def _exit_code(cells: Sequence[RerunCell]) -> int:
    if any(cell.failed for cell in cells):
        return 1
    return 0 if cells and all(cell.judged for cell in cells) else 3


def _headline(cells: Sequence[RerunCell]) -> str:
    said = [_what_failed(cell) for cell in cells if cell.failed]
    if said:
        return "; ".join(said) + "."
    if silent := [f"{cell.arch}/{cell.variant}" for cell in cells if not cell.judged]:
        return f"No result for {' and '.join(silent)}."
    runs = sum(test.passed for cell in cells for test in cell.tests)
    return f"No failure in {sum(cell.rounds for cell in cells)} rounds, {runs} test runs."


def _what_failed(cell: RerunCell) -> str:
    tests = sum(bool(test.failed) for test in cell.tests)
    parts = (
        f"{tests} of {len(cell.tests)} tests failed at least once" if tests else "",
        f"the guest died in {len(cell.died)} of {cell.boots} boots" if cell.died else "",
        f"the kernel reported {count(len(cell.splats), 'kind')} of error" if cell.splats else "",
    )
    return f"{cell.arch}/{cell.variant}: " + ", ".join(filter(None, parts))
