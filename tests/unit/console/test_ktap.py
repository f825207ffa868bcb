# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.console.ktap import DEEPEST_LEVEL, MOST_MISSING_ROWS, parse_ktap
from results.console.ktap_results import KtapDocument, KtapResult, overall, worst
from results.model.run import Status


def parse(text: str) -> KtapDocument:
    return parse_ktap(text.splitlines(keepends=True))


def shape(results: tuple[KtapResult, ...]) -> list[object]:
    """Results as (number, name, status, [children])."""
    return [
        (row.number, row.name, row.status.value, shape(row.children))
        if row.children
        else (row.number, row.name, row.status.value)
        for row in results
    ]


@pytest.mark.parametrize(
    ("line", "status", "name", "directive", "reason"),
    [
        ("ok 1 works", "PASS", "works", "", ""),
        ("ok 1 - works", "PASS", "works", "", ""),
        ("ok 1", "PASS", "", "", ""),
        ("ok", "PASS", "", "", ""),
        ("ok - works", "PASS", "works", "", ""),
        ("ok 1. works", "PASS", "works", "", ""),
        ("not ok 1) broke", "FAIL", "broke", "", ""),
        ("not ok broke", "FAIL", "broke", "", ""),
        ("\x1b[31mnot ok 1 broke\x1b[0m", "FAIL", "broke", "", ""),
        ("50 %\rnot ok 1 broke", "FAIL", "broke", "", ""),
        ("not ok 1 broke", "FAIL", "broke", "", ""),
        ("not ok 1 broke # rcode=3", "FAIL", "broke", "", "rcode=3"),
        ("ok 1 x # SKIP no THP", "SKIP", "x", "SKIP", "no THP"),
        ("not ok 1 x # SKIP no THP", "SKIP", "x", "SKIP", "no THP"),
        ("ok 1 # SKIP no THP", "SKIP", "", "SKIP", "no THP"),
        ("ok 1 x #SKIP no THP", "SKIP", "x", "SKIP", "no THP"),
        ("ok 1 x # skip: no THP", "SKIP", "x", "SKIP", "no THP"),
        ("ok 1 x # SKIPPED", "SKIP", "x", "SKIP", ""),
        ("ok 1 x # XFAIL known", "PASS", "x", "XFAIL", "known"),
        ("not ok 1 x # XFAIL known", "PASS", "x", "XFAIL", "known"),
        ("ok 1 x # XPASS", "FAIL", "x", "XPASS", ""),
        ("not ok 1 x # XPASS", "FAIL", "x", "XPASS", ""),
        ("ok 1 x # TODO later", "SKIP", "x", "TODO", "later"),
        ("not ok 1 x # TODO later", "SKIP", "x", "TODO", "later"),
        ("not ok 1 x # TIMEOUT 45 seconds", "FAIL", "x", "TIMEOUT", "45 seconds"),
        ("not ok 1 # error no memory", "ERROR", "", "ERROR", "no memory"),
        ("ok 1 x # error=0", "PASS", "x", "", "error=0"),
        ("ok 1 x # skipping nothing", "PASS", "x", "", "skipping nothing"),
        ("ok 1 CPU#1 online", "PASS", "CPU#1 online", "", ""),
        (r"ok 1 a \# SKIP b", "PASS", "a # SKIP b", "", ""),
        (r"ok 1 a \\ b # c", "PASS", "a \\ b", "", "c"),
        ("ok 1 ends in a backslash \\", "PASS", "ends in a backslash \\", "", ""),
        ("[   12.345678] ok 1 stamped", "PASS", "stamped", "", ""),
        ("[   12.345678][  T123] not ok 1 stamped", "FAIL", "stamped", "", ""),
        ("<6>[   12.345678] ok 1 stamped", "PASS", "stamped", "", ""),
    ],
)
def test_result_line(line: str, status: str, name: str, directive: str, reason: str) -> None:
    (row,) = parse(f"1..1\n{line}").results
    assert (row.status.value, row.name, row.directive, row.reason) == (status, name, directive, reason)


@pytest.mark.parametrize(
    "line",
    [
        "okay then",
        "ok then",
        "not okay",
        "ok 1.5 s",
        "ok",
        "ok - fine so far",
        "ok # comment",
        "ok 12abc",
        "OK 1 x",
        "1..3 apples",
        "# ok so far",
        "  ok",
    ],
)
def test_prose_is_no_result(line: str) -> None:
    document = parse(line)
    assert document.results == ()
    assert document.plan is None
    assert document.diagnostics == (line,)


