"""The search for the commit that began a fault: which kernel to boot next, and when enough is known.

Git says which commit is worth a look; this says how often to boot it. What is seen once is believed:
one bad vote makes a commit bad. That a commit is good is believed after some clean boots only, and
in two stages: `quick` ones to go on with the search, `sure` ones where the answer rests on it, which
is the parent of the commit that is found. A commit that was taken for good too early fails there,
and the search goes on from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from results.confidence import ALWAYS, MOST_TO_SEE, Effort, Rate, effort
from results.vote import Ballot, Vote

GIVEN_UP_AFTER = 3
"""So many votes in a row that say nothing, and the commit is skipped."""


class Mark(StrEnum):
    """What git is told of a commit."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


class Ending(StrEnum):
    """How a search ends."""

    FOUND = "found"
    ONLY_SKIPPED = "only skipped"
    """Nothing could be said of the commits that are left."""
    GOOD_IS_BAD = "good is bad"
    BAD_IS_GOOD = "bad is good"
    END_UNJUDGED = "end not judged"
    """Nothing could be said of the good or of the bad commit."""
    TOO_RARE = "too rare"
    """The asked confidence would take too many boots."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What git says with the marks it was given: one of the three."""

    next: str = ""
    culprit: str = ""
    left: tuple[str, ...] = ()
    """Any of these may be the culprit, and all but the bad one are skipped."""


class Git(Protocol):
    """The history between good and bad."""

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        """What to look at next."""

    def parents(self, commit: str) -> Sequence[str]:
        """Those of a commit, the first one first."""


class Laboratory(Protocol):
    """Where kernels are built and booted."""

    def meet(self, commit: str) -> tuple[str, Sequence[Vote]]:
        """Build a commit; returns what its votes are kept under, and those so far.

        Commits with equal images have one key, and share them.
        """

    def boot(self, commits: Sequence[str]) -> Sequence[Vote]:
        """Boot each of these commits (one may be there twice) at once; one vote each."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for, and how surely."""

    good: str
    bad: str
    commits: int
    """Candidates: those that bad has and good has not."""
    confidence: float
    booted: bool = True
    """False if a build alone shows it, and so every time."""
    width: int = 1
    """So many guests run at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How a search ended."""

    ending: Ending
    commit: str = ""
    """The culprit, or the end of the history that is not what it should be."""
    left: tuple[str, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)


class _Over(Exception):  # noqa: N818 - no error: the search has come to its end
    def __init__(self, ending: Ending, commit: str = "") -> None:
        super().__init__(ending)
        self.ending = ending
        self.commit = commit


