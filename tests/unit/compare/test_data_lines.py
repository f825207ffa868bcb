# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.compare.measures.data_lines import (
    LONGEST_LINE,
    MOST_LINES,
    DataError,
    DataLine,
    parse_data_lines,
)
from results.compare.measures.pgtable_cost import read_page_tables
from results.compare.measures.sweep_rows import read_sweep
from results.compare.measures.timing import read_samples
from results.model.run import Status, TestResult
from tests.samples.data_words import cost_lines, sweep_lines, timing_lines

GOLDEN = Path(__file__).parents[2] / "golden" / "data"


def test_lines_are_found_among_the_output() -> None:
    found = parse_data_lines(["TAP version 13", "data storm forks=64 reached=1", "# data storm", "ok 1"])
    assert found.lines == (DataLine("storm", {"forks": "64", "reached": "1"}),)
    assert found.left_out == ()


def test_a_line_without_values_is_one() -> None:
    assert parse_data_lines(["data nothing"]).lines == (DataLine("nothing", {}),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("data ", "no kind"),
        ("data Sweep n=1", "no kind"),
        ("data sweep n", "not key=value"),
        ("data sweep n=", "not key=value"),
        ("data sweep  n=1", "not key=value"),
        ("data sweep n=1 ", "not key=value"),
        ("data sweep N=1", "not key=value"),
        ("data sweep n=\x1b[31m", "not key=value"),
        ("data sweep n=\ud800", "not key=value"),
        ("data sweep n=1 n=2", "n is there twice"),
        ("data lost on the way", "not key=value"),
        (f"data sweep n={'1' * LONGEST_LINE}", f"longer than {LONGEST_LINE} bytes"),
    ],
)
def test_what_is_malformed_is_left_out_and_said(line: str, said: str) -> None:
    found = parse_data_lines([line, "data storm forks=1"])
    assert [each.kind for each in found.lines] == ["storm"]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith(f"{said}: data ")
    assert found.left_out[0].isprintable()
    assert len(found.left_out[0]) < 400


def test_a_flood_is_cut_off() -> None:
    found = parse_data_lines(["data x n=1", "data ?"] * MOST_LINES)
    assert len(found.lines) == MOST_LINES // 2
    assert len(found.left_out) == MOST_LINES // 2 + 1
    assert found.left_out[-1] == f"all data after {MOST_LINES} lines"


VALUES = DataLine(
    "x",
    {
        "n": "12",
        "minus": "-3",
        "word": "ENOMEM",
        "none": "absent",
        "list": "1,2,3",
        "hole": "1,,3",
        "big": "9" * 19,
    },
)


def test_values_are_read_as_what_they_are() -> None:
    assert VALUES.number("n", 1) == 12
    assert VALUES.number("minus") == -3
    assert VALUES.number_or_absent("none") is None
    assert VALUES.number_or_absent("n") == 12
    assert VALUES.numbers("list", 3) == (1, 2, 3)
    assert VALUES.name("word") == "ENOMEM"
    assert VALUES.name("word", "ok", "ENOMEM") == "ENOMEM"


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: VALUES.number("word"), "word is no number"),
        (lambda: VALUES.number("big"), "big is no number"),
        (lambda: VALUES.number("minus", 0), "minus is -3, less than 0"),
        (lambda: VALUES.number("gone"), "gone is missing"),
        (lambda: VALUES.number_or_absent("word"), "word is no number"),
        (lambda: VALUES.numbers("list", 2), "list has more than 2 numbers"),
        (lambda: VALUES.numbers("hole", 3), "hole has what is no number"),
        (lambda: VALUES.flag("n"), "n is neither 0 nor 1"),
        (lambda: VALUES.name("word", "ok"), "word is not what it can be"),
        (lambda: VALUES.name("list"), "list is not what it can be"),
    ],
)
def test_values_that_are_something_else_are_refused(read: Callable[[], object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read()


REAL = (*sweep_lines("ok split end"), *cost_lines(4096), *timing_lines([5, 6, 7]))
WORDS = sorted(
    {word for line in REAL for word in line.split(" ")} | {"n=99999999999999999999", "n=-1", "=", ""}
)


@st.composite
def outputs(draw: st.DrawFn) -> list[str]:
    """Lines that are nearly right: real ones, shuffled, with words from elsewhere or rubbish in them."""
    lines = []
    for line in draw(st.lists(st.sampled_from(REAL), max_size=30)):
        words = line.split(" ")
        for _ in range(draw(st.integers(0, 2))):
            words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(WORDS) | st.text(max_size=5))
        lines.append(" ".join(words))
    return lines


@given(outputs() | st.lists(st.text().map("data {}".format)))
def test_no_output_is_too_bad_to_be_read(output: list[str]) -> None:
    found = parse_data_lines(output)
    assert len(found.lines) + len(found.left_out) == sum(line.startswith("data ") for line in output)
    for status in (Status.PASS, Status.SKIP):
        run = read_sweep("munmap", TestResult("fault_sweep.munmap", status, output=tuple(output)))
        assert [row.n for row in run.rows] == sorted({row.n for row in run.rows})
        if run.finished:
            assert [row.n for row in run.rows] == list(range(1, len(run.rows) + 1))
            assert run.trying is None
    tables = read_page_tables(output)
    assert tables is None or (tables.thps > 0 and tables.table_bytes > 0)
    assert all(value >= 0 for value in read_samples(output, "fork"))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_every_line_of_real_boots_is_read(path: Path) -> None:
    lines = path.read_text().splitlines()
    found = parse_data_lines(lines)
    assert found.left_out == ()
    assert len(found.lines) == len(lines) > 0
