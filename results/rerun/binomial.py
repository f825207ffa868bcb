# SPDX-License-Identifier: GPL-2.0-only
"""Confidence intervals of failure rates.

The exact interval of C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26 (1934), pages 404 to 413.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from results.model.rerun import Estimate

CONFIDENCE = 0.95
_HALVINGS = 60
"""Of the interval from 0 to 1: more than a double can tell apart."""


def estimate(events: int, tries: int, confidence: float = CONFIDENCE) -> Estimate:
    """Return the rate of an event that occurred `events` times in `tries`, with its exact two-sided interval.

    Without a try the rate is NaN, and the interval is from 0 to 1.

    Raises:
        ValueError: for impossible numbers, or a confidence that is not between 0 and 1.
    """
    if not 0 <= events <= tries:
        raise ValueError(f"{events} events in {tries} tries")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence}")
    if not tries:
        return Estimate(math.nan, 0.0, 1.0)
    beyond = (1 - confidence) / 2
    low = _crossing(lambda p: at_least(events, tries, p) > beyond) if events else 0.0
    high = _crossing(lambda p: at_most(events, tries, p) < beyond) if events < tries else 1.0
    return Estimate(events / tries, low, high)


def at_least(events: int, tries: int, p: float) -> float:
    """Return the probability of at least `events` events in `tries` tries of probability `p`."""
    return math.fsum(_exactly(count, tries, p) for count in range(events, tries + 1))


def at_most(events: int, tries: int, p: float) -> float:
    """Return the probability of at most `events` events in `tries` tries of probability `p`."""
    return math.fsum(_exactly(count, tries, p) for count in range(events + 1))


def _exactly(events: int, tries: int, p: float) -> float:
    """Use logarithms: binomial coefficients overflow a double from about 1000 tries on."""
    if p <= 0 or p >= 1:
        return float(events == (tries if p >= 1 else 0))
    ways = math.lgamma(tries + 1) - math.lgamma(events + 1) - math.lgamma(tries - events + 1)
    return math.exp(ways + events * math.log(p) + (tries - events) * math.log1p(-p))


def _crossing(is_above: Callable[[float], bool]) -> float:
    """Return the probability from which on a condition holds."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if is_above(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2
