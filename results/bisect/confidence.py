# SPDX-License-Identifier: GPL-2.0-only
"""The confidence in a culprit of an intermittent failure, and the number of boots that it takes. Pure.

Every commit that has the culprit fails in each boot with the same probability p, and no other commit
fails. p is unknown: its prior is 1 with probability ALWAYS_ODDS, else Jeffreys'
prior for a rate, Beta(1/2, 1/2) (Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.8). All
candidates have the same prior. Bayes' rule gives their posterior after the votes. It does not depend on the
order of or the reason for the boots, so that every vote counts, and it can be computed after any of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from results.model.bisect import Rate

ALWAYS_ODDS = 0.4
"""Prior probability that a failure is deterministic."""
_JEFFREYS = 0.5
MOST_TO_SEE = 30
"""Number of clean boots of the bad commit after which the search gives up."""
MOST_TO_LEARN = 60
"""Upper bound of the boots of the bad commit that estimate the failure rate."""
MOST_CLEAN = 300
"""Upper bound of the clean boots that make a commit good."""
CAUTION = 0.55
"""With 1, the error rate would be as requested on average over all failure rates, but twice as high at the
worst ones (50 to 70 % of all boots). This factor makes it hold there, too."""
HASTE = 0.3
"""Probability of a wrong good mark that is accepted on the way; the end of the search is stricter."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Estimate of the clean boots of a commit."""

    quick: int
    """Boots until the commit is marked good on the way."""
    sure: int
    """Boots until the commit is good for the answer."""


@cache
def likelihood(failures: int, clean: int) -> float:
    """Return the probability of a sequence of failing and clean boots of bad commits.

    It is the mean of p ** failures * (1 - p) ** clean over the prior of p; for p < 1 that is the ratio of two
    beta functions.
    """
    sometimes = math.exp(_log_beta(failures + _JEFFREYS, clean + _JEFFREYS) - _log_beta(_JEFFREYS, _JEFFREYS))
    return (1 - ALWAYS_ODDS) * sometimes + (0 if clean else ALWAYS_ODDS)


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)


@dataclass(frozen=True, slots=True)
class Kernel:
    """An image, and the candidates that would make it bad.

    Several commits may have the image. A candidate that only some of them contain does not change the image,
    and can't be the culprit of its failures.
    """

    in_all: frozenset[str]
    in_any: frozenset[str]


class Posterior:
    """The probability of each candidate to be the culprit, given all votes."""

    def __init__(self, candidates: Collection[str], kernels: Sequence[Kernel]) -> None:
        """Take the candidates as commit ids; votes are given in the order of `kernels`."""
        self._alike: dict[tuple[bool | None, ...], list[str]] = {}
        for candidate in candidates:
            self._alike.setdefault(tuple(_makes_bad(candidate, kernel) for kernel in kernels), []).append(
                candidate
            )

    def certainty(self, culprit: str, seen: Sequence[Rate]) -> float:
        """Return the probability that this commit is the culprit."""
        return self.share((culprit,), seen)

    def share(self, suspects: Collection[str], seen: Sequence[Rate]) -> float:
        """Return the probability that the culprit is one of these; 0 if no candidate explains the votes."""
        votes = [(rate.failures, rate.clean) for rate in seen]
        ours = total = 0.0
        for ways, alike in self._alike.items():
            weight = self._explains(ways, votes)
            total += weight * len(alike)
            ours += weight * sum(candidate in suspects for candidate in alike) if weight else 0
        return ours / total if total else 0.0

    def chance(self, culprit: str, seen: Sequence[Rate]) -> float:
        """Return the probability that a bad commit fails in its next boot, if this one is the culprit."""
        ways = next(ways for ways, alike in self._alike.items() if culprit in alike)
        failures = sum(rate.failures for rate in seen)
        clean = sum(rate.clean for makes_bad, rate in zip(ways, seen, strict=True) if makes_bad)
        return likelihood(failures + 1, clean) / likelihood(failures, clean)

    @staticmethod
    def _explains(ways: Sequence[bool | None], votes: Sequence[tuple[int, int]]) -> float:
        failures = clean = 0
        for makes_bad, (failed, passed) in zip(ways, votes, strict=True):
            if makes_bad:
                failures += failed
                clean += passed
            elif makes_bad is None or failed:
                return 0.0
        return likelihood(failures, clean)


def _makes_bad(candidate: str, kernel: Kernel) -> bool | None:
    """Return None if the candidate can't be the culprit."""
    if candidate in kernel.in_all:
        return True
    return None if candidate in kernel.in_any else False


def doubt_left(confidence: float) -> float:
    """Return the accepted probability of another culprit for a requested confidence."""
    return CAUTION * (1 - confidence)


def steps_for(commits: int) -> int:
    """Return the number of steps of a binary search over `commits` commits."""
    return max(1, math.ceil(math.log2(max(1, commits))))


@cache
def effort(rate: Rate, commits: int, confidence: float) -> Effort | None:
    """Estimate the effort for a failure rate; None for more than MOST_CLEAN boots of one commit.

    The search leaves half of the candidates before the last good commit, and all of them depend on its boots.
    """
    quick = _clean_boots(rate, 1, HASTE)
    sure = _clean_boots(rate, max(1.0, commits / 2), doubt_left(confidence))
    return Effort(quick, sure) if quick and sure else None


def _clean_boots(rate: Rate, others: float, risk: float) -> int | None:
    """Return the clean boots that leave the other candidates at most this probability."""
    boots = range(1, MOST_CLEAN + 1)
    return next((clean for clean in boots if _doubt(rate, others, clean) <= risk), None)


def _doubt(rate: Rate, others: float, clean: int) -> float:
    against = others * likelihood(rate.failures, rate.clean + clean)
    return against / (against + likelihood(rate.failures, rate.clean))


def reachable(rate: Rate, commits: int) -> float:
    """Return the highest confidence that MOST_CLEAN boots of a commit can give, rounded down to a percent."""
    doubt = _doubt(rate, max(1.0, commits / 2), MOST_CLEAN)
    return max(0, math.floor(100 * (1 - doubt / CAUTION))) / 100