@pytest.mark.parametrize("indent", ["  ", "    ", "\t", "# "])
def test_nesting(indent: str) -> None:
    nested = ["KTAP version 1", "1..2", "ok 1 a", "not ok 2 b"]
    document = parse(
        "KTAP version 1\n1..1\n" + "".join(f"{indent}{line}\n" for line in nested) + "not ok 1 top\n"
    )
    assert shape(document.results) == [(1, "top", "FAIL", [(1, "a", "PASS"), (2, "b", "FAIL")])]
    assert document.problems == ()


def test_kselftest_runner_around_kunit_output() -> None:
    document = parse(
        "TAP version 13\n1..2\n# selftests: mm: one\n# TAP version 13\n# 1..1\n#   KTAP version 1\n#   1..2\n"
        "#   ok 1 a\n#   ok 2 b\n# ok 1 inner\n# # Totals: pass:1 fail:0\nok 1 selftests: mm: one\n"
        "# selftests: mm: two\n# TAP version 13\n# 1..1\n# ok 1 # SKIP no swap\n"
        "ok 2 selftests: mm: two # SKIP\n"
    )
    assert shape(document.results) == [
        (1, "selftests: mm: one", "PASS", [(1, "inner", "PASS", [(1, "a", "PASS"), (2, "b", "PASS")])]),
        (2, "selftests: mm: two", "SKIP", [(1, "", "SKIP")]),
    ]
    assert document.problems == ()


def test_levels_that_return_by_less_than_they_went_in() -> None:
    document = parse("1..1\n    ok 1 deep\n  ok 1 middle\nok 1 top\n")
    assert shape(document.results) == [(1, "top", "PASS", [(1, "middle", "PASS", [(1, "deep", "PASS")])])]


def test_harness_lines_are_diagnostics_of_their_result() -> None:
    document = parse(
        "TAP version 13\n1..1\n# Starting 1 tests from 1 test cases.\n#  RUN           thp.split ...\n"
        "# thp.c:12:split:Expected 0 (0) == ret (-1)\n# split: Test terminated by assertion\n"
        "#          FAIL  thp.split\nnot ok 1 thp.split\n# FAILED: 0 / 1 tests passed.\n"
        "# Totals: pass:0 fail:1 xfail:0 xpass:0 skip:0 error:0\n"
    )
    (row,) = document.results
    assert row.diagnostics[2] == "# thp.c:12:split:Expected 0 (0) == ret (-1)"
    assert len(row.diagnostics) == 5
    assert row.line == 8
    assert document.diagnostics == (
        "# FAILED: 0 / 1 tests passed.",
        "# Totals: pass:0 fail:1 xfail:0 xpass:0 skip:0 error:0",
    )


@pytest.mark.parametrize(
    ("text", "plan", "statuses", "problem"),
    [
        ("1..2\nok 1\nok 2\n", 2, ["PASS", "PASS"], None),
        ("1..2\r\nok 1\r\nok 2\r\n", 2, ["PASS", "PASS"], None),
        ("ok 1\nok 2\n1..2", 2, ["PASS", "PASS"], None),
        ("1..3\nok 1\nok 3\n", 3, ["PASS", "MISS", "PASS"], "1 of 3 planned results are missing"),
        ("1..3\nok 1\nok 2\nok 2\n", 3, ["PASS", "PASS", "PASS", "MISS"], "result 2 is there twice"),
        ("1..1\nok 1\nnot ok 2 extra\n", 1, ["PASS", "FAIL"], "result 2 (extra) is more than the plan of 1"),
        ("1..2\nnot ok 2\nok 1\n", 2, ["PASS", "FAIL"], "result 2 is out of order, 1 was expected"),
        ("ok 1\nok 2\n", None, ["PASS", "PASS"], "no plan"),
        ("1..0 # SKIP no THP here\n", 0, ["SKIP"], None),
        ("1..0\n", 0, ["SKIP"], None),
        ("1..0\nok 1 after all\n", 0, ["PASS"], "result 1 (after all) is more than the plan of 0"),
        ("1..2\n1..3\nok 1\nok 2\nok 3\n", 3, ["PASS"] * 3, "a second plan: 1..3 after 1..2"),
        ("", None, [], None),
    ],
)
def test_plan(text: str, plan: int | None, statuses: list[str], problem: str | None) -> None:
    document = parse(text)
    assert document.plan == plan
    assert [row.status.value for row in document.results] == statuses
    if problem is None:
        assert document.problems == ()
    else:
        assert problem in document.problems


def test_skipped_plan_keeps_its_reason() -> None:
    (row,) = parse("TAP version 13\n1..0 # SKIP no THP here\n").results
    assert (row.directive, row.reason) == ("SKIP", "no THP here")


