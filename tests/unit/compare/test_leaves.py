# SPDX-License-Identifier: GPL-2.0-only
"""Base against series by the leaves of a test: what programs print, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.compare.compare import compare_arch, compare_test
from results.compare.verdict import run_verdict
from results.console.outcome import ProcessEnd, judge, judge_unfinished
from results.model.run import (
    Boot,
    BootEnd,
    Cell,
    CounterChange,
    Evidence,
    KnownFailure,
    LineRange,
    PlannedTest,
    TestComparison,
    TestResult,
    Verdict,
)
from tests.samples.cells import boot, cell

TEST = PlannedTest("t", ("/bin/t",), 30.0)
DAY = "2027-03-31"


def printed(text: str, end: ProcessEnd | None = None) -> TestResult:
    """Make the result of a program that prints these lines, joined by slashes, and exits like kselftest."""
    lines = [line.strip() for line in text.split(" / ")]
    failed = any(line.startswith(("not ok", "Bail out")) for line in lines)
    judged = judge(end or ProcessEnd("exit", int(failed), 1), lines)
    return TestResult("t", judged.status, judged.reason, 1.0, lines=LineRange(5, 9), leaves=judged.leaves)


def timed_out(text: str) -> TestResult:
    return printed(text, ProcessEnd("timeout", 30_000, 1))


def died(text: str) -> TestResult:
    judged = judge_unfinished(text.split(" / "), "the guest died in this test")
    return TestResult("t", judged.status, judged.reason, lines=LineRange(5, 9), leaves=judged.leaves)


def kernel(*results: TestResult | str) -> Cell:
    """Make a cell with a boot for each result; one that failed is seen twice if it is the only one."""
    runs = [printed(each) if isinstance(each, str) else each for each in results]
    if len(runs) == 1 and runs[0].status in ("FAIL", "ERROR"):
        runs *= 2
    return cell(*(_boot(run, number) for number, run in enumerate(runs, start=1)))


def _boot(run: TestResult, number: int) -> Boot:
    end = BootEnd.PANIC if run.status == "ERROR" else BootEnd.DONE
    made = boot("pass", end, number=number)
    return replace(made, tests=(run,))


def compared(base: Cell | str, series: Cell | str, *known: KnownFailure) -> TestComparison:
    cells = [kernel(each) if isinstance(each, str) else each for each in (base, series)]
    return compare_test(TEST, cells[0], cells[1], (), known, DAY)


def exit_code(base: Cell | str, series: Cell | str, *known: KnownFailure) -> int:
    cells = [kernel(each) if isinstance(each, str) else each for each in (base, series)]
    steady = PlannedTest("steady", ("/bin/steady",), 30.0)
    cells = [_with_steady(each) for each in cells]
    return run_verdict(
        [compare_arch("x86_64", [TEST, steady], cells[0], cells[1], (), False, (), known, DAY)]
    ).exit_code


def _with_steady(of: Cell) -> Cell:
    """Add a test that passes, so that a run is not empty for its known failures."""
    first, *rest = of.boots
    made = printed("1..1 / ok 1 a")
    steady = TestResult("steady", made.status, "", 1.0, lines=LineRange(1, 3), leaves=made.leaves)
    return cell(replace(first, tests=(steady, *first.tests)), *rest)


def leaves(comparison: TestComparison) -> dict[str, str]:
    return {leaf.name: leaf.verdict.value for leaf in comparison.leaves}


def known(*subtests: str, says: str = "", expires: str = DAY) -> KnownFailure:
    return KnownFailure("x86_64", "t", "an old bug", expires, subtests, says)


GIVES_UP = "1..4 / ok 1 a / ok 2 b / ok 3 c / Bail out! no hugetlbfs"
FAILS_AND_GIVES_UP = "1..4 / ok 1 a / not ok 2 b / not ok 3 c / Bail out! no hugetlbfs"


@pytest.mark.parametrize("entries", [(), (known("d", says="no hugetlbfs"),)])
def test_failing_subtests_of_a_test_that_fails_on_both(entries: tuple[KnownFailure, ...]) -> None:
    found = compared(GIVES_UP, FAILS_AND_GIVES_UP, *entries)
    assert (found.verdict, found.known_failure) == (Verdict.REGRESSION, "")
    assert leaves(found) == {"b": "regression", "c": "regression", "": "fails on both"}
    assert found.reason.startswith(
        "2 subtests failing only with the series: b, c (not ok 2 b); fails on both"
    )
    assert exit_code(GIVES_UP, FAILS_AND_GIVES_UP, *entries) == 1


def test_subtests_that_are_skipped_only_with_the_series() -> None:
    found = compared(
        "1..4 / ok 1 a / ok 2 b / ok 3 c / ok 4 d",
        "1..4 / ok 1 a / ok 2 b # SKIP no swap / ok 3 c # SKIP no swap / ok 4 d # SKIP no swap",
    )
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reason == "3 subtests skipped with the series: b, c, d (skipped: no swap)"
    assert leaves(found) == dict.fromkeys(["b", "c", "d"], "not exercised")


@pytest.mark.parametrize(
    ("base", "series", "reason", "found"),
    [
        (
            "1..4 / ok 1 a / ok 2 b / ok 3 c / ok 4 d", "1..1 / ok 1 a",
            "3 subtests gone with the series: b, c, d", dict.fromkeys(["b", "c", "d"], "not exercised"),
        ),
        (
            "1..2 / ok 1 a / ok 2 b", "1..2 / ok 1 a / ok 2 z",
            "1 subtest gone with the series: b", {"b": "not exercised", "z": "unchanged"},
        ),
        (
            "1..2 / ok 1 a / ok 2 a", "1..1 / ok 1 a",
            "1 subtest gone with the series: a #2", {"a #2": "not exercised"},
        ),
        (
            "1..2 / ok 1 a / ok 2 b # SKIP no swap", "1..1 / ok 1 a",
            "1 subtest gone with the series: b", {"b": "not exercised"},
        ),
    ],
)  # fmt: skip
def test_subtests_that_vanish(base: str, series: str, reason: str, found: dict[str, str]) -> None:
    comparison = compared(base, series)
    assert (comparison.verdict, comparison.reason) == (Verdict.NOT_EXERCISED, reason)
    assert leaves(comparison) == found


@pytest.mark.parametrize(
    ("base", "series", "found"),
    [
        ("1..1 / ok 1 a", "1..2 / ok 1 a / ok 2 b", {"b": "unchanged"}),
        ("1..2 / ok 1 a / ok 2 b # SKIP x", "1..2 / ok 1 a / ok 2 b", {"b": "unchanged"}),
        ("1..2 / ok 1 a / ok 2 b # SKIP x", "1..2 / ok 1 a / ok 2 b # SKIP y", {}),
        ("1..2 / ok 1 a / ok 2 took 17 ms", "1..2 / ok 1 a / ok 2 took 23 ms", {}),
        ("1..1 / ok 1 at 0x7f00a000", "1..1 / ok 1 at 0x7fd3b000", {}),
    ],
)
def test_what_is_new_or_named_by_a_number_is_no_finding(
    base: str, series: str, found: dict[str, str]
) -> None:
    comparison = compared(base, series)
    assert comparison.verdict is Verdict.UNCHANGED
    assert leaves(comparison) == found


def test_a_failure_that_the_program_calls_by_another_name() -> None:
    """Many of mm's selftests print one text for a success and another for each way to fail."""
    found = compared(
        "1..2 / not ok 1 a / ok 2 pages were unmerged", "1..2 / not ok 1 a / not ok 2 UFFDIO_API failed"
    )
    assert found.verdict is Verdict.REGRESSION
    assert leaves(found) == {"pages were unmerged": "regression", "a": "fails on both"}


