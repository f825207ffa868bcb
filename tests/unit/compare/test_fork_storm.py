# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from results.compare.compare import compare_arch
from results.compare.measures.fork_storm import read_storms
from results.compare.verdict import run_verdict
from results.model.run import ArchComparison, Cell, Measurement, Status, TestResult, Verdict
from tests.samples.cells import plan, runs
from tests.samples.data_words import STORM, printed, result_of, storm_line

GOLDEN = Path(__file__).parents[2] / "golden" / "data"
FINE = (storm_line(),) * 5
NONE = "no difference shown: THPs stay in memory in "
LOST = (storm_line(600),) * 5
KILLS = (storm_line(oom=1),) * 5


def failing(lines: Sequence[str], reason: str = "the OOM killer took 5 processes in 5 runs") -> TestResult:
    return replace(result_of(STORM, lines, Status.FAIL), reason=reason)


def compared(base: Cell, series: Cell) -> ArchComparison:
    return compare_arch("x86_64", [STORM], base, series, (), False)


def storm_on(base: Cell, series: Cell) -> Measurement:
    (storm,) = compared(base, series).measurements
    return storm


def on(*outputs: Sequence[str] | TestResult) -> Cell:
    return printed(STORM, *outputs)


def test_as_much_progress() -> None:
    storm = storm_on(on(FINE), on(FINE))
    assert (storm.verdict, storm.reason) == (Verdict.UNCHANGED, "")
    assert (storm.conclusion, storm.change_percent, storm.p) == ("reclaim makes as much progress", 0, 1)
    assert (len(storm.base["storms"]), storm.base["boots"], storm.base["machines"]) == (5, 1, ["qemu, tcg"])
    assert storm.note.endswith("one boot each: how much boots differ is not known")


def test_fewer_pages_in_every_run_are_a_regression_although_the_test_passes() -> None:
    arch = compared(on(FINE), on(LOST))
    said = "swaps out 41 % fewer pages (p = 0.008)"
    assert (arch.measurements[0].verdict, arch.measurements[0].conclusion) == (Verdict.REGRESSION, said)
    assert arch.reasons == (f"fork_storm.forks_128: {said}",)
    assert run_verdict([arch]).exit_code == 1


@pytest.mark.parametrize(
    ("base", "series", "conclusion"),
    [
        ([1024] * 5, [0, 1024, 1024, 1024, 1024], f"{NONE}1 of 5 runs with the series, 0 of 5 on base"),
        ([1024] * 5, [0, 0, 0, 1024, 1024], f"{NONE}3 of 5 runs with the series, 0 of 5 on base"),
        ([0, 0, 1024, 1024, 1024], [0, 1024, 0, 1024, 1024], "reclaim makes as much progress"),
        ([1024] * 5, [930, 931, 932, 933, 934], "reclaim makes as much progress"),
        ([600] * 5, [1024] * 5, "swaps out 71 % more pages (p = 0.008)"),
        ([0] * 5, [0] * 5, "reclaim makes as much progress"),
    ],
    ids=["one run", "three of five", "as many", "too little", "more", "none at all"],
)
def test_noise_and_gains_are_no_verdict(base: list[int], series: list[int], conclusion: str) -> None:
    storm = storm_on(on(tuple(map(storm_line, base))), on(tuple(map(storm_line, series))))
    assert (storm.verdict, storm.conclusion) == (Verdict.UNCHANGED, conclusion)


@pytest.mark.parametrize(("count", "boots"), [(4, 1), (1, 4), (2, 2)])
def test_too_few_runs_say_nothing(count: int, boots: int) -> None:
    storm = storm_on(on(FINE), on(*((storm_line(0),) * count for _ in range(boots))))
    said = "too few runs to say: 5 on base, 4 with the series, 5 of each are needed"
    assert (storm.verdict, storm.reason, storm.p) == (Verdict.UNCHANGED, "", None)
    assert storm.conclusion == said


def test_runs_of_several_boots_add_up() -> None:
    storm = storm_on(on(FINE), on(*((storm_line(600),) for _ in range(5))))
    assert storm.conclusion == "swaps out 41 % fewer pages (p = 0.008)"
    assert (storm.series["boots"], "one boot" in storm.note) == (5, False)


def test_slowness_is_told_and_no_verdict() -> None:
    slow = tuple(storm_line(ns=900_000_000 + run) for run in range(5))
    storm = storm_on(on(FINE), on(slow))
    assert storm.verdict is Verdict.UNCHANGED
    assert storm.conclusion == "reclaim makes as much progress, 125 % slower (p = 0.008)"
    elsewhere = printed(STORM, slow, accelerator="kvm")
    assert storm_on(on(FINE), elsewhere).conclusion == "reclaim makes as much progress"