def test_two_documents_after_each_other() -> None:
    document = parse("TAP version 13\n1..2\nok 1 a\nTAP version 13\n1..1\nok 1 c\n")
    assert shape(document.results) == [(1, "a", "PASS"), (2, "", "MISS"), (1, "c", "PASS")]


def test_bail_out() -> None:
    document = parse("1..2\nok 1 a\nBail out! no memory\n")
    assert document.bail_out == "no memory"
    assert overall(document) is Status.MISS


@pytest.mark.parametrize(
    ("text", "status", "has_problem"),
    [
        ("  1..1\n  not ok 1 a\nok 1 top\n", "FAIL", True),
        ("  1..1\n  not ok 1 a # ERROR x\nok 1 top\n", "ERROR", True),
        ("  1..2\n  ok 1 a\nok 1 top\n", "MISS", True),
        ("  1..1\n  ok 1 a\nnot ok 1 top\n", "FAIL", False),
        ("  1..1\n  ok 1 a # SKIP no THP\nok 1 top\n", "SKIP", False),
        ("  1..0 # SKIP no THP\nok 1 top\n", "SKIP", False),
        ("  1..2\n  ok 1 a # SKIP no THP\n  ok 2 b\nok 1 top\n", "PASS", False),
        ("  1..1\n  not ok 1 a\nok 1 top # SKIP\n", "FAIL", True),
        ("  1..1\n  not ok 1 a\nnot ok 1 top # XFAIL\n", "PASS", False),
    ],
)
def test_parent_is_never_better_than_its_children(text: str, status: str, has_problem: bool) -> None:
    document = parse("1..1\n" + text)
    assert document.results[0].status.value == status
    assert any("but a subtest says" in problem for problem in document.problems) is has_problem


def test_subtests_of_a_parent_that_never_came() -> None:
    document = parse("1..2\nok 1 a\n  1..2\n  not ok 1 b\n")
    assert shape(document.results) == [(1, "a", "PASS"), (2, "", "FAIL", [(1, "b", "FAIL"), (2, "", "MISS")])]
    assert "subtests without a result of their parent" in document.problems


def test_output_that_is_prefixed_throughout() -> None:
    assert shape(parse("# 1..1\n# ok 1 a\n").results) == [(1, "a", "PASS")]


def test_console_junk_in_between_changes_nothing() -> None:
    junk = "random: crng init done\n[    3.1] \x1b[31mred\x1b[0m\n\x00\n"
    assert shape(parse(f"{junk}1..1\n{junk}ok 1 a\n{junk}").results) == [(1, "a", "PASS")]


def test_enormous_plan_stays_small() -> None:
    document = parse("1..999999999\nok 1\n")
    assert len(document.results) == MOST_MISSING_ROWS + 1
    assert any("have a row" in problem for problem in document.problems)


def test_endless_nesting_is_cut() -> None:
    document = parse("".join(f"{'  ' * depth}ok 1 level{depth}\n" for depth in range(200)))
    depth, rows = 0, document.results
    while rows:
        depth, rows = depth + 1, rows[0].children
    assert depth <= DEEPEST_LEVEL


@pytest.mark.parametrize(
    "text",
    [
        "checking ... not ok 2 unmap failed",
        "[   1.0] vm: not ok: -12",
        "NOT OK",
        "    not ok unmap failed",
        "child: Bail out! page lost",
        "ok 2 beyond the plan",
        "TAP version 13\n1..2\nok 1 a\nTAP version 13\n1..2\nok 1 a\nok 2 b",
    ],
)
def test_what_might_hide_a_failure_is_doubted(text: str) -> None:
    assert parse(f"1..1\nok 1 a\n{text}\n").doubts


@pytest.mark.parametrize(
    "text",
    [
        "# not ok 2 is what broken kernels print here",
        "# expected `not ok 1 x`",
        "# Bail out! is what it would say",
        '"not ok" was expected',
        "not okay",
        "  1..3",
        "# 1..3",
        "  1..3 of 7 pages",
        "ok",
        "ok then",
        "ok - that went well",
    ],
)
def test_prose_changes_no_status(text: str) -> None:
    document = parse(f"1..2\nok 1 a\n{text}\nok 2 b\n{text}\n")
    assert shape(document.results) == [(1, "a", "PASS"), (2, "b", "PASS")]
    assert (document.problems, document.doubts, document.bail_out) == ((), (), None)


@pytest.mark.parametrize("text", ["  1..3", "# ok 1 quoted", "  # Subtest: quoted"])
def test_prose_between_subtests_ends_no_level(text: str) -> None:
    document = parse(
        f"1..1\n    KTAP version 1\n    1..2\n    ok 1 a\n{text}\n    not ok 2 b\nnot ok 1 top\n"
    )
    assert shape(document.results) == [(1, "top", "FAIL", [(1, "a", "PASS"), (2, "b", "FAIL")])]


