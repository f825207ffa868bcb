# SPDX-License-Identifier: GPL-2.0-only
"""What a series says of its counters, against what was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from results.compare.evidence import is_watched, total_change
from results.model.run import Claim, ClaimComparison, CounterChange, PlannedTest, TestComparison, Verdict

ABSENT = "absent"
PRESENT = "present"
UNKNOWN = "unknown"
NOT_WATCHED = "not watched"
_GAP_WORDS = {
    Verdict.NOT_EXERCISED: "not every test was exercised",
    Verdict.UNSUPPORTED: "not every test can run here",
}


def compare_claims(
    claims: Iterable[Claim], tests: Sequence[TestComparison], planned: Iterable[PlannedTest] = ()
) -> tuple[ClaimComparison, ...]:
    """Check every claim against the runs that decided the tests of one architecture."""
    watch = {counter for test in planned for counter in test.watch}
    return tuple(_compare(claim, tests, watch) for claim in claims)


def _compare(claim: Claim, tests: Sequence[TestComparison], watch: Collection[str]) -> ClaimComparison:
    base = _seen(claim.counter, [test.base.counters for test in tests])
    series = _seen(claim.counter, [test.series.counters for test in tests])
    seen_anywhere = any(
        claim.counter in tally.counters for test in tests for tally in (test.base, test.series)
    )
    if UNKNOWN not in (base, series) and not seen_anywhere and not is_watched(claim.counter, watch):
        reason = f"{claim.counter} was not watched, so nothing can be said of it"
        return ClaimComparison(claim, NOT_WATCHED, NOT_WATCHED, Verdict.NOT_EXERCISED, reason)
    verdict, reason = _judge(claim, base, series, tests)
    return ClaimComparison(claim, base, series, verdict, reason)


def _seen(counter: str, snapshots: Sequence[Mapping[str, CounterChange]]) -> str:
    known = [counters for counters in snapshots if counters]
    if not known:
        return UNKNOWN
    total = total_change(known, counter)
    return ABSENT if total is None else str(total)


def _judge(claim: Claim, base: str, series: str, tests: Sequence[TestComparison]) -> tuple[Verdict, str]:
    if UNKNOWN in (base, series):
        return _unknown(claim, base, tests)
    broken = [
        f"{claim.counter} should be {said} {where}, but {_phrase(seen)}"
        for said, seen, where in ((claim.base, base, "on base"), (claim.series, series, "with the series"))
        if not _holds(said, seen)
    ]
    gap = _gap(tests)
    if broken and not gap:
        return Verdict.REGRESSION, "; ".join(broken)
    if broken and gap:
        return Verdict.NOT_EXERCISED, f"{'; '.join(broken)}; but {_GAP_WORDS[gap]}"
    if gap and not {claim.base, claim.series} <= {ABSENT, PRESENT}:
        return gap, f"{claim.counter} is as claimed, but {_GAP_WORDS[gap]}"
    return Verdict.UNCHANGED, ""


def _gap(tests: Sequence[TestComparison]) -> Verdict | None:
    """What keeps the tests from proving a number: not all ran, or not all can run here."""
    idle = [test for test in tests if not (test.base.exercised and test.series.exercised)]
    if not idle and tests:
        return None
    unsupported = bool(idle) and all(test.verdict is Verdict.UNSUPPORTED for test in idle)
    return Verdict.UNSUPPORTED if unsupported else Verdict.NOT_EXERCISED


def _unknown(claim: Claim, base: str, tests: Sequence[TestComparison]) -> tuple[Verdict, str]:
    where = "on base" if base == UNKNOWN else "with the series"
    infrastructure = any(test.verdict is Verdict.INFRASTRUCTURE for test in tests)
    verdict = Verdict.INFRASTRUCTURE if infrastructure else Verdict.NOT_EXERCISED
    return verdict, f"no counters are known {where}, so nothing can be said of {claim.counter}"


def _holds(said: str, seen: str) -> bool:
    match said.strip():
        case "absent":
            return seen == ABSENT
        case "present":
            return seen != ABSENT
        case number:
            return seen == number.lstrip("+")


def _phrase(seen: str) -> str:
    return "it is absent" if seen == ABSENT else f"its total change is {seen}"