def test_repeated_names_are_told_apart_by_number() -> None:
    found = compared("1..3 / not ok 1 x / ok 2 x / ok 3 x", "1..3 / not ok 1 x / ok 2 x / not ok 3 x")
    assert leaves(found) == {"x #3": "regression", "x #1": "fails on both"}


def test_a_result_that_is_missing_with_the_series_is_the_one_of_its_number() -> None:
    found = compared("1..3 / not ok 1 a / ok 2 b / ok 3 c", "1..3 / not ok 1 a / ok 3 c")
    assert leaves(found)["b"] == "not exercised"
    assert "1 subtest without a result with the series: b" in found.reason


def test_a_failure_seen_once_is_flaky_whatever_else_fails() -> None:
    base = "1..2 / not ok 1 a / ok 2 b"
    found = compared(base, kernel("1..2 / not ok 1 a / not ok 2 b", base), known("a"))
    assert (found.verdict, found.known_failure) == (Verdict.FLAKY, "")
    assert leaves(found) == {"b": "flaky", "a": "fails on both"}


def test_known_subtest_is_out_of_the_verdict_and_nothing_else_is() -> None:
    base = "1..3 / not ok 1 a / ok 2 b / ok 3 c"
    assert compared(base, base, known("a")).known_failure == "an old bug"
    assert compared(base, base, known("?")).known_failure == "an old bug"
    assert exit_code(base, base, known("a")) == 0
    for other in ("b", "", "a/b"):
        assert compared(base, base, known(other)).known_failure == ""
        assert exit_code(base, base, known(other)) == 3
    skips = "1..3 / not ok 1 a / ok 2 b # SKIP no swap / ok 3 c"
    found = compared(base, skips, known("a"))
    assert (found.verdict, found.known_failure) == (Verdict.NOT_EXERCISED, "")
    assert (
        found.reason == "1 subtest skipped with the series: b (skipped: no swap); known failure: an old bug"
    )
    assert exit_code(base, "1..1 / not ok 1 a", known("a")) == 3
    assert exit_code(base, "1..3 / not ok 1 a / ok 2 b / not ok 3 c", known("a")) == 1


