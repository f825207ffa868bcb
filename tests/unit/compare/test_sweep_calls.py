# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest

from results.compare.compare import compare_arch
from results.compare.measures.fault_sweep import LEGEND, MEASURE
from results.model.run import Measurement
from tests.samples.data_words import MUNMAP, printed, sweep_lines


def swept(base: tuple[str, str], series: tuple[str, str]) -> Measurement:
    on_base, on_series = (
        printed(MUNMAP, sweep_lines(words, failed=failed)) for words, failed in (base, series)
    )
    (item,) = compare_arch("x86_64", [MUNMAP], on_base, on_series, (), False).measurements
    return item


def sweep(base: str, series: str) -> Measurement:
    return swept((base, "0"), (series, "0"))


def test_calls_have_marks() -> None:
    item = sweep("ENOMEM end", "ok split unusable_x end try")
    assert (item.base_marks, item.series_marks) == ("e-", ".hx-")
    assert set(item.base_marks + item.series_marks) <= set(LEGEND)


def test_what_was_cut_short_is_shown_and_what_comes_after_is_not_known() -> None:
    item = sweep("ok try", "ok ok ok end")
    assert item.base_marks == ".!"
    assert [call.base for call in MEASURE.view(item).calls[1:]] == ["cut short", "not known", "not known"]


def test_calls_whose_effect_is_not_seen_and_calls_that_wait_have_words() -> None:
    lines = [
        line.replace("effect=full", "effect=unseen").replace("verdict=ok", "verdict=unseen why=smaps_locked")
        for line in sweep_lines("ok end")
    ]
    (item,) = compare_arch(
        "x86_64", [MUNMAP], printed(MUNMAP, lines), printed(MUNMAP, lines), (), False
    ).measurements
    assert (item.base_marks, MEASURE.view(item).calls[0].base) == ("??", "ok, its effect can't be seen here")
    waiting = [line.replace("result=ok effect=full", "result=unending effect=none", 1) for line in lines]
    (item,) = compare_arch(
        "x86_64", [MUNMAP], printed(MUNMAP, waiting), printed(MUNMAP, lines), (), False
    ).measurements
    assert set(item.base_marks + item.series_marks) <= set(LEGEND)


def test_no_two_marks_differ_by_colour_alone() -> None:
    assert len({mark.sign for mark in LEGEND.values()}) == len(LEGEND)
    assert all(mark.sign and mark.meaning for mark in LEGEND.values())


def test_neighbours_of_which_the_same_is_to_be_said_stand_together() -> None:
    found = MEASURE.view(sweep("ok ok ok end", "ok ok ENOMEM end")).alike
    assert [call.numbers for call in found] == ["1–2", "3", "4"]
    assert found[1].series == "ENOMEM, nothing changed, retried ok"
    assert found[2].base == "none failed: ok, all of it done"


@pytest.mark.parametrize(
    ("base", "series", "said"),
    [
        (("end", "absent"), ("end", "absent"), ""),
        (
            ("end", "absent"),
            ("split split end", "0"),
            "Every allocation of 1 operation was made to fail. "
            "With the series the split of a PMD failed in 2 calls and was handled. "
            "Base does not count failed splits.",
        ),
        (
            ("end", "0"),
            ("split died_x end", "1"),
            "Every allocation of 1 operation was made to fail. "
            "With the series the split of a PMD failed in 2 calls and was handled in 1. "
            "On base no split of a PMD failed for want of memory.",
        ),
        (
            ("end", "absent"),
            ("ok end", "0"),
            "Every allocation of 1 operation was made to fail. "
            "With the series no split of a PMD failed for want of memory. Base does not count failed splits.",
        ),
    ],
)
def test_whether_splits_failed_at_all(base: tuple[str, str], series: tuple[str, str], said: str) -> None:
    assert MEASURE.summary([swept(base, series)]) == said


def test_failed_splits_of_a_kernel_that_counts_them_or_not() -> None:
    item = swept(("ok end", "absent"), ("split end", "0"))
    (handled,) = (each for each in item.readings if each.name == "failed splits handled")
    assert (handled.base, handled.series) == (None, 1)
