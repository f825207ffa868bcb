# SPDX-License-Identifier: GPL-2.0-only
"""Whether two groups of numbers differ by more than chance: a permutation test of their ranks.

Ranks, because what is measured on a machine has outliers. The test asks how often a random
split of all numbers into two groups differs as much as these do. It tries all splits where there are few,
which is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, groupby
from math import comb
from random import Random

SIGNIFICANT_P = 0.01
"""Differences that are more probable than this between equal kernels are not called one."""
EFFECT_PERCENT = 10
"""Smaller differences do not matter, however improbable they are."""

_PERMUTATIONS = 2000
_MOST_DEALS = 20_000
"""Splits up to which all are tried: eight against eight are 12,870, nine against nine 48,620."""
_SEED = 1


def permutation_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Compute how often a random split of all numbers differs as much as these do, in their ranks.

    Needs a number on each side. The same numbers always give the same answer, exact for a few of them, else
    never less than 1 in `_PERMUTATIONS`.
    """
    ranks = _ranks([*one, *other])
    expected = len(one) * (len(ranks) + 1) / 2
    seen = abs(sum(ranks[: len(one)]) - expected)
    if comb(len(ranks), len(one)) <= _MOST_DEALS:
        return _part(abs(sum(dealt) - expected) >= seen for dealt in combinations(ranks, len(one)))
    as_far = sum(abs(sum(dealt) - expected) >= seen for dealt in _shuffles(ranks, len(one)))
    return (as_far + 1) / (_PERMUTATIONS + 1)


def p_in_words(p: float) -> str:
    """Write a probability: `p = 0.008`, or `p < 0.001` where no shuffle was as far apart."""
    least = 1 / (_PERMUTATIONS + 1)
    return f"p < {2 * least:.1g}" if p <= least else f"p = {p:.1g}"


def _part(answers: Iterable[bool]) -> float:
    found = list(answers)
    return sum(found) / len(found)


def _shuffles(ranks: Sequence[float], count: int) -> Iterator[list[float]]:
    random = Random(_SEED)
    for _ in range(_PERMUTATIONS):
        yield sorted(ranks, key=lambda _: random.random())[:count]  # the same on every version of Python


def _ranks(values: Sequence[float]) -> list[float]:
    """Number values by size from 1; equal ones share the mean of their places."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    place = 1
    for _, same in groupby(order, key=values.__getitem__):
        places = list(same)
        for index in places:
            ranks[index] = place + (len(places) - 1) / 2
        place += len(places)
    return ranks