def test_results_without_numbers_count_where_all_are_so() -> None:
    assert shape(parse("TAP version 13\nok - a\nnot ok - b\nok\n").results) == [
        (1, "a", "PASS"),
        (2, "b", "FAIL"),
        (3, "", "PASS"),
    ]


def test_failure_without_a_number_among_numbered_results() -> None:
    document = parse("1..2\nok 1 a\nnot ok unmap failed\nok 2 b\n")
    assert shape(document.results) == [(0, "unmap failed", "FAIL"), (1, "a", "PASS"), (2, "b", "PASS")]
    assert document.doubts == ()


@pytest.mark.parametrize("first_is_whole", [False, True])
def test_document_printed_twice_by_a_fork_without_a_flush(first_is_whole: bool) -> None:
    begun, whole = "TAP version 13\n1..3\nok 1 a\n", "TAP version 13\n1..3\nok 1 a\nok 2 b\nok 3 c\n"
    document = parse(whole + begun if first_is_whole else begun + whole)
    assert shape(document.results) == [(1, "a", "PASS"), (2, "b", "PASS"), (3, "c", "PASS")]
    assert document.doubts == ("1 of its results were printed twice, as if by a fork without a flush",)


def test_results_printed_twice_count_once() -> None:
    document = parse("1..3\nok 1 a\nok 1 a\nok 2 b\nok 2 b\nok 3 c\n")
    assert shape(document.results) == [(1, "a", "PASS"), (2, "b", "PASS"), (3, "c", "PASS")]
    assert document.doubts == ()


def test_child_that_goes_on_with_the_tests_hides_nothing() -> None:
    """As in ksm_functional_tests of Linux 6.12, where an exec in a child fails."""
    document = parse("1..3\nok 1 a\nok 2 c\n# Planned tests != run tests (3 != 2)\nok 2 b\nok 3 c\n")
    assert [(row.number, row.name) for row in document.results] == [(1, "a"), (2, "c"), (2, "b"), (3, "c")]
    assert "result 2 (b) is there twice" in document.problems
    assert document.doubts == ()


def test_document_that_stops_after_another_result_is_no_copy() -> None:
    document = parse("TAP version 13\n1..2\nnot ok 1 a\nTAP version 13\n1..2\nok 1 a\nok 2 b\n")
    assert [row.status.value for row in document.results] == ["FAIL", "MISS", "PASS", "PASS"]


def test_nested_bail_out_is_a_failed_subtest() -> None:
    document = parse("1..1\n# TAP version 13\n# 1..2\n# ok 1 a\n# Bail out! no memory\nok 1 top\n")
    assert document.bail_out is None
    assert document.results[0].status is Status.FAIL
    assert document.results[0].children[0].reason == "no memory"


def test_flood_of_lines_and_results_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.console.ktap.MOST_RESULTS", 10)
    monkeypatch.setattr("results.console.ktap.MOST_DIAGNOSTICS", 10)
    lines = ["first", *["noise"] * 1000, "# a.c:7: telling", "not ok 1 a", *(f"ok {n}" for n in range(2, 50))]
    document = parse_ktap([*lines, "not ok 50 last"])
    assert len(document.results) == 11
    assert document.results[-1].name == "last"
    assert len(document.results[0].diagnostics) <= 20
    assert document.results[0].diagnostics[0] == "first"
    assert document.results[0].diagnostics[-1] == "# a.c:7: telling"
    assert "more than 10 results: those beyond are not kept" in document.doubts


def test_overall() -> None:
    assert overall(parse("1..2\nok 1 # SKIP a\nok 2 # SKIP b\n")) is Status.SKIP
    assert overall(parse("1..2\nok 1 # SKIP a\nok 2\n")) is Status.PASS
    assert overall(parse("1..2\nok 1 # SKIP a\nnot ok 2\n")) is Status.FAIL
    assert overall(parse("hello\n")) is None


def test_worst() -> None:
    order = [Status.PASS, Status.SKIP, Status.MISS, Status.ERROR, Status.FAIL]
    for index, status in enumerate(order):
        assert worst(order[: index + 1]) is status


PIECES = st.sampled_from(
    ["ok", "not ok", " 1", " 2", " - ", "#", "# ", " # SKIP", "  ", "1..3", "1..0", "\t", "\\",
     "KTAP version 1", "Bail out!", "x", "\x00", "[ 1.0] "]
)  # fmt: skip


@given(st.lists(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=6).map("".join)), max_size=30))
def test_no_text_is_an_error(lines: list[str]) -> None:
    document = parse_ktap(lines)
    if document.plan:
        assert document.results
    assert (overall(document) is None) == (not document.results)
