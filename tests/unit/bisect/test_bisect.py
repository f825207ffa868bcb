# SPDX-License-Identifier: GPL-2.0-only
"""The search itself, on histories and failures that are only played."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.sources.git.bisect_state import History
from harness.sources.git.repository import Repository
from results.bisect.confidence import (
    MOST_CLEAN,
    MOST_TO_LEARN,
    Kernel,
    Posterior,
    effort,
    likelihood,
    reachable,
    steps_for,
)
from results.bisect.search import Hint, Question, Search, SearchResult
from results.model.bisect import Ballot, Mark, Rate, SearchEnding, Vote
from tests.samples.tiny_kernel import commit, git, make_kernel

GOOD, BAD = Vote(Ballot.GOOD, "clean"), Vote(Ballot.BAD, "seen")
NONE, UNBUILT = Vote(Ballot.NONE, "lost"), Vote(Ballot.NONE, "does not build", is_final=True)


@dataclass
class Line:
    """A history without branches: commits are numbers from 0."""

    last: int

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        bad = min([self.last, *(int(name) for name, mark in marks.items() if mark is Mark.BAD)])
        good = max([0, *(int(name) for name, mark in marks.items() if mark is Mark.GOOD and int(name) < bad)])
        skipped = {int(name) for name, mark in marks.items() if mark is Mark.SKIP}
        left = [number for number in range(good + 1, bad) if number not in skipped]
        if left:
            return Hint(next=str(left[len(left) // 2]))
        between = tuple(str(number) for number in range(good + 1, bad + 1))
        return Hint(culprit=between[0]) if len(between) == 1 else Hint(left=between)

    def parents(self, name: str) -> Sequence[str]:
        return [str(int(name) - 1)]

    def line(self, name: str) -> frozenset[str]:
        return frozenset(map(str, range(int(name) + 1)))


@dataclass
class Played:
    """Votes of each boot are what a function says of the commit."""

    outcome: Callable[[int], Vote]
    built: Callable[[int], Vote | None] = lambda number: None
    image: Callable[[int], int] = lambda number: number
    boots: list[int] = field(default_factory=list)
    rounds: int = 0

    def meet(self, name: str) -> tuple[str, Sequence[Vote]]:
        known = self.built(int(name))
        return str(self.image(int(name))), [known] if known else []

    def boot(self, names: Sequence[str]) -> Sequence[Vote]:
        self.rounds += 1
        self.boots += map(int, names)
        return [self.outcome(int(name)) for name in names]


def search(played: Played, last: int = 24, width: int = 1, confidence: float = 0.99) -> SearchResult:
    question = Question("0", str(last), last, confidence, width=width)
    return Search(question, Line(last), played).run()


def since(culprit: int) -> Callable[[int], Vote]:
    return lambda number: BAD if number >= culprit else GOOD


@pytest.mark.parametrize("culprit", [1, 2, 7, 12, 23, 24])
@pytest.mark.parametrize("width", [1, 2, 8])
def test_what_fails_every_time_takes_one_boot_for_each_step(culprit: int, width: int) -> None:
    played = Played(since(culprit))
    found = search(played, width=width)
    assert (found.ending, found.commit) == (SearchEnding.FOUND, str(culprit))
    assert len(set(played.boots) - {0, 24, culprit - 1}) <= steps_for(24)
    early = [number for number in played.boots if number < culprit - 1]
    assert max(Counter(early).values(), default=0) <= 2, "what comes before the parent is hardly booted"
    assert len(played.boots) <= 14
    assert played.rounds <= {1: 14, 2: 8, 8: 7}[width]


def games(rate: float, count: int) -> list[bool]:
    """Bisections of a failure that comes with this rate, seeded; whether each names the culprit."""
    right = []
    for seed in range(count):
        chance = random.Random(f"{rate} {seed}")
        culprit = chance.randint(1, 24)

        def outcome(number: int, chance: random.Random = chance, culprit: int = culprit) -> Vote:
            return BAD if number >= culprit and chance.random() < rate else GOOD

        played = Played(outcome)
        found = search(played, width=2)
        assert len(played.boots) <= 2 * MOST_CLEAN
        right.append((found.ending, found.commit) == (SearchEnding.FOUND, str(culprit)))
    return right


def test_a_30_percent_failure_is_found_20_times_out_of_20() -> None:
    assert all(games(0.3, 20))


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "count"), [(0.3, 100), (0.6, 200), (0.9, 200)])
def test_wrong_answers_are_as_rare_as_was_asked(rate: float, count: int) -> None:
    assert games(rate, count).count(False) <= count / 50, "half of that is to be expected at most"


def test_a_commit_that_passed_for_good_too_early_is_found_out() -> None:
    passes = {12: 2}

    def outcome(number: int) -> Vote:
        if number < 12:
            return GOOD
        if passes.get(number):
            passes[number] -= 1
            return GOOD
        return BAD

    assert search(Played(outcome)).commit == "12"


def test_a_bad_commit_that_passes_once_makes_the_search_careful() -> None:
    boots = iter([BAD, GOOD])
    played = Played(lambda number: next(boots, BAD) if number == 12 else since(10)(number))
    always = Played(since(10))
    assert search(played, width=2).commit == search(always, width=2).commit == "10"
    assert played.boots.count(9) > always.boots.count(9)


def test_a_culprit_that_cannot_be_booted_any_more_does_not_hold_the_search_up() -> None:
    boots = iter([BAD])
    found = search(Played(lambda number: next(boots, NONE) if number == 10 else since(10)(number)))
    assert found.commit == "10"


def test_infrastructure_never_votes_and_is_tried_again() -> None:
    lost = {6: 2, 12: 2, 24: 2, 0: 2}

    def outcome(number: int) -> Vote:
        if lost.get(number):
            lost[number] -= 1
            return NONE
        return since(13)(number)

    assert search(Played(outcome)).commit == "13"


def test_commits_that_say_nothing_are_skipped() -> None:
    played = Played(since(9), built=lambda number: UNBUILT if 10 <= number <= 14 else None)
    found = search(played)
    assert found.commit == "9"
    assert not {10, 11, 12, 13, 14} & set(played.boots), "what does not build is not booted"


def test_when_all_skip_the_candidates_are_named() -> None:
    found = search(Played(since(9), built=lambda number: UNBUILT if 0 < number < 24 else None))
    assert found.ending is SearchEnding.ONLY_SKIPPED
    assert found.left == tuple(map(str, range(1, 25)))


def test_a_parent_of_which_nothing_more_can_be_said_is_a_candidate() -> None:
    clean = iter([GOOD])
    found = search(Played(lambda number: next(clean, NONE) if number == 8 else since(9)(number)))
    assert found.ending is SearchEnding.ONLY_SKIPPED
    assert found.left == ("8", "9")


@pytest.mark.parametrize(
    ("outcome", "ending", "commit"),
    [
        (lambda number: GOOD, SearchEnding.BAD_IS_GOOD, "24"),
        (lambda number: BAD, SearchEnding.GOOD_IS_BAD, "0"),
        (lambda number: GOOD if number else BAD, SearchEnding.GOOD_IS_BAD, "0"),
        (lambda number: NONE if number else GOOD, SearchEnding.END_UNJUDGED, "24"),
        (lambda number: BAD if number else NONE, SearchEnding.END_UNJUDGED, "0"),
    ],
)
@pytest.mark.parametrize("width", [1, 2])
def test_ends_that_are_not_what_they_should_be(
    outcome: Callable[[int], Vote], ending: SearchEnding, commit: str, width: int
) -> None:
    found = search(Played(outcome), width=width)
    if (ending, commit, width) == (SearchEnding.GOOD_IS_BAD, "0", 1) and outcome(24) is GOOD:
        ending, commit = SearchEnding.BAD_IS_GOOD, "24"  # on one CPU bad is asked first
    assert (found.ending, found.commit) == (ending, commit)


def test_a_failure_that_is_too_rare_is_told() -> None:
    boots = iter([BAD, *[GOOD] * 100])
    found = search(Played(lambda number: next(boots, GOOD) if number == 24 else GOOD))
    assert found.ending is SearchEnding.TOO_RARE


def test_equal_images_share_their_votes() -> None:
    played = Played(since(9), image=lambda number: number // 3)
    assert search(played).commit == "9"
    assert not {1, 2, 7, 10, 11} & set(played.boots)
    same = Played(lambda number: BAD, image=lambda number: 0)
    assert search(same).ending is SearchEnding.GOOD_IS_BAD


def test_what_a_build_tells_is_not_booted() -> None:
    played = Played(lambda number: pytest.fail("booted"), built=since(5))
    question = Question("0", "24", 24, 0.99, booted=False)
    assert Search(question, Line(24), played).run().commit == "5"


# How many boots


def test_what_boots_say_of_a_rate_is_the_rule_of_succession_but_for_what_always_fails() -> None:
    """With Jeffreys' prior: half a failure and half a clean boot beforehand."""
    assert likelihood(4, 7) / likelihood(3, 7) == pytest.approx(3.5 / 11)
    assert likelihood(3, 8) / likelihood(3, 7) == pytest.approx(7.5 / 11)
    assert likelihood(0, 0) == 1
    assert likelihood(9, 0) / likelihood(8, 0) > 0.97, "it fails every time"


