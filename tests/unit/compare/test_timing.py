# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from random import Random

import pytest

from results.compare.compare import compare_arch
from results.compare.measures.timing import read_samples
from results.model.run import Cell, Measurement, Verdict
from tests.samples.cells import plan, runs
from tests.samples.data_words import TIMING, printed, timing_lines


def around(middle: int, spread: int = 40, count: int = 31, seed: int = 0) -> list[int]:
    random = Random(seed)
    return [middle + random.randint(-spread, spread) for _ in range(count)]


def evenly(middle: int) -> list[int]:
    return list(range(middle - 15, middle + 16))


def timed(*samples: list[int], accelerator: str = "tcg") -> Cell:
    return printed(TIMING, *map(timing_lines, samples), accelerator=accelerator)


def timing_on(base: Cell, series: Cell) -> Measurement:
    arch = compare_arch("x86_64", [TIMING], base, series, (), False)
    assert arch.verdict is Verdict.UNCHANGED
    (timing,) = arch.measurements
    return timing


def test_medians_and_spread() -> None:
    timing = timing_on(timed([10, 20, 30, 40, 50]), timed([30, 10, 50, 20, 40]))
    assert [(each.name, each.base, each.series) for each in timing.readings] == [
        ("median time", 30, 30),
        ("spread", pytest.approx(200 / 3), pytest.approx(200 / 3)),
    ]
    assert (timing.change_percent, timing.conclusion) == (0, "no difference shown")


@pytest.mark.parametrize(
    ("middle", "conclusion"),
    [
        (1000, "no difference shown"),
        (1050, "no difference shown"),
        (1300, "slower by 30 % (p < 0.001)"),
        (500, "faster by 50 % (p < 0.001)"),
    ],
)
def test_conclusions(middle: int, conclusion: str) -> None:
    assert timing_on(timed(evenly(1000)), timed(evenly(middle))).conclusion == conclusion


def test_a_small_but_certain_change_is_not_called_one() -> None:
    timing = timing_on(timed(around(1000, 2)), timed(around(1050, 2)))
    assert timing.p is not None
    assert timing.p < 0.001
    assert timing.conclusion == "no difference shown"


def test_a_large_change_of_noisy_samples_is_not_called_one() -> None:
    timing = timing_on(timed([100, 900, 110, 920]), timed([130, 950, 140, 910]))
    assert timing.conclusion == "no difference shown"


def test_a_slower_series_is_no_regression() -> None:
    arch = compare_arch("x86_64", [TIMING], timed(evenly(1000)), timed(evenly(9000)), (), False)
    assert arch.measurements[0].conclusion.startswith("slower by 800 %")
    assert (arch.verdict, len(arch.reasons)) == (Verdict.UNCHANGED, 1)


def test_emulation_and_single_boots_are_said() -> None:
    note = timing_on(timed(around(1000)), timed(around(1000))).note
    assert note == (
        "emulated (qemu, tcg): bound by instructions, not by caches and memory; "
        "one boot each: how much boots differ is not known"
    )
    twice = timed(around(1000), around(1000), accelerator="kvm")
    assert timing_on(twice, twice).note == ""


def test_all_boots_count() -> None:
    timing = timing_on(timed([1, 2], [3, 4]), timed([1, 2]))
    assert (timing.base["values"], timing.base["boots"]) == ([1, 2, 3, 4], 2)


@pytest.mark.parametrize(
    ("base", "series", "conclusion"),
    [
        (timed([1, 2]), timed([5]), "not compared: no samples with the series"),
        (timed([]), timed([5, 6]), "not compared: no samples on base"),
        (timed([5, 6], accelerator="kvm"), timed([5, 6]), "not compared: not timed on the same machine"),
        (timed([0, 0]), timed([5, 6]), "not compared: it took no time on base"),
    ],
)
def test_what_is_not_compared(base: Cell, series: Cell, conclusion: str) -> None:
    timing = timing_on(base, series)
    assert (timing.conclusion, timing.change_percent, timing.p) == (conclusion, None, None)


def test_without_samples_there_is_no_timing() -> None:
    (other,) = plan("t")
    assert compare_arch("x86_64", [other], runs("pass"), runs("pass"), (), False).measurements == ()
    assert compare_arch("x86_64", [TIMING], timed([]), timed([]), (), False).measurements == ()


@pytest.mark.parametrize(
    "line",
    [
        "data timing what=split unit=ns samples=2 values=1,2",
        "data timing what=fork unit=ms samples=2 values=1,2",
        "data timing what=fork unit=ns samples=2 values=1,x",
        "data timing what=fork unit=ns samples=2 values=1,-2",
        f"data timing what=fork unit=ns samples=2 values={','.join('1' * 201)}",
    ],
)
def test_what_is_no_sample_of_this_is_not_read(line: str) -> None:
    assert read_samples([line], "fork") == ()
