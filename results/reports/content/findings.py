# SPDX-License-Identifier: GPL-2.0-only
"""What a report must tell of a run: what went wrong, worst first, and what was not tested, by reason."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from results.compare.verdict import GAPS
from results.model.run import (
    SEVERITY,
    ArchComparison,
    Cell,
    LineRange,
    Run,
    SplatComparison,
    Status,
    Tally,
    TestComparison,
    Verdict,
)
from results.reports.content import excerpt, lookup, wording
from results.reports.content.excerpt import NumberedLines

MOST_REASON = 600
"""Characters of a reason that a report shows."""
Said = TypeVar("Said", bound=Hashable)
BAD = (Verdict.REGRESSION, Verdict.INFRASTRUCTURE, Verdict.FLAKY, Verdict.FAILS_ON_BOTH)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong."""

    arch: str
    verdict: Verdict
    what: str
    """`pmd_split.mremap`, `build of series`, `splat: TITLE`, …"""
    reason: str
    log: str = ""
    """Where to read it, relative to the run folder; empty if nowhere."""
    lines: LineRange | None = None
    """None of a log means its end."""
    excused: str = ""
    """Why it has no part in the verdict: a known failure's reason."""

    @property
    def place(self) -> str:
        """Where to read it, in words."""
        return wording.place(self.log, self.lines) if self.log else ""

    def quote(self, run_dir: Path, most: int) -> NumberedLines:
        """Read at most `most` lines that show it."""
        if self.lines:
            return excerpt.read_lines(run_dir, self.log, self.lines, most) or ()
        return (excerpt.read_tail(run_dir, self.log, most) if self.log else ()) or ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Tests that say nothing on an architecture, all for the same reason."""

    arch: str
    verdict: Verdict
    reason: str
    known: str
    """Why this is no news, if it is none."""
    tests: tuple[str, ...]


def troubles(run: Run) -> list[Trouble]:
    """Everything that went wrong, worst first, then by architecture."""
    found = [trouble for arch in run.arches for trouble in _of_arch(run, arch)]
    return sorted(found, key=lambda trouble: (bool(trouble.excused), -SEVERITY[trouble.verdict]))


def gap_lines(run: Run, verdict: Verdict) -> list[str]:
    """Say what was not tested: `SUITE.TEST, TEST on ARCH, ARCH: reason`.

    Known gaps are grouped by their reason, and architectures by their words.
    """
    tests: dict[tuple[str, str], list[str]] = {}
    for gap in gaps(run):
        if gap.verdict is verdict:
            words = f"known, {gap.known}" if gap.known else excerpt.cut_line(gap.reason, MOST_REASON)
            tests.setdefault((gap.arch, words), []).extend(gap.tests)
    same = grouped(((_by_suite(names), words), arch) for (arch, words), names in tests.items())
    return [f"{names} on {', '.join(arches)}: {words}" for (names, words), arches in same.items()]


def grouped(pairs: Iterable[tuple[Said, str]]) -> dict[Said, list[str]]:
    """Group names by their words, in order."""
    groups: dict[Said, list[str]] = {}
    for words, name in pairs:
        groups.setdefault(words, []).append(name)
    return groups


def _by_suite(names: Iterable[str]) -> str:
    """`pmd_split.mremap, munmap` for two tests of a suite."""
    suites = grouped((suite, case) for suite, _, case in (name.rpartition(".") for name in names))
    return "; ".join(f"{suite}.{', '.join(cases)}" for suite, cases in suites.items())


def gaps(run: Run) -> list[Gap]:
    """Everything that was not tested; tests of the same reason stand together."""
    groups: dict[tuple[str, Verdict, str, str], list[str]] = {}
    for arch in run.arches:
        allowed = "--allow-unexercised" if arch.allowed_unexercised else ""
        for test in arch.tests:
            if test.verdict in GAPS:
                known = test.known_gap or allowed
                groups.setdefault((arch.arch, test.verdict, test.reason, known), []).append(test.name)
    return [Gap(*key, tuple(tests)) for key, tests in groups.items()]


def _of_arch(run: Run, arch: ArchComparison) -> Iterator[Trouble]:
    found = [
        *(each for cell in run.cells if cell.arch == arch.arch for each in _of_cell(arch, cell)),
        *(_of_test(run, arch, test) for test in arch.tests if test.verdict in BAD),
        *(_of_splat(run, arch, splat) for splat in arch.splats if splat.verdict in BAD),
        *_of_numbers(run, arch),
        *(
            Trouble(arch.arch, claim.verdict, f"claim: {claim.claim.counter}", claim.reason)
            for claim in arch.claims
            if claim.verdict in BAD
        ),
        *(
            Trouble(arch.arch, Verdict.REGRESSION, "new warning", f"{each.file}:{each.line}: {each.text}")
            for each in arch.new_warnings
        ),
    ]
    yield from found
    if arch.verdict in BAD and not any(trouble.verdict is arch.verdict for trouble in found):
        yield Trouble(arch.arch, arch.verdict, arch.arch, "; ".join(arch.reasons[:1]))


def _of_cell(arch: ArchComparison, cell: Cell) -> Iterator[Trouble]:
    """A build that failed, and boots that did not come to their end, on the architecture's own account."""
    build = cell.build
    if build and not build.ok:
        verdict = Verdict.INFRASTRUCTURE if build.error_is_infrastructure else _blame(arch, cell)
        yield Trouble(arch.arch, verdict, f"build of {cell.variant}", build.error, build.log)
    for boot in () if cell.boots_of else cell.boots:
        if boot.end.is_kernels:
            what = f"boot {boot.id}: {boot.end}"
            yield Trouble(arch.arch, _blame(arch, cell), what, boot.detail, boot.log)


