# SPDX-License-Identifier: GPL-2.0-only
"""What a bisection looks for: what can be said, what can't, and how one boot of a kernel votes on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.bisect.predicate import (
    CounterIs,
    NotBooting,
    NotBuilding,
    Predicate,
    PredicateError,
    SplatSeen,
    TestFails,
    Vocabulary,
    WarningSeen,
    parse,
)
from results.bisect.predicate import tests_for as needed_for
from results.bisect.vote import trial, vote, votes_of
from results.model.bisect import Ballot
from results.model.run import BootEnd, Build, Cell, CompilerWarning, CounterChange, PlannedTest, TestResult
from tests.samples.cells import NO_THP, boot, build, cell, plan, splat

WORDS = Vocabulary(("pmd_split.munmap", "pmd_split.mremap", "small_pages.munmap"), ("thp_split_pmd",))
SIGNATURE = "warning | mm/huge_memory.c | __split_huge_pmd"


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("pmd_split.munmap fails", TestFails("pmd_split.munmap")),
        ("  pmd_split.*   fails ", TestFails("pmd_split.*")),
        ("thp_split_pmd_failed > 0", CounterIs("thp_split_pmd_failed", ">", 0)),
        ("thp_split_pmd>=12", CounterIs("thp_split_pmd", ">=", 12)),
        ("thp_split_pmd != -1 in pmd_split.*", CounterIs("thp_split_pmd", "!=", -1, "pmd_split.*")),
        (f"splat {SIGNATURE}", SplatSeen(SIGNATURE)),
        (f'splat "{SIGNATURE}" in pmd_split.munmap', SplatSeen(SIGNATURE, "pmd_split.munmap")),
        ("splat 'say \"in\"'", SplatSeen('say "in"')),
        ("does not boot", NotBooting()),
        ("does not build", NotBuilding()),
        ("warning appears", WarningSeen()),
        ("warning appears in mm/mremap.c", WarningSeen("mm/mremap.c")),
    ],
)
def test_what_can_be_said(text: str, predicate: Predicate) -> None:
    assert parse(text, WORDS) == predicate
    assert parse(str(predicate), WORDS) == predicate


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 0, "nothing is said; expected `TEST fails`"),
        ("pmd_split.munmap", 16, "it ends here; expected `fails`"),
        ("pmd_split.munmap fail", 17, "expected `fails`, found 'fail'"),
        ("pmd_split.munmap fails now", 23, "expected nothing more, found 'now'"),
        ("pmd_split.munmop fails", 0, "Did you mean 'pmd_split.munmap'?"),
        ("pmd_split fails", 0, "no planned test is called 'pmd_split'. Did you mean 'pmd_split.*'?"),
        ("does not", 8, "it ends here; expected `boot` or `build`"),
        ("does not bot", 9, "expected `boot` or `build`, found 'bot'"),
        ("does nit boot", 5, "expected `not`, found 'nit'"),
        ("warning apears", 8, "expected `appears`, found 'apears'"),
        ("warning appears at mm/x.c", 16, "expected `in`, found 'at'"),
        ("warning appears in", 18, "it ends here; expected a file"),
        ("thp_split_pmd > many", 16, "expected a whole number, found 'many'"),
        ("thp_split_pmd >", 15, "it ends here; expected a whole number"),
        ("thp_split_pmd", 13, "it ends here; expected `fails`, or a comparison: >= <= == != > <"),
        ("nonsense", 0, "expected `TEST fails`, `COUNTER > N`, `splat SIGNATURE`"),
        ("thp_split_pmd => 3", 14, "expected `fails`, or a comparison"),
        ("hp_split_pmd > 3", 0, "Did you mean 'thp_split_pmd'?"),
        ("nr_page_table_pages > 3", 0, "is a level"),
        ("meminfo.PageTables > 3", 0, "is a level"),
        ("thp_split_pmd > 3 in pmd_splot.munmap", 21, "Did you mean 'pmd_split.munmap'?"),
        ('splat "never closed', 6, "this quote is never closed"),
        ('splat ""', 6, "expected a signature"),
        ('splat "a" on pmd_split.munmap', 10, "expected `in`, found 'on'"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, column: int, problem: str) -> None:
    with pytest.raises(PredicateError) as caught:
        parse(text, WORDS)
    assert problem in str(caught.value)
    assert caught.value.column == column
    shown = str(caught.value).splitlines()
    assert shown[-2:] == [f"  {text}", "  " + " " * column + "^"]


def test_a_boot_runs_what_the_predicate_is_about() -> None:
    planned = plan("a.one", "a.two", "b.one")

    def names(text: str) -> list[str]:
        tests = needed_for(parse(text, Vocabulary(("a.one", "a.two", "b.one"))), planned)
        return [test.name for test in tests]

    assert names("a.* fails") == ["a.one", "a.two"]
    assert names("thp_x > 0") == names("splat x") == ["a.one", "a.two", "b.one"]
    assert names("thp_x > 0 in b.one") == ["b.one"]
    assert names("does not boot") == ["a.one"]
    assert names("does not build") == names("warning appears") == []


# Votes

TESTS = plan("t", "u")
FIRST = TESTS[:1]


def ballot(predicate: Predicate, of: Cell, tests: tuple[PlannedTest, ...] = FIRST) -> str:
    found = vote(predicate, tests, of)
    assert found.words
    return str(found.ballot)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("fail", "bad"),
        ("died", "bad"),
        ("pass", "good"),
        ("idle", "none"),
        ("skip", "none"),
        ("miss", "none"),
        ("silent", "none"),
        ("damaged", "none"),
    ],
)
def test_a_test_that_fails(word: str, expected: str) -> None:
    assert ballot(TestFails("t"), cell(boot(word))) == expected


def test_a_guest_that_dies_in_another_test_says_nothing() -> None:
    died = cell(boot("died miss", names=("u", "t")))
    assert ballot(TestFails("t"), died) == "none"
    assert ballot(TestFails("u"), died, TESTS[1:]) == "bad"


def test_all_tests_of_a_pattern_must_pass() -> None:
    both = TestFails("*")
    assert ballot(both, cell(boot("pass pass", names=("t", "u"))), TESTS) == "good"
    assert ballot(both, cell(boot("pass fail", names=("t", "u"))), TESTS) == "bad"
    assert ballot(both, cell(boot("pass idle", names=("t", "u"))), TESTS) == "none"


def test_what_the_machine_can_not_run_is_final() -> None:
    found = vote(TestFails("t"), FIRST, cell(boot("skip", capabilities=NO_THP)))
    assert (found.ballot, found.is_final) == (Ballot.NONE, True)
    assert "no EDAT-1" in found.words


def test_a_machine_that_fails_never_votes() -> None:
    died = cell(boot("died", end=BootEnd.MACHINE))
    for predicate in (TestFails("t"), SplatSeen("x"), NotBooting(), CounterIs("thp_split_pmd", ">", 0)):
        expected = "good" if predicate == NotBooting() else "none"
        assert ballot(predicate, died) == expected, "its first test had begun"
    assert ballot(NotBooting(), cell(boot("miss", end=BootEnd.MACHINE))) == "none"


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (BootEnd.PANIC, "bad"),
        (BootEnd.HANG, "bad"),
        (BootEnd.REBOOT, "bad"),
        (BootEnd.TIMEOUT, "none"),
        (BootEnd.MACHINE, "none"),
    ],
)
def test_a_kernel_that_does_not_boot(end: BootEnd, expected: str) -> None:
    assert ballot(NotBooting(), cell(boot("miss", end=end))) == expected


def test_only_the_splat_that_is_looked_for_counts() -> None:
    wanted, other = splat(SIGNATURE), splat("oops | page-fault | f")
    assert ballot(SplatSeen(SIGNATURE), cell(boot("pass", splats=[wanted]))) == "bad"
    assert ballot(SplatSeen("__split_huge_pmd"), cell(boot("died", splats=[other, wanted]))) == "bad"
    assert ballot(SplatSeen("warning * __split*"), cell(boot("pass", splats=[wanted]))) == "bad"
    assert ballot(SplatSeen(SIGNATURE), cell(boot("pass", splats=[other]))) == "good"
    assert ballot(SplatSeen(SIGNATURE), cell(boot("died", splats=[other]))) == "none"
    assert ballot(SplatSeen(SIGNATURE), cell(boot("pass miss", names=("t", "u"))), TESTS) == "none"


def test_a_splat_in_another_test_is_not_the_one() -> None:
    there = replace(splat(SIGNATURE), test="u")
    booted = cell(boot("pass pass", names=("t", "u"), splats=[there]))
    assert ballot(SplatSeen(SIGNATURE, "t"), booted) == "good"
    assert ballot(SplatSeen(SIGNATURE, "u"), booted, TESTS[1:]) == "bad"


def counting(word: str, change: int | None, name: str = "t") -> TestResult:
    (result,) = boot(word, names=(name,)).tests
    after = None if change is None else 5 + change
    return replace(result, counters={**result.counters, "thp_x": CounterChange(5, after)})


def counted(*changes: int | None) -> Cell:
    names = ("t", "u")[: len(changes)]
    results = tuple(counting("pass", change, name) for change, name in zip(changes, names, strict=True))
    return cell(replace(boot(["pass"] * len(names), names=names), tests=results))


def test_a_counter_is_added_up_over_the_tests() -> None:
    more = CounterIs("thp_x", ">", 2)
    assert ballot(more, counted(1, 2), TESTS) == "bad"
    assert ballot(more, counted(1, 1), TESTS) == "good"
    assert ballot(CounterIs("thp_x", "==", 0), counted(0), FIRST) == "bad"
    assert ballot(CounterIs("thp_x", "!=", 0), counted(0), FIRST) == "good"


def test_a_counter_that_the_kernel_has_not_says_nothing_and_another_is_guessed() -> None:
    found = vote(CounterIs("thp_y", ">", 0), FIRST, counted(1))
    assert (found.ballot, found.is_final) == (Ballot.NONE, True)
    assert "no counter thp_y. Did you mean 'thp_x'?" in found.words


def test_a_counter_is_only_good_if_its_tests_ran_to_the_end() -> None:
    died = replace(boot("pass died", names=("t", "u")), tests=(counting("pass", 3), boot("died").tests[0]))
    half = cell(replace(died, tests=(died.tests[0], replace(died.tests[1], name="u"))))
    assert ballot(CounterIs("thp_x", ">", 2), half, TESTS) == "bad", "it can only rise"
    assert ballot(CounterIs("thp_x", ">", 3), half, TESTS) == "none"
    assert ballot(CounterIs("thp_x", "==", 3), half, TESTS) == "none", "the rest is not known"
    assert ballot(CounterIs("thp_x", ">", 2), cell(boot("idle")), FIRST) == "none"


def warned(*texts: str) -> Build:
    return build(warnings=[CompilerWarning("mm/x.c", 3, "-Wunused", text) for text in texts])


def test_only_new_warnings_count() -> None:
    before, after = warned("old"), warned("old", "new")
    judged = vote(WarningSeen(), (), cell(built=after), before)
    assert (judged.ballot, judged.words) == (Ballot.BAD, "mm/x.c:3: new [-Wunused]")
    assert vote(WarningSeen("mm/y.c"), (), cell(built=after), before).ballot is Ballot.GOOD
    assert vote(WarningSeen(), (), cell(built=before), before).ballot is Ballot.GOOD


@pytest.mark.parametrize("predicate", [TestFails("t"), NotBooting(), WarningSeen(), SplatSeen("x")])
def test_what_does_not_build_is_skipped_at_once(predicate: Predicate) -> None:
    found = vote(predicate, FIRST, cell(built=build(ok=False)))
    assert (found.ballot, found.is_final) == (Ballot.NONE, True)
    lacking = vote(predicate, FIRST, cell(built=build(ok=False, infrastructure=True)))
    assert (lacking.ballot, lacking.is_final) == (Ballot.NONE, False)


def test_builds_vote_on_building() -> None:
    assert ballot(NotBuilding(), cell(built=build(ok=False))) == "bad"
    assert ballot(NotBuilding(), cell()) == "good"
    assert ballot(NotBuilding(), cell(built=build(ok=False, infrastructure=True))) == "none"


def test_each_trial_has_one_vote() -> None:
    boots = [replace(boot(word, number=at), purpose=trial(at)) for at, word in enumerate(["pass", "fail"], 1)]
    assert [each.ballot for each in votes_of(TestFails("t"), FIRST, cell(*boots))] == ["good", "bad"]
    unbuilt = cell(built=build(ok=False))
    assert [each.is_final for each in votes_of(TestFails("t"), FIRST, unbuilt)] == [True]
