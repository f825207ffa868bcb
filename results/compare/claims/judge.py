# SPDX-License-Identifier: GPL-2.0-only
"""What a series says of its numbers, against what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from results.compare.claims.text import ABSENT, ClaimError, Condition, Term, conditions, terms
from results.compare.evidence import MEMINFO, is_level, is_watched, total_change
from results.compare.measures.permutation import SIGNIFICANT_P
from results.model.run import (
    Build,
    Claim,
    ClaimComparison,
    Measurement,
    PlannedTest,
    Tally,
    TestComparison,
    Verdict,
)

UNKNOWN = "unknown"
NOT_WATCHED = "not watched"
_GAP_WORDS = {
    Verdict.NOT_EXERCISED: "not every test was exercised",
    Verdict.UNSUPPORTED: "not every test can run here",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything of one architecture that a claim can be about."""

    tests: Sequence[TestComparison]
    planned: Sequence[PlannedTest] = ()
    base: Build | None = None
    series: Build | None = None
    measurements: Sequence[Measurement] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A quantity on one kernel: a number, absent, or nothing is known of it, for a reason."""

    value: float | None = None
    unknown: str = ""

    def __str__(self) -> str:
        if self.unknown:
            return UNKNOWN
        return ABSENT if self.value is None else f"{self.value:.15g}"


def compare_claims(claims: Iterable[Claim], measured: Measured) -> tuple[ClaimComparison, ...]:
    """Check every claim against the builds of one architecture, and the runs that decided its tests."""
    return tuple(_compare(claim, measured) for claim in claims)


def _compare(claim: Claim, measured: Measured) -> ClaimComparison:
    watch = {counter for test in measured.planned for counter in test.watch}
    found = terms(claim)
    seen = [[_see(term, measured, side) for side in (0, 1)] for term in found]
    for term, (base, series) in zip(found, seen, strict=True):
        is_missed = _is_missed(term, measured.tests) and not is_watched(term.name, watch)
        if is_missed and not (base.unknown or series.unknown):
            reason = f"{term.name} was not watched, so nothing can be said of it"
            return ClaimComparison(claim, NOT_WATCHED, NOT_WATCHED, Verdict.NOT_EXERCISED, reason)
    base, series = seen[0] if len(seen) == 1 else map(_quotient, *seen)
    verdict, reason = _judge(claim, found, base, series, measured)
    return ClaimComparison(claim, str(base), str(series), verdict, reason)


def _is_missed(term: Term, tests: Sequence[TestComparison]) -> bool:
    """Whether no test has seen a counter."""
    return term.kind == "counter" and not any(
        term.name in tally.counters for test in tests for tally in (test.base, test.series)
    )


def _see(term: Term, measured: Measured, side: int) -> _Seen:
    match term.kind:
        case "build":
            return _of_build(term.name, (measured.base, measured.series)[side])
        case "reading":
            return _of_reading(term, measured.measurements, side)
        case _:
            return _of_counter(
                term, [(test.base, test.series)[side] for test in _tests(term, measured.tests)]
            )


def _tests(term: Term, tests: Sequence[TestComparison]) -> list[TestComparison]:
    return [test for test in tests if fnmatchcase(test.name, term.tests)]


def _of_build(name: str, build: Build | None) -> _Seen:
    if build is None or not build.ok:
        return _Seen(unknown="it was not built")
    found = getattr(build, name)
    return _Seen(float(len(found) if isinstance(found, tuple) else found))


def _of_reading(term: Term, measurements: Sequence[Measurement], side: int) -> _Seen:
    items = [item for item in measurements if fnmatchcase(item.test, term.tests)]
    readings = [reading for item in items for reading in item.readings]
    for reading in readings:
        if reading.name == term.name:
            value = (reading.base, reading.series)[side]
            return _Seen(value) if value is not None else _Seen(unknown=f"{term.tests} measured nothing")
    names = list(dict.fromkeys(reading.name for reading in readings))
    near = get_close_matches(term.name, names, n=1) or names
    return _Seen(
        unknown=f"{term.tests} measures {', '.join(near)}" if names else f"{term.tests} measures nothing"
    )


def _of_counter(term: Term, tallies: Sequence[Tally]) -> _Seen:
    known = [tally.counters for tally in tallies if tally.counters]
    if not known:
        return _Seen(unknown="no counters are known")
    total = total_change(known, term.name)
    if total is not None and total < 0 and _only_rises(term.name):
        return _Seen(unknown=f"{term.name} fell by {-total}, so it has wrapped, or was reset")
    return _Seen(None if total is None else float(total))


def _only_rises(name: str) -> bool:
    """Whether a counter counts events; numbers of files may be anything."""
    return not (is_level(name) or name.startswith((MEMINFO, "/")))


def _quotient(above: _Seen, below: _Seen) -> _Seen:
    for part in (above, below):
        if part.unknown or part.value is None:
            return part
    assert above.value is not None
    return _Seen(above.value / below.value) if below.value else _Seen(unknown="the divisor is 0")


def _judge(
    claim: Claim, found: Sequence[Term], base: _Seen, series: _Seen, measured: Measured
) -> tuple[Verdict, str]:
    try:
        wanted = conditions(claim)
    except ClaimError as error:
        return Verdict.NOT_EXERCISED, f"the claim on {claim.counter} can't be read: {error.problem}"
    needed = [test for term in found if term.kind != "build" for test in _tests(term, measured.tests)]
    needs_base = wanted[0] or (wanted[1] and wanted[1].of_base)
    for seen, where, is_needed in ((base, "on base", needs_base), (series, "with the series", wanted[1])):
        if seen.unknown and is_needed:
            return _unknown(f"{seen.unknown} {where}, so nothing can be said of {claim.counter}", needed)
    broken = [
        f"{claim.counter} should be {condition} {where}, but {_phrase(found, seen)}{_than(condition, base)}"
        for condition, seen, where in ((wanted[0], base, "on base"), (wanted[1], series, "with the series"))
        if condition and not condition.holds(seen.value, base.value)
    ]
    if broken and wanted[1] and wanted[1].of_base and None in (base.value, series.value):
        return Verdict.NOT_EXERCISED, f"{'; '.join(broken)}: there is nothing to compare"
    if broken and (chance := _chance(found, measured.measurements)):
        return Verdict.NOT_EXERCISED, f"{'; '.join(broken)}; but {chance}"
    gap = _gap(needed) if any(term.kind != "build" for term in found) else None
    if broken and not gap:
        return Verdict.REGRESSION, "; ".join(broken)
    if broken and gap:
        return Verdict.NOT_EXERCISED, f"{'; '.join(broken)}; but {_GAP_WORDS[gap]}"
    if gap and any(condition and condition.is_number for condition in wanted):
        return gap, f"{claim.counter} is as claimed, but {_GAP_WORDS[gap]}"
    return Verdict.UNCHANGED, ""


def _gap(tests: Sequence[TestComparison]) -> Verdict | None:
    """What keeps the tests from proving a number: not all ran, or not all can run here."""
    idle = [test for test in tests if not (test.base.exercised and test.series.exercised)]
    if not idle and tests:
        return None
    unsupported = bool(idle) and all(test.verdict is Verdict.UNSUPPORTED for test in idle)
    return Verdict.UNSUPPORTED if unsupported else Verdict.NOT_EXERCISED


def _unknown(reason: str, tests: Sequence[TestComparison]) -> tuple[Verdict, str]:
    infrastructure = any(test.verdict is Verdict.INFRASTRUCTURE for test in tests)
    return Verdict.INFRASTRUCTURE if infrastructure else Verdict.NOT_EXERCISED, reason


def _chance(found: Sequence[Term], measurements: Sequence[Measurement]) -> str:
    """Say that the numbers of a measuring test may differ by chance; empty if they don't, or have no test."""
    for term in found:
        for item in measurements:
            may_be = item.p is not None and item.p > SIGNIFICANT_P
            if may_be and term.kind == "reading" and fnmatchcase(item.test, term.tests):
                return f"the difference may be chance (p = {item.p:.2g})"
    return ""


def _phrase(found: Sequence[Term], seen: _Seen) -> str:
    if seen.value is None:
        return "it is absent"
    is_change = len(found) == 1 and found[0].kind == "counter"
    return f"{'its total change' if is_change else 'it'} is {seen}"


def _than(condition: Condition, base: _Seen) -> str:
    return f", and {base} on base" if condition.of_base else ""
