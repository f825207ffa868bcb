# SPDX-License-Identifier: GPL-2.0-only
"""Base against series: the rules of an honest verdict (docs/architecture.md).

- A PASS without its evidence is not exercised, and not exercised is never green.
- The infrastructure's faults never count against the kernel.
- A regression is what base passes, exercised, and the series fails every time, at least twice;
  or a splat that only the series has, every time, at least twice; or a compiler warning or a broken
  claim that only the series has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from results.compare.bringup import compare_boots, compare_builds, compare_warnings, new_warnings
from results.compare.claims.judge import Measured, compare_claims
from results.compare.judge import judge_runs
from results.compare.known import entry_notes, excuse, gap_of
from results.compare.leaves import compare_leaves
from results.compare.measures.registry import compare_measures, measured_reason, telling
from results.compare.reason import VERBS, Reason, idle_reason, named
from results.compare.roll_up import roll_up
from results.compare.splats import compare_splats, lost_evidence_reasons, splat_reasons
from results.compare.tally import boots_for, is_infrastructure, runs_of, tally
from results.compare.verdict import is_exercised, most_serious
from results.model.run import (
    SEVERITY,
    ArchComparison,
    Cell,
    Claim,
    ClaimComparison,
    KnownFailure,
    KnownGap,
    LeafComparison,
    PlannedTest,
    Tally,
    TestComparison,
    Verdict,
)
from results.text import amount

_NAMES_SHOWN = 3


def compare_test(
    test: PlannedTest,
    base: Cell,
    series: Cell,
    gaps: Sequence[KnownGap] = (),
    failures: Sequence[KnownFailure] = (),
    day: str = "",
) -> TestComparison:
    """Compare all runs of one test."""
    base_tally, series_tally = tally(test, base), tally(test, series)
    base_runs, series_runs = runs_of(test, base), runs_of(test, series)
    verdict, reason = _judge_test(test, base, series, base_tally, series_tally)

    def excuse_leaf(leaf: str, reasons: Sequence[str]) -> str:
        return excuse(test.name, leaf, reasons, failures, day)

    leaves: tuple[LeafComparison, ...] = ()
    if verdict not in (Verdict.UNSUPPORTED, Verdict.INFRASTRUCTURE):
        leaves = compare_leaves(base_runs, series_runs, excuse_leaf)
    compared = roll_up(TestComparison(test.name, base_tally, series_tally, verdict, reason, leaves=leaves))
    gap = gap_of(test.name, compared.verdict, base_tally, series_tally, gaps)
    return replace(compared, known_gap=gap)


def _judge_test(
    test: PlannedTest, base: Cell, series: Cell, base_tally: Tally, series_tally: Tally
) -> tuple[Verdict, str]:
    base_runs, series_runs = runs_of(test, base), runs_of(test, series)
    if lacking := _unsupported(test, base, series, base_tally, series_tally):
        return Verdict.UNSUPPORTED, lacking
    for runs, cell, sums, name in (
        (base_runs, base, base_tally, "on base"),
        (series_runs, series, series_tally, "with the series"),
    ):
        if is_infrastructure(test, runs, cell):
            return Verdict.INFRASTRUCTURE, f"no result {name}: {sums.reason}"
    return judge_runs(base_runs, series_runs, base_tally, series_tally)


def _unsupported(
    test: PlannedTest, base: Cell, series: Cell, base_tally: Tally, series_tally: Tally
) -> str | None:
    """Say what both machines lack; what ran all the same is judged by its result."""
    if series_tally.failures or base_tally.exercised or series_tally.exercised:
        return None
    return _lacking(test, base) and _lacking(test, series)


def _lacking(test: PlannedTest, cell: Cell) -> str | None:
    known = [boot.capabilities for boot in boots_for(test, cell) if boot.capabilities is not None]
    return known[0].missing(test.needs) if known else None


def compare_arch(
    arch: str,
    planned: Sequence[PlannedTest],
    base: Cell,
    series: Cell,
    claims: Iterable[Claim],
    allowed_unexercised: bool,
    gaps: Sequence[KnownGap] = (),
    failures: Sequence[KnownFailure] = (),
    day: str = "",
    gone: Sequence[str] = (),
    new: Sequence[str] = (),
) -> ArchComparison:
    """Say everything there is to say of one architecture; `day` is the run's, like `2027-03-31`.

    `gone` are the tests that only base's tree has, `new` those that only the series' tree has.
    """
    tests = tuple(compare_test(test, base, series, gaps, failures, day) for test in planned)
    measurements = compare_measures(planned, tests, base, series)
    judged = [test for test in tests if not test.known_gap]
    found = ArchComparison(
        arch=arch,
        verdict=Verdict.UNCHANGED,
        reasons=(),
        tests=tests,
        splats=compare_splats(base, series),
        claims=compare_claims(
            (claim for claim in claims if not claim.arches or arch in claim.arches),
            Measured(judged, planned, base.build, series.build, measurements),
        ),
        new_warnings=new_warnings(base.build, series.build),
        allowed_unexercised=allowed_unexercised,
        measurements=measurements,
        notes=(*entry_notes(failures, tests, day), *(f"{name} is new with the series" for name in new)),
        gone_tests=tuple(gone),
    )
    reasons = sorted(_reasons(base, series, found), key=lambda reason: -SEVERITY[reason.verdict])
    return replace(
        found,
        verdict=most_serious([reason.verdict for reason in reasons]),
        reasons=tuple(reason.text for reason in reasons),
        summary=reasons[0].brief if reasons else "",
    )


def _reasons(base: Cell, series: Cell, found: ArchComparison) -> list[Reason]:
    """Put in words what was found; of reasons that are equally serious the first makes the headline."""
    measured = telling(found.measurements, found.tests)
    return [
        *compare_builds(base.build, series.build),
        *compare_boots(base, series),
        *map(measured_reason, measured),
        *_test_reasons(found.tests, {item.test for item in measured}),
        *(Reason(Verdict.NOT_EXERCISED, f"{name} is gone with the series") for name in found.gone_tests),
        *splat_reasons(found.splats),
        *lost_evidence_reasons(base, series),
        *_claim_reasons(found.claims),
        *compare_warnings(found.new_warnings),
    ]


def _test_reasons(tests: Sequence[TestComparison], told: Collection[str]) -> list[Reason]:
    """Group the tests of which the same is to be said, and that were not told of yet."""
    if not tests:
        return [Reason(Verdict.NOT_EXERCISED, "no test was planned")]
    groups: dict[tuple[Verdict, str], list[TestComparison]] = {}
    for test in tests:
        is_known = test.known_gap or test.known_failure
        if test.verdict is not Verdict.UNCHANGED and not is_known and test.name not in told:
            groups.setdefault((test.verdict, test.reason), []).append(test)
    reasons = [
        Reason(verdict, _sentence([test.name for test in group], reason, len(tests)), _short(tests, group[0]))
        for (verdict, reason), group in groups.items()
    ]
    if reasons or told:
        return reasons
    gaps = sum(1 for test in tests if test.known_gap)
    failures = sum(1 for test in tests if test.known_failure)
    count = sum(1 for test in tests if is_exercised(test)) - failures
    if not count:
        what = "a known gap or a known failure" if failures else "a known gap"
        return [Reason(Verdict.NOT_EXERCISED, f"every test is {what}")]
    known = f", {amount(gaps, 'known gap')}" if gaps else ""
    known += f", {amount(failures, 'known failure')}" if failures else ""
    said = f"{count} of {len(tests)} tests exercised and passing on both kernels{known}"
    return [Reason(Verdict.UNCHANGED, said)]


def _short(tests: Sequence[TestComparison], first: TestComparison) -> str:
    """Say what became of all tests of a verdict whose reasons differ in numbers only."""
    alike = [test for test in tests if test.verdict is first.verdict and not test.known_gap]
    alike = [test for test in alike if not test.known_failure]
    if first.verdict in VERBS:
        names = named([test.name for test in alike])
        return f"{names} {VERBS[first.verdict][len(alike) > 1]}"
    alike = [test for test in alike if idle_reason(test) == idle_reason(first)]
    return f"{named([test.name for test in alike])} {first.verdict}: {idle_reason(first)}"


def _sentence(names: Sequence[str], reason: str, total: int) -> str:
    is_verb_of_one = len(names) == 1 and reason.startswith("fail")
    return f"{_names(names, total)}{' ' if is_verb_of_one else ': '}{reason}"


def _names(names: Sequence[str], total: int) -> str:
    if len(names) == total and total > 1:
        return f"all {total} tests"
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"


def _claim_reasons(claims: Sequence[ClaimComparison]) -> list[Reason]:
    return [
        Reason(claim.verdict, f"claim: {claim.reason}", f"claim on {claim.claim.counter} does not hold")
        for claim in claims
        if claim.verdict is not Verdict.UNCHANGED
    ]