class Search:
    """One search on one architecture; deterministic but for the votes."""

    def __init__(self, question: Question, git: Git, laboratory: Laboratory) -> None:
        self._question = question
        self._git = git
        self._laboratory = laboratory
        self._keys: dict[str, str] = {}
        self._votes: dict[str, list[Vote]] = {}

    def run(self) -> Finding:
        """Search to the end."""
        try:
            self._check_ends()
            while True:
                hint = self._git.hint(self.marks())
                if hint.next:
                    self._judge(hint.next, sure=False)
                elif hint.left:
                    return Finding(Ending.ONLY_SKIPPED, left=hint.left, marks=self.marks())
                elif self._confirmed(hint.culprit):
                    return Finding(Ending.FOUND, hint.culprit, marks=self.marks())
        except _Over as over:
            return Finding(over.ending, over.commit, marks=self.marks())

    @property
    def rate(self) -> Rate:
        """How often the known-bad commit failed."""
        votes = self.votes(self._question.bad)
        failures = sum(vote.ballot is Ballot.BAD for vote in votes)
        return Rate(failures, failures + sum(vote.ballot is Ballot.GOOD for vote in votes))

    def effort(self) -> Effort:
        """The clean boots that are needed, as far as the rate is known."""
        question = self._question
        if not question.booted:
            return Effort(1, 1)
        needed = effort(self.rate, question.commits, question.confidence)
        if needed is None:
            raise _Over(Ending.TOO_RARE, question.bad)
        return needed

    def votes(self, commit: str) -> Sequence[Vote]:
        """Those of a commit so far."""
        return self._votes.get(self._keys.get(commit, ""), ())

    def marks(self) -> dict[str, Mark]:
        """What is believed of each commit that was looked at, the two ends included, in their order."""
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

    def _clean(self, commit: str) -> int:
        return sum(vote.ballot is Ballot.GOOD for vote in self.votes(commit))

    def _check_ends(self) -> None:
        """Bad must show it, good must not; how often bad does says how often the others are booted."""
        good, bad = self._question.good, self._question.bad
        self._meet(bad)
        while not self.rate.failures:
            if self._given_up(bad):
                raise _Over(Ending.END_UNJUDGED, bad)
            if self.rate.boots >= (MOST_TO_SEE if self._question.booted else 1):
                raise _Over(Ending.BAD_IS_GOOD, bad)
            self._meet(good)
            self._round([bad], [good] if not self._clean(good) else [bad])
            self._check_good()
        self._learn()
        self._judge(good, sure=False)
        self._check_good()

    def _check_good(self) -> None:
        good = self._question.good
        match self._mark(good):
            case Mark.BAD:
                raise _Over(Ending.GOOD_IS_BAD, good)
            case Mark.SKIP:
                raise _Over(Ending.END_UNJUDGED, good)

    def _learn(self) -> None:
        """Boot the bad commit until the rate is known; if it failed every time, idle CPUs may do it."""
        while not self._knows_enough():
            if self._given_up(self._question.bad):
                raise _Over(Ending.END_UNJUDGED, self._question.bad)
            self._round([self._question.bad] * self._question.width)

    def _knows_enough(self) -> bool:
        if not self._question.booted or self.rate.settled:
            return True
        return self.rate.always and self._question.width > 1

    def _judge(self, commit: str, *, sure: bool) -> None:
        """Boot a commit until it is bad, given up, or clean often enough."""
        self._meet(commit)
        while self._mark(commit) not in (Mark.BAD, Mark.SKIP):
            effort = self.effort()
            lacking = (effort.sure if sure else effort.quick) - self._clean(commit)
            if lacking <= 0:
                return
            self._round([commit] * lacking, self._idle_work())
            self._learn()

    def _idle_work(self) -> list[str]:
        """What a CPU that has nothing else to do may find out."""
        rate = self.rate
        return [] if not self._question.booted or rate.settled else [self._question.bad] * 2

    def _confirmed(self, culprit: str) -> bool:
        """Whether each parent of the culprit is good beyond doubt, as far as it can be booted."""
        parents = self._git.parents(culprit)
        for parent in parents:
            self._meet(parent)
        while self._question.booted and not self.rate.settled:
            if self._given_up(self._question.bad):
                raise _Over(Ending.END_UNJUDGED, self._question.bad)
            lacking = ALWAYS - self.rate.boots if self.rate.always else self._question.width
            self._round([self._question.bad] * lacking, self._bootable(parents) * self._question.width)
        for parent in parents:
            before = self._mark(parent)
            self._judge(parent, sure=True)
            if parent == self._question.good:
                self._check_good()
            after = self._mark(parent)
            if after is Mark.BAD or (before is Mark.GOOD and after is Mark.SKIP):
                return False
        return True

    def _bootable(self, commits: Sequence[str]) -> list[str]:
        return [commit for commit in commits if self._mark(commit) not in (Mark.BAD, Mark.SKIP)]

    def _meet(self, commit: str) -> None:
        if commit in self._keys:
            return
        key, votes = self._laboratory.meet(commit)
        self._keys[commit] = key
        self._votes.setdefault(key, list(votes))

    def _round(self, wanted: Sequence[str], idle: Sequence[str] = ()) -> None:
        """Boot as many as run at once: those that are wanted, then those that may as well."""
        booted = [*wanted, *idle][: self._question.width]
        for commit, vote in zip(booted, self._laboratory.boot(booted), strict=True):
            self._votes[self._keys[commit]].append(vote)