def line_of(*numbers: int) -> Kernel:
    """The image of these commits of a line."""
    lines = [frozenset(map(str, range(number + 1))) for number in numbers]
    return Kernel(frozenset.intersection(*lines), frozenset.union(*lines))


def weights(candidates: int, *seen: tuple[Kernel, Rate]) -> Mapping[str, float]:
    kernels, rates = zip(*seen, strict=True)
    names = [str(number) for number in range(candidates)]
    suspicion = Posterior(names, kernels)
    return {name: suspicion.certainty(name, rates) for name in names}


def test_a_failure_clears_what_comes_later_and_clean_boots_what_comes_before() -> None:
    before = weights(4, (line_of(3), Rate(3, 3)))
    assert set(before.values()) == {0.25}
    after = weights(4, (line_of(3), Rate(3, 3)), (line_of(2), Rate(1, 1)), (line_of(1), Rate(0, 2)))
    assert after["3"] == 0
    assert after["0"] == after["1"] < 0.03
    assert sum(after.values()) == pytest.approx(1)
    assert after["2"] > 0.94


def test_failures_of_any_bad_commit_count_alike_and_so_do_clean_boots() -> None:
    one = weights(9, (line_of(8), Rate(4, 6)), (line_of(5), Rate(2, 4)), (line_of(4), Rate(0, 7)))
    two = weights(9, (line_of(8), Rate(1, 1)), (line_of(5), Rate(5, 9)), (line_of(4), Rate(0, 7)))
    assert one == pytest.approx(two)
    assert one["5"] > one["4"] == one["0"] > 0


