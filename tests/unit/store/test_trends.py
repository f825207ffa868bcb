# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of a test over nights, and when a number has changed."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from results.store.trends import (
    Change,
    Night,
    Outcome,
    Trend,
    in_words,
    outcome_of,
    step_in_words,
    step_of,
    trend_of,
)

LETTERS = {
    "p": Outcome.PASS,
    "F": Outcome.FAIL,
    "f": Outcome.FLAKY,
    "i": Outcome.IDLE,
    "u": Outcome.UNSUPPORTED,
    "m": Outcome.MISSING,
    "!": Outcome.LOST,
}
NIGHTS = [
    Night(key, f"run {key}", f"2027-03-{key + 1:02}T02:00:00Z", f"b{key}", f"s{key}") for key in range(28)
]


def trend(letters: str) -> Trend:
    """A letter a night; a blank is a night that did not have the test."""
    seen = {key: LETTERS[letter] for key, letter in enumerate(letters) if letter != " "}
    return trend_of(NIGHTS[: len(letters)], seen)


@pytest.mark.parametrize(
    ("letters", "change", "since"),
    [
        ("pppp", Change.STEADY, 0),
        ("pppF", Change.NEW_FAILURE, 3),
        ("F", Change.NEW_FAILURE, 0),
        ("ppFF", Change.FAILING, 2),
        ("FFFF", Change.FAILING, 0),
        ("pFFp", Change.FIXED, 3),
        ("pFpp", Change.STEADY, 0),
        ("p!F!F", Change.FAILING, 2),
        ("pF!!", Change.STEADY, 2),
        ("ppFF ", Change.MISSING, 4),
        ("pppm", Change.MISSING, 3),
        ("pp  ", Change.MISSING, 2),
        ("m", Change.MISSING, 0),
        ("pppu", Change.UNSUPPORTED, 3),
        ("uuuu", Change.STEADY, 0),
        ("pppi", Change.IDLE, 3),
        ("iiii", Change.STEADY, 0),
        ("   p", Change.NEW, 3),
        ("  pp", Change.STEADY, 2),
        ("   F", Change.NEW_FAILURE, 3),
        ("ppfp", Change.FLAKY, 2),
        ("pFpF", Change.FLAKY, 1),
        ("FpFp", Change.FLAKY, 1),
        ("fp" + "p" * 14, Change.STEADY, 0),
        ("fp" + "p" * 12, Change.FLAKY, 0),
    ],
)
def test_what_became_of_a_test(letters: str, change: Change, since: int) -> None:
    found = trend(letters)
    if change is Change.STEADY:
        assert found.change is change
    else:
        assert (found.change, found.since) == (change, NIGHTS[since])


def test_a_failure_names_the_first_bad_and_the_last_good_night() -> None:
    found = trend("pp!!FF")
    assert (found.since, found.before) == (NIGHTS[4], NIGHTS[1])
    words = in_words("mremap", ["arm64", "s390", "sparc"], found)
    assert words == (
        "mremap still fails on arm64, s390 and sparc since 2027-03-05; it passed last on 2027-03-02"
    )
    assert in_words("x", ["s390"], trend("FF")) == "x still fails on s390, and never passed since 2027-03-01"


def test_a_flake_has_a_rate_since_it_began() -> None:
    found = trend("pppppfppFp")
    assert (found.bad, found.counted, found.since) == (2, 5, NIGHTS[5])
    assert in_words("a", ["s390"], found) == "a is flaky on s390: bad in 2 of 5 nights since 2027-03-06"


def test_a_test_of_no_night_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no trend"):
        trend("    ")


@given(some.text("pFfium! ", min_size=1, max_size=28).filter(str.strip))
def test_any_history_has_a_trend_within_it(letters: str) -> None:
    found = trend(letters)
    nights = NIGHTS[: len(letters)]
    assert found.since in nights
    assert found.first_seen is NIGHTS[len(letters) - len(letters.lstrip())]
    assert 0 <= found.bad <= found.counted <= len(letters)
    if found.change is Change.NEW_FAILURE:
        assert letters[-1] == "F"
    if found.change is Change.FIXED:
        assert letters[-1] == "p"


@pytest.mark.parametrize(
    ("verdict", "status", "exercised", "rate", "outcome"),
    [
        ("unchanged", "PASS", True, (0, 1), Outcome.PASS),
        ("fixed", "PASS", True, (0, 1), Outcome.PASS),
        ("regression", "FAIL", False, (2, 2), Outcome.FAIL),
        ("fails on both", "ERROR", False, (1, 1), Outcome.FAIL),
        ("flaky", "FAIL", False, (1, 2), Outcome.FLAKY),
        ("unchanged", "PASS", True, (1, 3), Outcome.FLAKY),
        ("unsupported", "SKIP", False, (0, 1), Outcome.UNSUPPORTED),
        ("not exercised", "PASS", False, (0, 1), Outcome.IDLE),
        ("not exercised", "PASS", True, (0, 1), Outcome.IDLE),
        ("not exercised", "MISS", False, (0, 0), Outcome.MISSING),
        ("infrastructure", "MISS", False, (0, 0), Outcome.LOST),
    ],
)
def test_what_one_night_says(
    verdict: str, status: str, exercised: bool, rate: tuple[int, int], outcome: Outcome
) -> None:
    assert outcome_of(verdict, status, exercised, *rate) is outcome


def test_a_step_is_found_where_it_is() -> None:
    random = Random(1)
    for at in (6, 12, 20):
        values = [random.gauss(100, 2) + (15 if place >= at else 0) for place in range(28)]
        step = step_of(values)
        assert step
        assert abs(step.index - at) <= 2
        assert step_in_words(step, "ns").startswith("slower by 1")


def test_numbers_that_never_vary_may_step_too() -> None:
    step = step_of([0.0] * 8 + [2.0] * 8)
    assert step
    assert (step.index, step_in_words(step, "")) == (8, "2 instead of 0")
    down = step_of([4096.0] * 8 + [21.0] * 8)
    assert down
    assert step_in_words(down, "B") == "smaller by 99 %"


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [5.0] * 28, [100.0] * 14 + [104.0] * 14, [1.0] * 5 + [9.0] * 20, [1.0] * 20 + [9.0] * 5],
)
def test_no_step_without_enough_nights_or_a_difference_that_matters(values: list[float]) -> None:
    assert step_of(values) is None


def test_noise_alone_has_hardly_ever_a_step() -> None:
    random = Random(7)
    found = [step_of([random.gauss(100, 20) for _ in range(28)]) for _ in range(400)]
    assert sum(step is not None for step in found) <= 4