def test_known_subtest_covers_no_timeout_signal_or_death() -> None:
    base = "1..2 / not ok 1 a / ok 2 b"
    for series in (timed_out(base), printed(base, ProcessEnd("signal", 11, 1)), died(base)):
        found = compared(base, kernel(series), known("a"))
        assert (found.verdict, found.known_failure) == (Verdict.REGRESSION, "")
        assert leaves(found) == {"": "regression", "a": "fails on both"}
        assert found.reason.startswith("the test itself failing only with the series: ")
        assert exit_code(base, kernel(series), known("a")) == 1


def test_known_reason_covers_failures_with_this_reason_only() -> None:
    entry = known(says="no hugetlbfs")
    assert compared(GIVES_UP, GIVES_UP, entry).known_failure == "an old bug"
    assert compared(GIVES_UP, GIVES_UP, known(says="no swap")).known_failure == ""
    other = "1..4 / ok 1 a / ok 2 b / ok 3 c / Bail out! page lost"
    assert compared(GIVES_UP, other, entry).known_failure == ""
    assert compared(GIVES_UP, kernel(GIVES_UP, other), entry).known_failure == ""
    assert exit_code(GIVES_UP, "1..4 / ok 1 a / Bail out! no hugetlbfs", entry) == 3


def test_how_far_a_test_gets_that_is_known_to_time_out_is_chance() -> None:
    base, series = kernel(timed_out("ok 1 a / ok 2 b / ok 3 c")), kernel(timed_out("ok 1 a / ok 2 b"))
    assert compared(base, series, known(says="timed out")).known_failure == "an old bug"
    found = compared(base, series)
    assert "1 subtest not reached with the series: c" in found.reason
    assert exit_code(base, series) == 3


def test_an_entry_that_explains_nothing_is_said() -> None:
    base = kernel("1..1 / not ok 1 a")
    found = compare_arch("x86_64", [TEST], base, base, (), False, (), (known("b"),), DAY)
    assert found.notes == ("known failure t explains nothing that fails now: an old bug",)


def test_subtests_without_the_evidence_of_their_test_prove_nothing() -> None:
    test = PlannedTest("t", ("/bin/t",), 30.0, (Evidence("thp_split_pmd", 1),))
    still = replace(printed("1..1 / ok 1 a"), counters={"thp_split_pmd": CounterChange(1, 1)})
    found = compare_test(test, kernel(still), kernel(still))
    assert (found.verdict, found.leaves) == (Verdict.NOT_EXERCISED, ())
    assert compare_test(test, kernel(still), kernel("1..1 / not ok 1 a")).verdict is Verdict.NOT_EXERCISED
