# SPDX-License-Identifier: GPL-2.0-only
"""Exact intervals of failure rates, against published values and by what defines them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.rerun.binomial import at_least, at_most, estimate


@pytest.mark.parametrize(
    ("events", "tries", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (3, 10, 0.0667, 0.6525),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 100, 0.0, 0.0362),
        (10, 100, 0.0490, 0.1762),
        (1, 1, 0.0250, 1.0),
    ],
)
def test_interval_is_that_of_the_tables(events: int, tries: int, low: float, high: float) -> None:
    found = estimate(events, tries)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_without_a_failure_the_bound_is_known_in_closed_form() -> None:
    assert estimate(0, 29).high == pytest.approx(1 - 0.025 ** (1 / 29), rel=1e-9)
    assert estimate(29, 29).low == pytest.approx(0.025 ** (1 / 29), rel=1e-9)


def test_nothing_is_known_without_a_try() -> None:
    found = estimate(0, 0)
    assert math.isnan(found.seen)
    assert (found.low, found.high) == (0.0, 1.0)


def test_many_tries_do_not_overflow() -> None:
    found = estimate(600, 3000)
    assert found.low == pytest.approx(0.1858, abs=5e-5)
    assert found.high == pytest.approx(0.2148, abs=5e-5)


@given(st.integers(1, 60), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_each_end_is_where_the_tail_has_its_half_of_the_doubt(
    tries: int, data: st.DataObject, confidence: float
) -> None:
    events = data.draw(st.integers(0, tries))
    found = estimate(events, tries, confidence)
    assert found.low <= found.seen <= found.high
    if events:
        assert at_least(events, tries, found.low) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    if events < tries:
        assert at_most(events, tries, found.high) == pytest.approx((1 - confidence) / 2, rel=1e-6)


@pytest.mark.parametrize(("events", "tries", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0)])
def test_numbers_that_cannot_be_are_refused(events: int, tries: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"events|confidence"):
        estimate(events, tries, confidence)
