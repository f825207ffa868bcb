# SPDX-License-Identifier: GPL-2.0-only
"""The search for the first bad commit: which kernel to boot next, and when the answer is certain enough.

Git selects the next commit; this decides how often it is booted. One bad vote makes a commit bad. On the way
a commit is marked good after few clean boots. In the end the culprit and its parents are booted until all
votes together give the requested confidence (`results.bisect.confidence`). A commit that was marked good too
early fails there, and the search continues from it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Protocol

from results.bisect.confidence import (
    HASTE,
    MOST_CLEAN,
    MOST_TO_LEARN,
    MOST_TO_SEE,
    Kernel,
    Posterior,
    doubt_left,
    effort,
)
from results.model.bisect import Ballot, Mark, Rate, SearchEnding, Vote

GIVEN_UP_AFTER = 3
"""Number of consecutive boots without a vote after which a commit is skipped."""
MOST_AGAIN = 8
"""Upper bound of the boots of a culprit that are planned at once."""
FAILURES_OF_USE = 5
"""Idle CPUs boot bad commits again until this number of failures."""


@dataclass(frozen=True, slots=True)
class Hint:
    """The answer of git to the marks; one of the three is set."""

    next: str = ""
    culprit: str = ""
    left: tuple[str, ...] = ()
    """Candidates for the culprit, of which all but the bad one are skipped."""


class Git(Protocol):
    """The history between good and bad."""

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        """Return the next commit to judge."""

    def parents(self, commit: str) -> Sequence[str]:
        """Return the parents of a commit, the first one first."""

    def line(self, commit: str) -> frozenset[str]:
        """Return a commit and its ancestors, as far as the good end."""


class Trials(Protocol):
    """Builds and boots the kernels of commits."""

    def meet(self, commit: str) -> tuple[str, Sequence[Vote]]:
        """Build a commit; returns the key of its votes, and its votes so far.

        Commits with the same image have the same key, and share their votes.
        """

    def boot(self, commits: Sequence[str]) -> Sequence[Vote]:
        """Boot each of these commits (one may occur twice) concurrently; returns one vote each."""


@dataclass(frozen=True, slots=True)
class Question:
    """The range of a search, and its confidence."""

    good: str
    bad: str
    commits: int
    """Candidates: those that bad has and good has not."""
    confidence: float
    booted: bool = True
    """False if a build alone shows the symptom."""
    width: int = 1
    """Number of concurrent guests."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The end of a search."""

    ending: SearchEnding
    commit: str = ""
    """The culprit, or the end of the history that is not what it should be."""
    left: tuple[str, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)


class _Over(Exception):  # noqa: N818 - no error: the search has come to its end
    def __init__(self, ending: SearchEnding, commit: str = "") -> None:
        super().__init__(ending)
        self.ending = ending
        self.commit = commit