def test_a_commit_that_changes_no_bit_of_the_kernel_is_not_the_culprit() -> None:
    same = weights(5, (line_of(4), Rate(1, 1)), (line_of(2, 3), Rate(0, 1)))
    assert same["3"] == 0
    assert same["4"] > same["2"] == same["0"] > 0


def test_votes_that_no_single_culprit_explains_make_nobody_one() -> None:
    sides = [Kernel(frozenset({side}), frozenset({side})) for side in ("a", "b")]
    assert Posterior(["a", "b"], sides).share(["a", "b"], [Rate(1, 1), Rate(1, 1)]) == 0


def test_the_more_certain_a_failure_the_fewer_boots() -> None:
    rates = [Rate(5, 5), Rate(3, 3), Rate(5, 7), Rate(5, 17), Rate(3, 30)]
    needed = [effort(rate, 24, 0.99) for rate in rates]
    sure = [each.sure for each in needed if each]
    assert sure == sorted(sure)
    assert len(set(sure)) == len(rates)
    assert needed[0]
    assert needed[0].quick == 1
    assert sure[0] <= 6


def test_what_would_take_too_many_boots_is_refused_and_the_confidence_within_reach_is_known() -> None:
    rare = Rate(1, MOST_TO_LEARN)
    assert effort(rare, 24, 0.99) is None
    within = reachable(rare, 24)
    assert 0 <= within < 0.99
    assert effort(Rate(3, 40), 24, reachable(Rate(3, 40), 24))
    assert effort(Rate(3, 40), 24, reachable(Rate(3, 40), 24) + 0.01) is None


