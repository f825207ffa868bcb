# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from random import Random

import pytest

from results.compare.measures.permutation import p_in_words, permutation_p


def around(middle: int, spread: int = 40, count: int = 31, seed: int = 0) -> list[int]:
    random = Random(seed)
    return [middle + random.randint(-spread, spread) for _ in range(count)]


@pytest.mark.parametrize(
    ("one", "other", "ways", "deals"),
    [
        ([1, 2, 3, 4], [5, 6, 7, 8], 2, 70),
        ([1, 2, 3, 5], [4, 6, 7, 8], 4, 70),
        ([1, 2, 3, 4, 5], [60, 70, 80, 90, 100], 2, 252),
        ([0, 0, 0, 0, 0], [0, 0, 1, 1, 1], 42, 252),
        ([1], [2], 2, 2),
        ([1, 4, 5, 8], [2, 3, 6, 7], 70, 70),
        ([3, 3, 3], [3, 3, 3], 20, 20),
    ],
)
def test_few_numbers_are_dealt_in_every_way(
    one: list[float], other: list[float], ways: int, deals: int
) -> None:
    assert permutation_p(one, other) == permutation_p(other, one) == pytest.approx(ways / deals)


def test_many_numbers_are_shuffled() -> None:
    assert permutation_p(around(1000), around(2000, seed=1)) == pytest.approx(1 / 2001)
    assert permutation_p(around(1000), around(1000)) == 1.0


def test_what_is_not_there_is_rarely_seen() -> None:
    found = [permutation_p(around(1000, seed=seed), around(1000, seed=seed + 100)) for seed in range(12)]
    assert sum(p < 0.05 for p in found) <= 2
    assert min(found) > 0.001


def test_the_same_samples_give_the_same_answer() -> None:
    samples = around(1000), around(1010, seed=3)
    assert permutation_p(*samples) == pytest.approx(0.035982, abs=1e-6), "the shuffles have a fixed seed"


@pytest.mark.parametrize(("p", "said"), [(2 / 252, "p = 0.008"), (1.0, "p = 1"), (1 / 2001, "p < 0.001")])
def test_a_probability_in_words(p: float, said: str) -> None:
    assert p_in_words(p) == said
