# SPDX-License-Identifier: GPL-2.0-only
"""What one run of a test comes to, and the leaves that are left of it."""

from __future__ import annotations

import pytest

from results.console.outcome import ProcessEnd, judge, judge_unfinished
from results.model.run import Leaf, LineRange, Status

HEAD = "TAP version 13"


def end(code: int) -> ProcessEnd:
    return ProcessEnd("exit", code, 1)


@pytest.mark.parametrize(
    ("output", "code", "says", "status", "reason"),
    [
        ([HEAD, "1..2", "ok 1 a", "ok 2 b", "Bail out! page lost"], 0, "", "FAIL", "Bail out! page lost"),
        ([HEAD, "1..2", "ok 1 a", "ok 2 b"], 2, "", "FAIL", "exit code 2, although its results say PASS"),
        ([HEAD, "1..2", "ok 1 a", "ok 2 b"], 77, "", "FAIL", "exit code 77, although its results say PASS"),
        (["5 bounces"], 2, "bounces", "FAIL", "exit code 2: 5 bounces"),
        ([HEAD, "ok 1 a", "not ok unmap failed"], 0, "", "FAIL", "not ok unmap failed"),
        ([HEAD, "ok 1 a", "not ok 2. unmap failed"], 0, "", "FAIL", "not ok 2 unmap failed"),
        ([HEAD, "ok 1 a", "\x1b[31mnot ok 2 unmap"], 0, "", "FAIL", "not ok 2 unmap"),
        (
            [HEAD, "ok 1 a", "unmap ... not ok 2"], 0, "", "MISS",
            "would be PASS, but line 3 may be a failure that could not be read: unmap ... not ok 2",
        ),
        (
            ["bounces", "unmap ... not ok"], 0, "bounces", "MISS",
            "would be PASS, but line 2 may be a failure that could not be read: unmap ... not ok",
        ),
        (
            ["1..1", "ok 1 a", "ok 2 b"], 0, "", "MISS",
            "would be PASS, but result 2 (b) is more than the plan of 1",
        ),
        (["checking", "ok"], 0, "", "MISS", "printed no result"),
        (["1..1", "ok 1 a # XFAIL no swap"], 2, "", "PASS", ""),
        (["1..1", "# not ok 1 is bad", "  1..2", "ok 1 a"], 0, "", "PASS", ""),
    ],
)  # fmt: skip
def test_status(output: list[str], code: int, says: str, status: str, reason: str) -> None:
    judged = judge(end(code), output, says=says)
    assert (judged.status.value, judged.reason) == (status, reason)


def test_output_thrown_away_hides_results_unless_there_is_a_plan() -> None:
    judged = judge(end(0), [HEAD, "ok 1 a"], cut="4096")
    assert judged.status is Status.MISS
    assert judged.reason == "would be PASS, but 4096 bytes of its output were thrown away, and it has no plan"
    assert judge(end(0), [HEAD, "1..1", "ok 1 a"], cut="4096").status is Status.PASS


def test_document_printed_twice_is_no_pass() -> None:
    once = [HEAD, "1..2", "ok 1 a"]
    judged = judge(end(0), [*once, *once, "ok 2 b"])
    assert judged.status is Status.MISS
    assert [leaf.name for leaf in judged.leaves] == ["a", "b", ""]


def test_leaves() -> None:
    output = [
        HEAD, "1..3", "ok 1 a", "    KTAP version 1", "    1..2", "    # x.c:7: lost", "    not ok 1 b",
        "    ok 2 c # SKIP no swap", "not ok 2 top", "not ok 3 d # XFAIL known",
    ]  # fmt: skip
    assert judge(end(1), output).leaves == (
        Leaf(("a",), 1, Status.PASS, "", "", LineRange(3, 3)),
        Leaf(("top", "b"), 1, Status.FAIL, "x.c:7: lost", "", LineRange(6, 7)),
        Leaf(("top", "c"), 2, Status.SKIP, "no swap", "SKIP", LineRange(8, 8)),
        Leaf(("d",), 3, Status.PASS, "known", "XFAIL", LineRange(10, 10)),
    )


def test_a_parent_that_is_worse_than_its_subtests_is_a_leaf() -> None:
    output = ["1..1", "    KTAP version 1", "    1..1", "    ok 1 b", "not ok 1 top"]
    leaves = judge(end(1), output).leaves
    assert [(leaf.name, leaf.status.value) for leaf in leaves] == [("top/b", "PASS"), ("top", "FAIL")]


def test_subtests_of_an_expected_failure_are_expected_to_fail() -> None:
    output = ["1..1", "    KTAP version 1", "    1..1", "    not ok 1 b", "not ok 1 top # XFAIL known"]
    judged = judge(end(0), output)
    assert judged.status is Status.PASS
    assert [(leaf.name, leaf.status.value, leaf.directive) for leaf in judged.leaves] == [
        ("top/b", "PASS", "XFAIL")
    ]


@pytest.mark.parametrize(
    ("how", "number", "status", "reason"),
    [
        ("signal", 11, "FAIL", "killed by SIGSEGV (11)"),
        ("timeout", 2000, "FAIL", "timed out after 2 s"),
        ("exit", 1, "FAIL", "exit code 1, although its results say PASS"),
        ("exit", 4, "SKIP", "exit code 4: skipped, although its results say PASS"),
        ("exit", 127, "ERROR", "exit code 127: the program could not be run, although its results say PASS"),
    ],
)
def test_end_of_the_process_is_a_leaf_where_it_says_more(
    how: str, number: int, status: str, reason: str
) -> None:
    leaves = judge(ProcessEnd(how, number, 1), ["1..1", "ok 1 a"]).leaves  # type: ignore[arg-type]
    assert [leaf.name for leaf in leaves] == ["a", ""]
    assert (leaves[1].path, leaves[1].status.value, leaves[1].reason) == ((), status, reason)


def test_end_of_the_process_is_no_leaf_where_a_result_says_the_same() -> None:
    assert [leaf.name for leaf in judge(end(1), ["1..1", "not ok 1 a"]).leaves] == ["a"]


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (["1..2", "ok 1 a", "not ok 2 b", "Bail out! 1 out of 2 tests failed"], ["a", "b"]),
        (["1..2", "ok 1 a", "not ok 2 b", "Bail out! child: page lost"], ["a", "b", ""]),
        (["1..3", "ok 1 a", "not ok 2 b", "Bail out! 1 out of 2 tests failed"], ["a", "b", "", ""]),
        (["1..1", "ok 1 a", "Bail out! 1 out of 2 tests failed"], ["a", ""]),
    ],
)
def test_bail_out_that_only_counts_the_failures_says_no_more(output: list[str], names: list[str]) -> None:
    judged = judge(end(1), output)
    assert judged.status is Status.FAIL
    assert [leaf.name for leaf in judged.leaves] == names


def test_leaves_of_a_test_in_which_the_guest_died() -> None:
    judged = judge_unfinished(["1..2", "ok 1 a"], "the guest died in this test")
    assert [(leaf.name, leaf.status.value) for leaf in judged.leaves] == [
        ("a", "PASS"),
        ("", "MISS"),
        ("", "ERROR"),
    ]