@pytest.mark.parametrize(("commits", "steps"), [(1, 1), (2, 1), (3, 2), (24, 5), (32, 5), (33, 6)])
def test_steps_are_those_of_halving(commits: int, steps: int) -> None:
    assert steps_for(commits) == steps


# With git itself


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """base - a - b - m - z, and base - s - t - m."""
    path = make_kernel(tmp_path_factory.mktemp("branched") / "linux")
    named = {"base": git(path, "rev-parse", "HEAD")}
    for name in ("s", "t"):
        named[name] = commit(path, name, {"side": name})
    git(path, "checkout", "--quiet", "-b", "main", named["base"])
    for name in ("a", "b"):
        named[name] = commit(path, name, {"mm/x.c": name})
    git(path, "merge", "--quiet", "--no-edit", named["t"])
    named["m"] = git(path, "rev-parse", "HEAD")
    named["z"] = commit(path, "z", {"mm/x.c": "z"})
    return path, named


@dataclass
class Sides:
    """Trials of the branched history: a commit is bad if the culprit is one of its ancestors."""

    path: Path
    culprit: str
    first_clean: dict[str, int] = field(default_factory=dict)

    def meet(self, name: str) -> tuple[str, Sequence[Vote]]:
        return name, []

    def boot(self, names: Sequence[str]) -> Sequence[Vote]:
        return [self._boot(name) for name in names]

    def _boot(self, name: str) -> Vote:
        if self.first_clean.get(name):
            self.first_clean[name] -= 1
            return GOOD
        bad = Repository(self.path).succeeds("merge-base", "--is-ancestor", self.culprit, name)
        return BAD if bad else GOOD


@pytest.mark.parametrize(("name", "flaky"), [("a", 0), ("z", 0), ("s", 1), ("t", 0), ("m", 1)])
def test_git_finds_any_commit_around_a_merge(
    branched: tuple[Path, dict[str, str]], name: str, flaky: int
) -> None:
    """Also if every commit passes once although it is bad, and git must be told otherwise."""
    path, named = branched
    history = History(Repository(path), named["base"], named["z"])
    assert history.commits == 6
    early = {commit_id: flaky for other, commit_id in named.items() if other not in ("base", "z")}
    question = Question(named["base"], named["z"], history.commits, 0.99)
    found = Search(question, history, Sides(path, named[name], early)).run()
    assert (found.ending, found.commit) == (SearchEnding.FOUND, named[name])
    assert f"# first bad commit: [{named[name]}]" in history.log(found.marks)
    assert not list(path.glob(".git/BISECT_*"))


def test_ends_that_are_no_history_are_told(branched: tuple[Path, dict[str, str]]) -> None:
    path, named = branched
    repository = Repository(path)
    for good, bad, words in (
        ("z", "a", "are they the wrong way round?"),
        ("a", "a", "the same commit"),
        ("t", "b", f"they diverge at {named['base'][:12]}"),
    ):
        with pytest.raises(UsageError, match=words.replace("?", r"\?")):
            History(repository, named[good], named[bad])
    git(path, "checkout", "--quiet", "--orphan", "alone")
    alone = commit(path, "alone", {"x": "y"})
    with pytest.raises(UsageError, match="no history in common"):
        History(repository, alone, named["z"])


def test_git_tells_subject_author_and_whom_the_trailers_name(tmp_path: Path) -> None:
    path = make_kernel(tmp_path / "linux")
    message = "mm: do it\n\nWhy.\n\nReviewed-by: A B <a@b.example>\nCc: <list@b.example>\nLink: https://x\n"
    tip = commit(path, message, {"x": "y"})
    told = History(Repository(path), f"{tip}^", tip).tell(tip)
    assert (told.subject, told.author) == ("mm: do it", "Jörg Author <author@kernel.example>")
    assert told.mentioned == ("A B <a@b.example>", "<list@b.example>")
