# SPDX-License-Identifier: GPL-2.0-only
"""What nights say one after the other: what broke when, what comes and goes, what grew. Pure.

A night is a run; all nights of a call are runs of the same series on the same tree, oldest first. The rules:

- a test *fails* in a night if it fails with the series, and is *flaky* in one if it failed and passed in it;
- it is *flaky* over time if it was so in one of the last nights, or three times went from passing to failing
  or back;
- nights that say nothing of a test (the machine failed, the test was not exercised) break no streak;
- a number *changed* if it did so in one step that a rank test finds, with at least six nights on each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import erfc, sqrt
from statistics import median

from results.compare.measures.permutation import SIGNIFICANT_P
from results.model.run import Status, Verdict

FLAKY_NIGHTS = 14
"""Number of last conclusive nights that decide whether a test is flaky."""
FLAKY_SWITCHES = 3
"""Between passing and failing: broken and mended again is two."""
STEP_NIGHTS = 6
"""On each side of a step; with fewer no rank test can be sure."""
STEP_PERCENT = 5.0
"""Smaller steps are not told, however sure they are."""


class Outcome(StrEnum):
    """What one night says of a test on an architecture."""

    PASS = "passes"
    FAIL = "fails"
    FLAKY = "is flaky"
    IDLE = "is not exercised"
    UNSUPPORTED = "is unsupported"
    MISSING = "is missing"
    LOST = "is not known"
    """The machine or the harness failed."""


_SAYS = (Outcome.PASS, Outcome.FAIL, Outcome.FLAKY)


class Change(StrEnum):
    """What became of a test up to the last night, the most serious first."""

    NEW_FAILURE = "new failure"
    FAILING = "still failing"
    FLAKY = "flaky"
    MISSING = "gone missing"
    UNSUPPORTED = "unsupported now"
    IDLE = "no longer exercised"
    FIXED = "fixed"
    NEW = "new"
    STEADY = "steady"


NEWS = (Change.NEW_FAILURE, Change.FIXED, Change.MISSING, Change.UNSUPPORTED, Change.IDLE, Change.NEW)
"""What the last night can have brought."""


@dataclass(frozen=True, slots=True)
class Night:
    """One run, as far as time goes."""

    key: int
    name: str
    at: str
    """ISO 8601, UTC."""
    base_commit: str
    series_commit: str
    simulated: bool = False

    @property
    def day(self) -> str:
        """`2027-03-31`."""
        return self.at[:10]


@dataclass(frozen=True, slots=True)
class Trend:
    """One test on one architecture over all nights in which the architecture was tested."""

    change: Change
    outcome: Outcome
    """Of the last night."""
    since: Night
    """The first night of what `change` says; the first night at all if it is steady."""
    before: Night | None
    """The last night in which it passed before that, of what fails; else None."""
    first_seen: Night
    bad: int
    """Nights in which it failed or was flaky, of those that count for `change`."""
    counted: int
    """Conclusive nights; of a flaky test since it is flaky."""

    @property
    def is_news(self) -> bool:
        """Whether the last night brought it."""
        return self.change in NEWS


@dataclass(frozen=True, slots=True)
class TrendStep:
    """A number that is another since some night."""

    index: int
    """Of the first value after the step."""
    before: float
    """Median."""
    after: float
    percent: float | None
    """None if it was 0 before."""
    p: float


def outcome_of(verdict: str, series_status: str, exercised: bool, failures: int, runs: int) -> Outcome:
    """What one run says of a test, by its comparison and what the series did."""
    if verdict == Verdict.INFRASTRUCTURE:
        return Outcome.LOST
    if verdict == Verdict.FLAKY or 0 < failures < runs:
        return Outcome.FLAKY
    if series_status in (Status.FAIL, Status.ERROR) or verdict == Verdict.REGRESSION:
        return Outcome.FAIL
    if verdict == Verdict.UNSUPPORTED:
        return Outcome.UNSUPPORTED
    if series_status == Status.MISS:
        return Outcome.MISSING
    return Outcome.PASS if exercised and verdict != Verdict.NOT_EXERCISED else Outcome.IDLE


def trend_of(nights: Sequence[Night], seen: Mapping[int, Outcome]) -> Trend:
    """Judge a test: `nights` are those of its architecture, `seen` has the outcomes by key of the night.

    Raises:
        ValueError: if it was never seen.
    """
    known = [(night, seen.get(night.key, Outcome.MISSING)) for night in nights]
    first = next((place for place, night in enumerate(nights) if night.key in seen), None)
    if first is None:
        raise ValueError("a test that was in no night has no trend")
    known = known[first:]
    telling = [(night, outcome) for night, outcome in known if outcome in _SAYS]
    last = known[-1][1]
    if flaky := _flaky(telling, last, nights[first]):
        return flaky
    if last in _SAYS:
        return _passing_or_failing(known, telling, is_new=first > 0)
    return _silent(known, telling)


def _flaky(telling: Sequence[tuple[Night, Outcome]], last: Outcome, first: Night) -> Trend | None:
    window = telling[-FLAKY_NIGHTS:]
    switches = [
        place for place, (one, other) in enumerate(pairwise(window), 1) if _bad(one[1]) != _bad(other[1])
    ]
    mixed = [place for place, (_, outcome) in enumerate(window) if outcome is Outcome.FLAKY]
    if not mixed and len(switches) < FLAKY_SWITCHES:
        return None
    began = min(mixed[:1] + switches[:1])
    bad = sum(_bad(outcome) for _, outcome in window[began:])
    return Trend(Change.FLAKY, last, window[began][0], None, first, bad, len(window) - began)


def _bad(outcome: Outcome) -> bool:
    return outcome in (Outcome.FAIL, Outcome.FLAKY)


def _passing_or_failing(
    known: Sequence[tuple[Night, Outcome]], telling: Sequence[tuple[Night, Outcome]], *, is_new: bool
) -> Trend:
    (tonight, last), first = known[-1], known[0][0]
    failing = last is Outcome.FAIL
    streak = len(telling)
    while streak > 1 and _bad(telling[streak - 2][1]) == failing:
        streak -= 1
    since, before = telling[streak - 1][0], telling[streak - 2][0] if streak > 1 else None
    bad = sum(_bad(outcome) for _, outcome in telling)
    if failing:
        change = Change.NEW_FAILURE if since is tonight else Change.FAILING
    elif since is tonight and before:
        change = Change.FIXED
    elif first is tonight and is_new:
        change = Change.NEW
    else:
        change, since = Change.STEADY, first
    return Trend(change, last, since, before if failing else None, first, bad, len(telling))


def _silent(known: Sequence[tuple[Night, Outcome]], telling: Sequence[tuple[Night, Outcome]]) -> Trend:
    """A last night that says nothing: news only if an earlier one did."""
    last, first = known[-1][1], known[0][0]
    kinds = {
        Outcome.MISSING: Change.MISSING,
        Outcome.UNSUPPORTED: Change.UNSUPPORTED,
        Outcome.IDLE: Change.IDLE,
    }
    bad = sum(_bad(outcome) for _, outcome in telling)
    change = kinds.get(last, Change.STEADY) if telling or last is Outcome.MISSING else Change.STEADY
    since = first
    for night, outcome in reversed(known):
        if outcome is not last:
            break
        since = night
    return Trend(change, last, since, None, first, bad, len(telling))


def step_of(values: Sequence[float]) -> TrendStep | None:
    """The one step that a row of numbers has, if it surely has one.

    The split that a Mann-Whitney test finds least probable, by its normal approximation with ties; its
    probability times the number of splits that were tried must be below `SIGNIFICANT_P`.
    """
    splits = range(1, len(values))
    ranks, ties = _ranks(values)
    best = max(splits, key=lambda split: _distance(ranks, ties, split), default=0)
    if min(best, len(values) - best) < STEP_NIGHTS:
        return None
    p = min(1.0, erfc(_distance(ranks, ties, best) / sqrt(2)) * len(splits))
    before, after = median(values[:best]), median(values[best:])
    percent = (after - before) / abs(before) * 100 if before else None
    small = before == after if percent is None else abs(percent) < STEP_PERCENT
    return None if p > SIGNIFICANT_P or small else TrendStep(best, before, after, percent, p)


def _distance(ranks: Sequence[float], ties: float, split: int) -> float:
    """How many standard deviations the ranks before the split are off."""
    count, other = split, len(ranks) - split
    total = count + other
    variance = count * other / 12 * (total + 1 - ties / (total * (total - 1)))
    off = abs(sum(ranks[:split]) - count * (total + 1) / 2)
    return off / sqrt(variance) if variance > 0 else 0.0


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """Ranks from 1, equal values sharing theirs, and what ties take from the variance."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values), 1):
        places.setdefault(value, []).append(place)
    shared = {value: (found[0] + found[-1]) / 2 for value, found in places.items()}
    return [shared[value] for value in values], float(sum(len(f) ** 3 - len(f) for f in places.values()))