def test_kills_in_every_run_with_the_series_are_a_regression() -> None:
    arch = compared(on(FINE), on(failing(KILLS)))
    said = "OOM kills only with the series (5 of 5 runs, p = 0.008)"
    assert (arch.verdict, arch.reasons[0]) == (Verdict.REGRESSION, f"fork_storm.forks_128: {said}")
    assert len(arch.reasons) == 1


def test_a_few_kills_are_told_and_are_as_serious_as_the_failing_test() -> None:
    some = failing((*FINE[:3], *KILLS[:2]), "the OOM killer took 2 processes in 5 runs")
    storm = storm_on(on(FINE), on(some))
    said = "OOM kills only with the series (2 of 5 runs, p = 0.4)"
    assert (storm.verdict, storm.conclusion) == (Verdict.FLAKY, said)
    twice = compared(on(FINE), on(some, some))
    assert twice.verdict is Verdict.REGRESSION
    assert "2 of 2 runs" in twice.reasons[0]


@pytest.mark.parametrize(
    ("series", "conclusion"),
    [(failing(KILLS), "OOM kills on both kernels"), (FINE, "OOM kills only on base")],
)
def test_kills_on_base(series: Sequence[str] | TestResult, conclusion: str) -> None:
    storm = storm_on(on(failing(KILLS)), on(series))
    assert storm.conclusion == conclusion
    assert storm.verdict is not Verdict.REGRESSION


def test_storms_of_different_size_are_not_compared() -> None:
    small = tuple(line.replace("thps=2", "thps=1") for line in FINE)
    storm = storm_on(on(FINE), on(small))
    assert storm.conclusion.startswith("not compared: not all runs had as many forks")


def test_a_test_without_evidence_stays_without() -> None:
    idle = replace(result_of(STORM, LOST), counters={})
    storm = storm_on(on(FINE), on(idle))
    assert storm.verdict is Verdict.NOT_EXERCISED


def test_without_storms_there_is_no_comparison() -> None:
    (other,) = plan("t")
    assert compare_arch("x86_64", [other], runs("pass"), runs("pass"), (), False).measurements == ()
    assert compared(on(["ok 1"]), on(["ok 1"])).measurements == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("forks=128", "forks=0"),
        ("thp_pages_out=1024", "thp_pages_out=1025"),
        ("thp_pages=1024", "thp_pages=0"),
        ("ns=", "ns=-"),
        ("reached=1", "reached=2"),
        ("stuck=0", "stuck"),
        ("oom_kills=0", "oom_kills=absent"),
        ("split=258", "split=200"),
        (" new_table_pages=330", ""),
        ("data storm", "data storms"),
    ],
)
def test_what_makes_no_sense_or_split_too_little_is_not_read(old: str, new: str) -> None:
    assert read_storms([storm_line()]) != ()
    assert old in storm_line()
    assert read_storms([storm_line().replace(old, new)]) == ()


def test_a_storm_that_split_nothing_is_one_if_it_did_not_get_to_its_end() -> None:
    (storm,) = read_storms([storm_line(0, split=0)])
    assert (storm.percent_out, storm.reached) == (0, False)


def test_a_kernel_that_lacks_counters() -> None:
    (storm,) = read_storms([storm_line(failed="absent")])
    assert storm.split_failed is None


@pytest.mark.parametrize(
    ("name", "failed"), [("x86_64-base-storm", None), ("x86_64-series-storm", 0), ("s390-series-storm", 0)]
)
def test_real_storms(name: str, failed: int | None) -> None:
    storms = read_storms((GOLDEN / f"{name}.txt").read_text().splitlines())
    assert {(storm.forks, storm.reached, storm.oom_kills) for storm in storms} >= {(16, True, 0)}
    assert {storm.split_failed for storm in storms} == {failed}
    assert all(storm.split == (storm.forks + 1) * storm.thps for storm in storms if storm.reached)


def test_real_storms_with_a_low_reserve() -> None:
    storms = read_storms((GOLDEN / "x86_64-low-reserve-storm.txt").read_text().splitlines())
    assert [round(storm.percent_out) for storm in storms if not storm.reached] == [50, 0]
    assert [storm.split_failed for storm in storms if storm.split_failed] == [1, 1, 2]
    arch = compared(on(FINE), on((GOLDEN / "x86_64-low-reserve-storm.txt").read_text().splitlines()))
    assert arch.measurements[0].conclusion == f"{NONE}2 of 10 runs with the series, 0 of 5 on base"