class Search:
    """One search on one architecture; deterministic but for the votes."""

    def __init__(self, question: Question, git: Git, trials: Trials) -> None:
        self._question = question
        self._git = git
        self._trials = trials
        self._enough = 1 - doubt_left(question.confidence)
        self._keys: dict[str, str] = {}
        self._votes: dict[str, list[Vote]] = {}
        self._suspicions: dict[str, tuple[list[str], Posterior]] = {}

    def run(self) -> SearchResult:
        """Search to the end."""
        try:
            self._check_ends()
            while True:
                hint = self._git.hint(self.marks())
                if hint.next:
                    self._judge(hint.next)
                elif hint.left:
                    return SearchResult(SearchEnding.ONLY_SKIPPED, left=hint.left, marks=self.marks())
                elif self._confirmed(hint.culprit):
                    return SearchResult(SearchEnding.FOUND, hint.culprit, marks=self.marks())
        except _Over as over:
            return SearchResult(over.ending, over.commit, marks=self.marks())

    @property
    def rate(self) -> Rate:
        """The failure rate of the known-bad commit."""
        return _rate_of(self.votes(self._question.bad))

    def votes(self, commit: str) -> Sequence[Vote]:
        """Return the votes of a commit so far."""
        return self._votes.get(self._keys.get(commit, ""), ())

    def certainty(self, culprit: str) -> float:
        """Return the probability that a commit is the culprit, given all votes."""
        keys, suspicion = self._suspicion(culprit)
        return suspicion.certainty(culprit, self._seen(keys, {}))

    def marks(self) -> dict[str, Mark]:
        """Return the mark of each judged commit, the two ends included, in their order."""
        found = {commit: self._mark(commit) for commit in self._keys}
        return {commit: mark for commit, mark in found.items() if mark}

    def _mark(self, commit: str) -> Mark | None:
        ballots = [vote.ballot for vote in self.votes(commit)]
        if Ballot.BAD in ballots:
            return Mark.BAD
        if self._given_up(commit):
            return Mark.SKIP
        return Mark.GOOD if Ballot.GOOD in ballots else None

    def _given_up(self, commit: str) -> bool:
        votes = self.votes(commit)
        last = votes[-GIVEN_UP_AFTER:]
        fruitless = len(last) == GIVEN_UP_AFTER and all(vote.ballot is Ballot.NONE for vote in last)
        return fruitless or bool(votes and votes[-1].is_final)

    def _check_ends(self) -> None:
        """Check that bad is bad, often enough to be found, and that good is good."""
        good, bad = self._question.good, self._question.bad
        self._meet(bad)
        while not self.rate.failures:
            self._require_bootable_bad()
            if self.rate.boots >= (MOST_TO_SEE if self._question.booted else 1):
                raise _Over(SearchEnding.BAD_IS_GOOD, bad)
            self._meet(good)
            self._round([bad], [bad] if self._mark(good) else [good])
            self._check_good()
        self._judge(good)
        self._check_good()
        while self._question.booted and not self._is_within_reach():
            self._require_bootable_bad()
            if self.rate.boots >= MOST_TO_LEARN:
                raise _Over(SearchEnding.TOO_RARE, bad)
            self._round([bad] * self._question.width)

    def _require_bootable_bad(self) -> None:
        if self._given_up(self._question.bad):
            raise _Over(SearchEnding.END_UNJUDGED, self._question.bad)

    def _is_within_reach(self) -> bool:
        return effort(self.rate, self._question.commits, self._question.confidence) is not None

    def _check_good(self) -> None:
        good = self._question.good
        match self._mark(good):
            case Mark.BAD:
                raise _Over(SearchEnding.GOOD_IS_BAD, good)
            case Mark.SKIP:
                raise _Over(SearchEnding.END_UNJUDGED, good)

    def _judge(self, commit: str) -> None:
        """Boot a commit until it is bad, given up, or marked good."""
        self._meet(commit)
        while self._mark(commit) not in (Mark.BAD, Mark.SKIP):
            lacking = self._lacking(commit)
            if not lacking:
                return
            self._round([commit] * lacking, self._idle_work())

    def _lacking(self, commit: str) -> int:
        """Return the clean boots that a commit still needs for a good mark; at most the width."""
        clean = _rate_of(self.votes(commit)).clean
        if not self._question.booted:
            return 0 if clean else 1
        line = self._git.line(commit)
        keys, suspicion = self._suspicion()
        for more in range(0 if clean else 1, self._question.width):
            if suspicion.share(line, self._seen(keys, {commit: Rate(0, more)})) <= HASTE:
                return more
        if clean >= MOST_CLEAN:
            raise _Over(SearchEnding.TOO_RARE, self._question.bad)
        return self._question.width

    def _idle_work(self) -> list[str]:
        """Return boots for idle CPUs: they show whether the failure is deterministic."""
        known = sum(_rate_of(votes).failures for votes in self._votes.values())
        return [self._oldest_bad()] * 2 if self._question.booted and 0 < known < FAILURES_OF_USE else []

    def _oldest_bad(self) -> str:
        """Return the last bad commit: the likeliest culprit so far."""
        marked = (commit for commit, mark in self.marks().items() if mark is Mark.BAD)
        bad = [commit for commit in marked if not self._given_up(commit)]
        return min(bad, key=lambda commit: len(self._git.line(commit)), default=self._question.bad)

    def _confirmed(self, culprit: str) -> bool:
        """Return whether the culprit is certain enough, after boots of it and its parents."""
        parents = self._git.parents(culprit) or [self._question.good]
        for parent in parents:
            self._judge(parent)
        while self._stand(parents) and self._question.booted:
            if self.certainty(culprit) >= self._enough:
                return True
            self._round(self._most_telling(culprit, parents))
        return self._stand(parents)

    def _stand(self, parents: Sequence[str]) -> bool:
        """Return whether the marks are still those that git has."""
        if self._question.good in parents:
            self._check_good()
        return all(self._mark(parent) is Mark.GOOD for parent in parents)

    def _most_telling(self, culprit: str, parents: Sequence[str]) -> list[str]:
        """Return the next boots on the shortest way to certainty: the culprit and its parents in turn."""
        if all(_rate_of(self.votes(parent)).clean >= MOST_CLEAN for parent in parents):
            raise _Over(SearchEnding.TOO_RARE, self._question.bad)
        again, clean = self._shortest_way(culprit, parents)
        fewest_first = sorted(parents, key=lambda parent: _rate_of(self.votes(parent)).clean)
        turns = zip_longest([culprit] * again, fewest_first * clean)
        return [commit for turn in turns for commit in turn if commit][: self._question.width]

    def _shortest_way(self, culprit: str, parents: Sequence[str]) -> tuple[int, int]:
        """Return the boots of the culprit and of each parent that are expected to give certainty."""
        keys, suspicion = self._suspicion(culprit)
        so_far = self._seen(keys, {})
        chance = suspicion.chance(culprit, so_far)
        cleaner = {self._keys[parent] for parent in parents}

        def is_enough(again: int, clean: int) -> bool:
            more = dict.fromkeys(cleaner, Rate(0, clean))
            more[self._keys[culprit]] = Rate(round(again * chance), again)
            ahead = [_sum(rate, more.get(key, Rate())) for key, rate in zip(keys, so_far, strict=True)]
            return suspicion.certainty(culprit, ahead) >= self._enough

        ways = (
            (again, bisect_left(range(MOST_CLEAN), True, key=partial(is_enough, again)))
            for again in range(1 if self._given_up(culprit) else MOST_AGAIN + 1)
        )
        return min(ways, key=lambda way: way[0] + len(parents) * way[1])

    def _seen(self, keys: Sequence[str], foreseen: Mapping[str, Rate]) -> list[Rate]:
        """Return the votes of these kernels, with the planned boots (by commit)."""
        more = {self._keys[commit]: rate for commit, rate in foreseen.items()}
        return [_sum(_rate_of(self._votes[key]), more.get(key, Rate())) for key in keys]

    def _suspicion(self, about: str = "") -> tuple[list[str], Posterior]:
        """Return the posterior of a commit from the kernels before and after it.

        Commits of another branch say nothing about it.
        """
        if about not in self._suspicions:
            line = self._git.line(about or self._question.bad)
            lines: dict[str, list[frozenset[str]]] = {}
            for commit, key in self._keys.items():
                if not about or commit in line or about in self._git.line(commit):
                    lines.setdefault(key, []).append(self._git.line(commit))
            kernels = (Kernel(frozenset.intersection(*its), frozenset.union(*its)) for its in lines.values())
            self._suspicions[about] = list(lines), Posterior(line, list(kernels))
        return self._suspicions[about]

    def _meet(self, commit: str) -> None:
        if commit in self._keys:
            return
        key, votes = self._trials.meet(commit)
        self._keys[commit] = key
        self._votes.setdefault(key, list(votes))
        self._suspicions.clear()

    def _round(self, wanted: Sequence[str], idle: Sequence[str] = ()) -> None:
        """Boot as many kernels as run at once: needed ones, then optional ones."""
        booted = [*wanted, *idle][: self._question.width]
        for commit, vote in zip(booted, self._trials.boot(booted), strict=True):
            self._votes[self._keys[commit]].append(vote)


def _rate_of(votes: Sequence[Vote]) -> Rate:
    failures = sum(vote.ballot is Ballot.BAD for vote in votes)
    return Rate(failures, failures + sum(vote.ballot is Ballot.GOOD for vote in votes))


def _sum(one: Rate, other: Rate) -> Rate:
    return Rate(one.failures + other.failures, one.boots + other.boots)
