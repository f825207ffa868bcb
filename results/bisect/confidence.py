# SPDX-License-Identifier: GPL-2.0-only
"""How sure one can be of a culprit where a failure may come and go, and how many boots that takes. Pure.

Every commit that has the culprit fails in each boot with the same probability p, and no other commit
fails. Of p nothing is known beforehand: it is 1 with probability ALWAYS_ODDS, else it follows Jeffreys'
prior for a rate, Beta(1/2, 1/2) (Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.8). Every
candidate may be the culprit alike. What the boots have shown then makes some of them likelier than others,
by Bayes' rule; why and in which order they were booted does not matter to that, so each vote counts,
and the probability may be asked for after any of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from results.model.bisect import Rate

ALWAYS_ODDS = 0.4
"""Before the first boot: the probability that a failure comes every time."""
_JEFFREYS = 0.5
MOST_TO_SEE = 30
"""A failure that did not come in so many boots of the bad commit is not looked for any longer."""
MOST_TO_LEARN = 60
"""The bad commit is not booted more often than this to learn whether the failure is too rare."""
MOST_CLEAN = 300
"""No commit is booted more often than this to be called good."""
CAUTION = 0.55
"""With 1, answers would be wrong as rarely as was asked over all rates of failing, but twice as often at the
worst of them (from 50 to 70 % of all boots). That it may hold there, too, less doubt is left."""
HASTE = 0.3
"""On the way a commit is taken for good while it may be bad with this probability: the end is what counts."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Clean boots that a commit will take, as far as one can say beforehand."""

    quick: int
    """To be taken for good while the search goes on."""
    sure: int
    """To be called good where the answer rests on it."""


@cache
def likelihood(failures: int, clean: int) -> float:
    """The probability that bad commits fail in these boots and pass those, in the order in which they did.

    It is the mean of p ** failures * (1 - p) ** clean over what is known of p beforehand; for the part
    where p is not 1 that is the ratio of two beta functions.
    """
    sometimes = math.exp(_log_beta(failures + _JEFFREYS, clean + _JEFFREYS) - _log_beta(_JEFFREYS, _JEFFREYS))
    return (1 - ALWAYS_ODDS) * sometimes + (0 if clean else ALWAYS_ODDS)


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)


@dataclass(frozen=True, slots=True)
class Kernel:
    """An image: which candidates would make it bad.

    Several commits may have it. A candidate that only some of them have changes nothing in it, and is not
    what made it fail.
    """

    in_all: frozenset[str]
    in_any: frozenset[str]


class Posterior:
    """How likely each candidate is the culprit, given the votes of the kernels that were booted."""

    def __init__(self, candidates: Collection[str], kernels: Sequence[Kernel]) -> None:
        """`candidates` are commit ids; what is said of `kernels` later is said in this order."""
        self._alike: dict[tuple[bool | None, ...], list[str]] = {}
        for candidate in candidates:
            self._alike.setdefault(tuple(_makes_bad(candidate, kernel) for kernel in kernels), []).append(
                candidate
            )

    def certainty(self, culprit: str, seen: Sequence[Rate]) -> float:
        """The probability that it is this one."""
        return self.share((culprit,), seen)

    def share(self, suspects: Collection[str], seen: Sequence[Rate]) -> float:
        """The probability that it is one of these; 0 if no candidate explains the votes."""
        failures = sum(rate.failures for rate in seen)
        ours = total = 0.0
        for ways, alike in self._alike.items():
            weight = self._explains(ways, seen, failures)
            total += weight * len(alike)
            ours += weight * sum(candidate in suspects for candidate in alike) if weight else 0
        return ours / total if total else 0.0

    def chance(self, culprit: str, seen: Sequence[Rate]) -> float:
        """The probability that a bad commit fails in its next boot, if this one is the culprit."""
        ways = next(ways for ways, alike in self._alike.items() if culprit in alike)
        failures = sum(rate.failures for rate in seen)
        clean = sum(rate.clean for makes_bad, rate in zip(ways, seen, strict=True) if makes_bad)
        return likelihood(failures + 1, clean) / likelihood(failures, clean)

    @staticmethod
    def _explains(ways: Sequence[bool | None], seen: Sequence[Rate], failures: int) -> float:
        clean = 0
        for makes_bad, rate in zip(ways, seen, strict=True):
            if makes_bad is None or (rate.failures and not makes_bad):
                return 0.0
            if makes_bad:
                clean += rate.clean
        return likelihood(failures, clean)


def _makes_bad(candidate: str, kernel: Kernel) -> bool | None:
    """None if it can not be the culprit."""
    if candidate in kernel.in_all:
        return True
    return None if candidate in kernel.in_any else False


def doubt_left(confidence: float) -> float:
    """How probable it may be, for the asked confidence, that the culprit is another."""
    return CAUTION * (1 - confidence)


def steps_for(commits: int) -> int:
    """Verdicts that halving takes to find one of so many commits."""
    return max(1, math.ceil(math.log2(max(1, commits))))


@cache
def effort(rate: Rate, commits: int, confidence: float) -> Effort | None:
    """What is ahead when a bad commit has shown this; None if it is more than MOST_CLEAN boots of one commit.

    Halving leaves half of the candidates before the last good commit, and all of them rest on its boots.
    """
    quick = _clean_boots(rate, 1, HASTE)
    sure = _clean_boots(rate, max(1.0, commits / 2), doubt_left(confidence))
    return Effort(quick, sure) if quick and sure else None


def _clean_boots(rate: Rate, others: float, risk: float) -> int | None:
    """The clean boots that leave so many other candidates no more than this probability."""
    boots = range(1, MOST_CLEAN + 1)
    return next((clean for clean in boots if _doubt(rate, others, clean) <= risk), None)


def _doubt(rate: Rate, others: float, clean: int) -> float:
    against = others * likelihood(rate.failures, rate.clean + clean)
    return against / (against + likelihood(rate.failures, rate.clean))


def reachable(rate: Rate, commits: int) -> float:
    """The highest confidence that MOST_CLEAN boots of a commit can give, rounded down to a percent."""
    doubt = _doubt(rate, max(1.0, commits / 2), MOST_CLEAN)
    return max(0, math.floor(100 * (1 - doubt / CAUTION))) / 100
