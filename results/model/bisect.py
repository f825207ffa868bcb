# SPDX-License-Identifier: GPL-2.0-only
"""What a bisection found, as plain values; `bisect.json` is a `Bisection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from results.model.run import Head, LineRange
from results.model.walk import BootNote, BuildNote


@dataclass(frozen=True, slots=True)
class CommitNote:
    """One commit and what to call it."""

    id: str
    name: str
    """Its variant: `patch/7`, or `commit/` and the first digits of its id."""
    subject: str
    author: str
    """Name and address."""


@dataclass(frozen=True, slots=True)
class BisectScope:
    """What a bisection was asked; part of its plan."""

    until: str
    """The predicate, as `results.bisect.predicate` reads it."""
    confidence: float
    good: CommitNote
    bad: CommitNote
    commits: int
    """Candidates: those that bad has and good has not."""
    all_tests: bool = False
    """Run all tests in each boot, not only those that the predicate is about."""


@dataclass(frozen=True, slots=True)
class EndFact:
    """How the search on one architecture ended."""

    arch: str
    ending: SearchEnding
    words: str
    """What went wrong, if the search could not even begin or go on."""
    commit: str
    """Id of the culprit, or of the end of the history that is not what it should be; or empty."""
    before: str
    """Id of the culprit's parent, whose boots the answer rests on; or empty."""
    left: tuple[str, ...]
    marks: Mapping[str, Mark]
    commits: tuple[CommitNote, ...]
    """All that the other keys name, in the order in which they were looked at."""
    rate: Rate
    git_log: str
    mentioned: tuple[str, ...]
    """Addresses in the culprit's trailers."""
    certainty: float | None = None
    """The probability that it is the culprit, given all boots; None without a culprit or boots."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """One commit that was looked at on one architecture."""

    commit: CommitNote
    mark: Mark | None
    words: str
    """`bad: failed in 1 of 2 boots`."""
    same_as: str
    """Name of another commit whose kernel is the same bytes and was booted for both; or empty."""
    build: BuildNote | None
    votes: tuple[Vote, ...]
    boots: tuple[BootNote, ...]


@dataclass(frozen=True, slots=True)
class ArchBisection:
    """The search on one architecture."""

    arch: str
    ending: SearchEnding | None
    """None while it goes on, or after it was interrupted."""
    words: str
    """What it came to, in one sentence."""
    culprit: CommitNote | None
    before: CommitNote | None
    """The culprit's parent."""
    left: tuple[CommitNote, ...]
    """Any of these may be the culprit, if it could not be told."""
    rate: Rate
    """How often the bad commit showed it."""
    certainty: float | None
    """The probability that it is the culprit, given all boots; None without a culprit or boots."""
    looks: tuple[CommitResult, ...]
    git_log: str
    mentioned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bisection(Head):
    """Everything that `bisect.json` says."""

    until: str
    confidence: float
    good: CommitNote
    bad: CommitNote
    commits: int
    arches: tuple[ArchBisection, ...]
    headline: str
    """The answer in one sentence."""
    exit_code: int
    """0 a culprit was found, 2 good is bad or bad is good, 3 it could not be said."""
    complete: bool


class SearchEnding(StrEnum):
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


class Mark(StrEnum):
    """What git is told of a commit."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


class Ballot(StrEnum):
    """The vote itself."""

    GOOD = "good"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote, why, and where to read of it."""

    ballot: Ballot
    words: str
    boot: str = ""
    log: str = ""
    """Relative to the folder of the bisection."""
    lines: LineRange | None = None
    is_final: bool = False
    """Of a vote of none: another boot would not decide either."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Failures in a number of boots."""

    failures: int = 0
    boots: int = 0

    @property
    def clean(self) -> int:
        """Boots that did not fail."""
        return self.boots - self.failures

    @property
    def words(self) -> str:
        """For people: `3 of 10 boots`."""
        return f"{self.failures} of {self.boots} boot{'s' if self.boots != 1 else ''}"
