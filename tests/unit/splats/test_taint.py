# SPDX-License-Identifier: GPL-2.0-only
"""Taint flags that no report explains: each is a splat, and compared like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.compare.splats import compare_splats
from results.model.run import Boot, LineRange, Splat, Status, TestResult, Verdict
from results.splats.rules import RULES
from results.splats.taint import EXPLAINED, FLAGS, letters, unexplained_taints
from tests.samples.cells import boot, cell, splat

MACHINE_CHECK, BAD_PAGE, DIED, WARNED = 16, 32, 128, 512


def results(*taints: int | None) -> tuple[TestResult, ...]:
    """Make results of ten lines each, t1 from line 10 on; None is a boot whose guest did not tell."""
    return tuple(
        TestResult(f"t{number}", Status.PASS, lines=LineRange(10 * number, 10 * number + 9), taint=taint)
        for number, taint in enumerate(taints, start=1)
    )


def found(at_boot: int | None, tests: tuple[TestResult, ...], *splats: Splat) -> list[tuple[str, str | None]]:
    return [(each.signature, each.test) for each in unexplained_taints(at_boot, tests, splats)]


def report(kind: str, line: int) -> Splat:
    return replace(splat(), kind=kind, lines=LineRange(line, line + 3))


def test_a_clean_kernel_has_none() -> None:
    assert found(0, results(0, 0)) == []
    assert found(None, results(None, None)) == [], "a log of an older guest program"


def test_the_test_that_gained_a_flag_is_named_once() -> None:
    assert found(0, results(0, WARNED, WARNED)) == [("taint | W", "t2")]
    assert found(0, results(WARNED, WARNED | DIED)) == [("taint | W", "t1"), ("taint | D", "t2")]
    assert found(0, results(BAD_PAGE | WARNED)) == [("taint | B", "t1"), ("taint | W", "t1")]


def test_a_flag_of_the_boot_itself_is_no_results() -> None:
    (only,) = unexplained_taints(WARNED, results(WARNED), ())
    assert (only.signature, only.test, only.lines) == ("taint | W", None, LineRange(1, 10))


def test_a_test_that_did_not_tell_leaves_the_flag_to_the_next() -> None:
    assert found(0, results(0, None, WARNED)) == [("taint | W", "t3")]
    assert found(None, results(WARNED)) == [("taint | W", "t1")]


@pytest.mark.parametrize(
    ("kind", "line", "flags", "left"),
    [
        ("warning", 12, WARNED, []),
        ("warning", 3, WARNED, []),
        ("warning", 25, WARNED, ["taint | W"]),
        ("warning", 12, BAD_PAGE, ["taint | B"]),
        ("bad-page", 12, WARNED | BAD_PAGE, ["taint | W"]),
        ("oops", 12, DIED, []),
        ("kasan", 12, BAD_PAGE, []),
        ("lockdep", 12, WARNED, ["taint | W"]),
        ("a kind without a row", 12, WARNED, []),
        ("warning", 12, 1, ["taint | P"]),
    ],
)
def test_a_report_of_the_right_kind_above_the_reading_explains_a_flag(
    kind: str, line: int, flags: int, left: list[str]
) -> None:
    assert [name for name, _ in found(0, results(flags, flags), report(kind, line))] == left


def test_every_kind_of_report_says_which_flags_it_sets() -> None:
    assert {rule.kind for rule in RULES} == set(EXPLAINED)
    assert set("".join(EXPLAINED.values())) <= {letter for letter, _ in FLAGS}


def test_flags_are_shown_by_their_letters() -> None:
    assert letters(0) == ""
    assert letters(WARNED | DIED | MACHINE_CHECK) == "MDW"
    assert letters(1 << 18 | 1 << 40) == "N[40]"
    (only,) = unexplained_taints(0, results(WARNED | 1 << 40), (report("warning", 11),))
    assert only.signature == "taint | [40]"
    assert only.excerpt == ("/proc/sys/kernel/tainted: 1099511628288 (W[40]) after t1, 0 before that",)


def tainted(*signatures: str) -> Boot:
    return boot("pass", splats=[splat(f"taint | {letter}") for letter in signatures])


@pytest.mark.parametrize(
    ("base", "series", "verdict"),
    [("", "W", Verdict.REGRESSION), ("W", "W", Verdict.UNCHANGED), ("W", "", Verdict.FIXED)],
)
def test_flags_are_compared_as_splats(base: str, series: str, verdict: Verdict) -> None:
    (compared,) = compare_splats(
        *(cell(*(replace(tainted(*flags), id=number) for number in "12")) for flags in (base, series))
    )
    assert compared.verdict is verdict