_WORDS = {
    Change.NEW_FAILURE: "fails",
    Change.FAILING: "still fails",
    Change.FLAKY: "is flaky",
    Change.MISSING: "is gone missing",
    Change.UNSUPPORTED: "is unsupported now",
    Change.IDLE: "is no longer exercised",
    Change.FIXED: "passes again",
    Change.NEW: "is new",
    Change.STEADY: "is as it was",
}


def in_words(test: str, arches: Sequence[str], trend: Trend) -> str:
    """Say how a test changed, in one sentence without a full stop."""
    words = f"{test} {_WORDS[trend.change]} on {_and(arches)}"
    if trend.change is Change.FLAKY:
        return f"{words}: bad in {trend.bad} of {trend.counted} nights since {trend.since.day}"
    if trend.change in (Change.FAILING, Change.NEW_FAILURE) and trend.before:
        return f"{words} since {trend.since.day}; it passed last on {trend.before.day}"
    if trend.change is Change.FAILING:
        return f"{words}, and never passed since {trend.first_seen.day}"
    return words


def _and(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def step_in_words(step: TrendStep, unit: str) -> str:
    """Say what a number did: `slower by 12 %`, `bigger by 8 %`, `2 instead of 0`."""
    if step.percent is None:
        return f"{step.after:g} instead of {step.before:g}"
    more, less = {"ns": ("slower", "faster"), "s": ("slower", "faster"), "B": ("bigger", "smaller")}.get(
        unit, ("more", "less")
    )
    return f"{more if step.percent > 0 else less} by {abs(step.percent):.0f} %"
