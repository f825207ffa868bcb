# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest

from results.compare.measures.fault_sweep import read_sweep
from results.model.measurements import SweepRun
from results.model.run import Status, SweepComparison, TestResult, Verdict
from results.reports.content.numbers import (
    BROKEN,
    CUT_SHORT,
    DONE,
    LEGEND,
    NOTHING,
    REFERENCE,
    REPORTED,
    SPLIT_FAILED,
    attempts,
    grouped_attempts,
    handled,
    nanoseconds,
    split_summary,
)
from tests.samples.data_words import sweep_lines


def swept(words: str, failed: str = "0") -> SweepRun:
    lines = sweep_lines(words, failed=failed)
    return read_sweep("munmap", TestResult("fault_sweep.munmap", Status.PASS, output=lines))


def comparison(base: SweepRun, series: SweepRun) -> SweepComparison:
    return SweepComparison("munmap", "fault_sweep.munmap", base, series, Verdict.UNCHANGED, "")


def test_rows_are_aligned_by_n_and_have_shapes() -> None:
    found = attempts(comparison(swept("ENOMEM end"), swept("ok split unusable_x end try")))
    assert [(each.base_shape, each.series_shape) for each in found] == [
        (REPORTED, DONE),
        (REFERENCE, SPLIT_FAILED),
        (NOTHING, BROKEN),
        (NOTHING, REFERENCE),
    ]


def test_what_was_cut_short_is_shown_and_what_comes_after_is_not_known() -> None:
    found = attempts(comparison(swept("ok try"), swept("ok ok ok end")))
    assert [each.base_shape for each in found] == [DONE, CUT_SHORT, NOTHING, NOTHING]
    assert [each.base_words for each in found[1:]] == ["cut short", "not known", "not known"]


def test_no_two_shapes_differ_by_colour_alone() -> None:
    assert len({shape.sign for shape in LEGEND}) == len(LEGEND)
    assert all(shape.sign and shape.meaning for shape in LEGEND)


def test_neighbours_of_which_the_same_is_to_be_said_stand_together() -> None:
    found = grouped_attempts(comparison(swept("ok ok ok end"), swept("ok ok ENOMEM end")))
    assert [each.numbers for each in found] == ["1–2", "3", "4"]
    assert found[1].series == "ENOMEM, nothing changed, retried ok"
    assert found[2].base == "none failed: ok, all of it done"


@pytest.mark.parametrize(
    ("base", "series", "said"),
    [
        (("end", "absent"), ("end", "absent"), ""),
        (
            ("end", "absent"),
            ("split split end", "0"),
            "With the series the split of a PMD failed in 2 calls and was handled. "
            "Base does not count failed splits.",
        ),
        (
            ("end", "0"),
            ("split died_x end", "1"),
            "With the series the split of a PMD failed in 2 calls and was handled in 1. "
            "On base no split of a PMD failed for want of memory.",
        ),
        (
            ("end", "absent"),
            ("ok end", "0"),
            "With the series no split of a PMD failed for want of memory. Base does not count failed splits.",
        ),
    ],
)
def test_whether_splits_failed_at_all(base: tuple[str, str], series: tuple[str, str], said: str) -> None:
    assert split_summary([comparison(swept(*base), swept(*series))]) == said


def test_failed_splits_of_a_kernel_that_counts_them_or_not() -> None:
    assert handled(SweepRun()) == "–"
    assert handled(swept("ok end", "absent")) == "absent"
    assert handled(swept("split end")) == "1"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 ns"),
        (850, "850 ns"),
        (1000, "1.00 µs"),
        (12_440, "12.4 µs"),
        (412_000, "412 µs"),
        (999_990, "1.00 ms"),
        (3_204_000, "3.20 ms"),
        (1_050_000_000, "1.05 s"),
    ],
)
def test_times_are_shown_in_three_digits(number: float, said: str) -> None:
    assert nanoseconds(number) == said