def _blame(arch: ArchComparison, cell: Cell) -> Verdict:
    """Judge the end of a kernel by the architecture's verdict, which considers base and repetitions."""
    if cell.variant == "series" and arch.verdict is Verdict.REGRESSION:
        return Verdict.REGRESSION
    return arch.verdict if arch.verdict in BAD[1:] else Verdict.FAILS_ON_BOTH


def _of_test(run: Run, arch: ArchComparison, test: TestComparison) -> Trouble:
    tally = _telling(test)
    boot = lookup.boot_of(run, tally.boot)
    said = tally.reason if tally.reason and tally.reason not in test.reason else ""
    reason = f"{test.reason}: {said}" if said else test.reason
    log = boot.log if boot else ""
    return Trouble(arch.arch, test.verdict, test.name, reason, log, tally.lines, test.known_failure)


def _telling(test: TestComparison) -> Tally:
    """The kernel on which it went wrong; the series, if on both."""
    well = (Status.PASS, Status.SKIP)
    return test.base if test.series.status in well and test.base.status not in well else test.series


def _of_splat(run: Run, arch: ArchComparison, splat: SplatComparison) -> Trouble:
    seen = lookup.sightings(run, splat)
    log, lines = (seen[-1][0].log, seen[-1][1].lines) if seen else ("", None)
    boots = len(splat.base_boots), len(splat.series_boots)
    where = f"in {wording.count(boots[0], 'boot')} of base, {boots[1]} with the series"
    which = where if boots[0] else f"only with the series, in {wording.count(boots[1], 'boot')}"
    return Trouble(arch.arch, splat.verdict, splat.title, which, log, lines)


def _of_numbers(run: Run, arch: ArchComparison) -> Iterator[Trouble]:
    """What a test measured, unless it is told of the test itself."""
    told = {test.name for test in arch.tests if test.verdict in BAD}
    tests = {test.name: test for test in arch.tests}
    for item in arch.measurements:
        if item.verdict in BAD and item.test not in told:
            test = tests.get(item.test)
            boot = lookup.boot_of(run, test.series.boot) if test else None
            lines = test.series.lines if test else None
            yield Trouble(arch.arch, item.verdict, item.test, item.reason, boot.log if boot else "", lines)
