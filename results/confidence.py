"""How many boots a verdict takes when a failure does not come every time. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

ALWAYS = 5
"""A failure that came in each of so many boots is likely to come every time."""
ALWAYS_ODDS = 0.2
"""Before the first boot: the probability that a failure comes every time."""
FAILURES_WANTED = 5
"""So many failures tell the rate of one that does not; more of them would cost more boots than they save."""
MOST_TO_SEE = 30
"""A failure that did not come in so many boots of the bad commit is not looked for any longer."""
MOST_TO_LEARN = 60
"""The rate is not asked of more boots than this, nor of more than half of them after three failures."""
MOST_CLEAN = 300
"""No commit is booted more often than this to be called good."""
HASTE = 0.3
"""On the way a bad commit may pass for good this often: what matters in the end is boots of its own."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What the boots of the known-bad commit have shown."""

    failures: int = 0
    boots: int = 0

    @property
    def always(self) -> bool:
        """Whether it failed every time so far."""
        return self.failures == self.boots > 0

    @property
    def settled(self) -> bool:
        """Whether more boots of it are not needed."""
        if self.always:
            return self.boots >= ALWAYS
        most = MOST_TO_LEARN if self.failures < 3 else MOST_TO_LEARN // 2
        return self.failures >= FAILURES_WANTED or self.boots >= most

    @property
    def words(self) -> str:
        """For people: `3 of 10 boots`."""
        return f"{self.failures} of {self.boots} boot{'s' if self.boots != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Effort:
    """Clean boots that a commit needs."""

    quick: int
    """To be taken for good while the search goes on."""
    sure: int
    """To be called good where the answer rests on it."""


def miss(rate: Rate, clean: int) -> float:
    """The probability that a bad commit passes `clean` boots in a row.

    Each boot of it fails with a probability p that is the same for all bad commits, and of which
    `rate` is all that is known. Beforehand p is 1 with probability ALWAYS_ODDS, else anything from
    0 to 1 alike. In the latter case p is Beta(failures + 1, boots - failures + 1) distributed after
    `rate`, and the mean of (1 - p) ** clean over that is

        B(failures + 1, boots - failures + 1 + clean) / B(failures + 1, boots - failures + 1),

    the beta-binomial distribution of a future sample (Gelman et al., Bayesian Data Analysis, 3rd
    edition, chapter 2; for one boot it is Laplace's rule of succession). p = 1 is out of the question
    after the first boot that did not fail, and ever more likely with each that did, since the other
    case explains `boots` failures of as many boots with probability 1 / (boots + 1) only. Why the
    boots of `rate` ended does not matter to any of this, so it may be asked after each of them.
    """
    failed, passed = rate.failures + 1, rate.boots - rate.failures + 1
    sometimes = math.exp(_log_beta(failed, passed + clean) - _log_beta(failed, passed))
    if clean and rate.failures == rate.boots:
        by_chance = (1 - ALWAYS_ODDS) / (rate.boots + 1)
        return sometimes * by_chance / (by_chance + ALWAYS_ODDS)
    return sometimes


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)


def steps_for(commits: int) -> int:
    """Verdicts that halving takes to find one of so many commits."""
    return max(1, math.ceil(math.log2(max(1, commits))))


@cache
def effort(rate: Rate, commits: int, confidence: float) -> Effort | None:
    """The boots of a verdict in a search among so many commits; None if there would be too many.

    The answer is wrong only if a bad commit is called good. A search meets `steps_for` commits, and
    more where it has to go back; twice as many are allowed for. None of them is called good wrongly
    with the asked confidence if each one is with at most (1 - confidence) / (2 * steps) (Boole's inequality).
    """
    quick = clean_boots(rate, HASTE)
    sure = clean_boots(rate, (1 - confidence) / (2 * steps_for(commits)))
    return Effort(min(quick, sure), sure) if quick and sure else None


def clean_boots(rate: Rate, risk: float) -> int | None:
    """The clean boots that a bad commit passes with at most this probability; None above MOST_CLEAN."""
    return next((clean for clean in range(1, MOST_CLEAN + 1) if miss(rate, clean) <= risk), None)


def reachable(rate: Rate, commits: int) -> float:
    """The highest confidence that MOST_CLEAN boots of a commit can give, rounded down to a percent."""
    return math.floor(100 * (1 - miss(rate, MOST_CLEAN) * 2 * steps_for(commits))) / 100
