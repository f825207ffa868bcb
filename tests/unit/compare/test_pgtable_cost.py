# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from pathlib import Path

import pytest

from results.compare.compare import compare_arch
from results.compare.measures.pgtable_cost import read_page_tables
from results.compare.verdict import run_verdict
from results.model.run import ArchComparison, Cell, Measurement, Status, TestResult, Verdict
from tests.samples.cells import plan, runs
from tests.samples.data_words import COST, cost_lines, printed, result_of

GOLDEN = Path(__file__).parents[2] / "golden" / "data"
PAGE = 4096
GREEN = cost_lines(PAGE)


def compared(base: Cell, series: Cell) -> ArchComparison:
    return compare_arch("x86_64", [COST], base, series, (), False)


def cost_on(base: Cell, series: Cell) -> Measurement:
    (cost,) = compared(base, series).measurements
    return cost


def leaking(pages: int) -> TestResult:
    return result_of(COST, cost_lines(PAGE, left=pages * PAGE), Status.FAIL)


def test_lazy_page_tables() -> None:
    cost = cost_on(printed(COST, GREEN), printed(COST, cost_lines(0, half=PAGE / 2)))
    assert (cost.verdict, cost.reason) == (Verdict.UNCHANGED, "")
    assert cost.conclusion == (
        "4096 B → 0 B per THP of 2 MiB: 200 MiB less per 100 GiB; with every second one split 4096 B → 2048 B"
    )
    assert {each.name: (each.base, each.series) for each in cost.readings} == {
        "THPs": (64, 64),
        "page tables per THP": (PAGE, 0),
        "page tables per THP, half of them split": (PAGE, PAGE / 2),
        "page tables not given back": (0, 0),
    }


def test_no_difference() -> None:
    summary = cost_on(printed(COST, GREEN), printed(COST, GREEN)).conclusion
    assert summary.startswith("4096 B → 4096 B per THP of 2 MiB: no difference shown; ")


@pytest.mark.parametrize(("pages", "shown"), [(4, False), (-4, False), (5, True), (-5, True)])
def test_a_few_pages_of_the_whole_machine_are_no_difference(pages: int, shown: bool) -> None:
    noisy = cost_lines(PAGE + pages * PAGE / 64)
    summary = cost_on(printed(COST, GREEN), printed(COST, noisy)).conclusion
    assert ("no difference shown" not in summary) == shown


def test_a_cost_that_cannot_be_measured_finely_says_so() -> None:
    coarse = cost_lines(64 << 10, thps=1, huge=16 << 20, page=64 << 10)
    summary = cost_on(printed(COST, coarse), printed(COST, coarse)).conclusion
    assert summary.endswith("; measured in steps of 65536 B")


def test_a_higher_cost_in_every_boot_is_a_regression() -> None:
    arch = compared(printed(COST, GREEN, cost_lines(4160)), printed(COST, cost_lines(2 * PAGE + 64)))
    assert arch.measurements[0].verdict is Verdict.REGRESSION
    assert arch.reasons[0] == (
        "page-table cost: a mapped THP costs 8256 B of page tables with the series, 4160 B on base"
    )
    assert "200 MiB" not in arch.measurements[0].conclusion
    assert run_verdict([arch]).exit_code == 1


@pytest.mark.parametrize(
    "series",
    [
        [cost_lines(2 * PAGE), GREEN],
        [cost_lines(2 * PAGE - 1)],
    ],
    ids=["not in every boot", "less than a page table"],
)
def test_a_smaller_or_rarer_rise_is_information(series: list[tuple[str, ...]]) -> None:
    assert cost_on(printed(COST, GREEN), printed(COST, *series)).verdict is Verdict.UNCHANGED


def test_a_rise_after_the_split_counts_as_well() -> None:
    cost = cost_on(printed(COST, GREEN), printed(COST, cost_lines(PAGE, half=2 * PAGE)))
    assert cost.verdict is Verdict.REGRESSION
    assert cost.reason.startswith("a THP of which every second one is split costs 8192 B")


def test_a_rise_within_what_other_processes_may_take_is_none() -> None:
    def tables(pages: int) -> Cell:
        return printed(COST, cost_lines(pages * (64 << 10) / 14, thps=14, huge=16 << 20, page=64 << 10))

    assert cost_on(tables(1), tables(4)).verdict is Verdict.UNCHANGED
    assert cost_on(tables(1), tables(20)).verdict is Verdict.REGRESSION


@pytest.mark.parametrize(
    ("base", "series", "verdict", "reason"),
    [
        ([GREEN], [leaking(64)] * 2, Verdict.REGRESSION, "left with the series (256 KiB, 2 of 2 runs)"),
        ([GREEN], [leaking(64)], Verdict.FLAKY, "256 KiB, 1 of 1 run"),
        ([GREEN], [leaking(64), GREEN], Verdict.FLAKY, "256 KiB, 1 of 2 runs"),
        ([leaking(8)] * 2, [leaking(64)] * 2, Verdict.FAILS_ON_BOTH, "left on both kernels (256 KiB)"),
        ([leaking(9)] * 2, [GREEN], Verdict.FIXED, "left on base (36 KiB), none with the series"),
    ],
)  # fmt: skip
def test_page_tables_that_stay(
    base: list[tuple[str, ...]], series: list[tuple[str, ...]], verdict: Verdict, reason: str
) -> None:
    cost = cost_on(printed(COST, *base), printed(COST, *series))
    assert cost.verdict is verdict
    assert reason in cost.reason


def test_a_few_pages_of_others_are_no_leak() -> None:
    tolerated = cost_lines(PAGE, left=4 * PAGE)
    assert cost_on(printed(COST, GREEN), printed(COST, tolerated)).verdict is Verdict.UNCHANGED


def test_numbers_of_one_kernel_only() -> None:
    cost = cost_on(printed(COST, GREEN), printed(COST, GREEN[:3]))
    assert cost.series == {}
    assert cost.conclusion == ""
    assert (cost.verdict, cost.reason) == (Verdict.NOT_EXERCISED, "the numbers with the series can't be read")


def test_thps_of_different_size_are_not_compared() -> None:
    cost = cost_on(printed(COST, GREEN), printed(COST, cost_lines(PAGE, huge=32 << 20)))
    assert cost.verdict is Verdict.NOT_EXERCISED
    assert cost.conclusion == ""


def test_without_numbers_there_is_no_cost() -> None:
    (other,) = plan("t")
    assert compare_arch("x86_64", [other], runs("pass"), runs("pass"), (), False).measurements == ()
    silent = printed(COST, ["ok 1 cost"])
    assert compared(silent, silent).measurements == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stage=mapped", "stage=other"),
        ("thps=64", "thps=0"),
        ("page_tables_bytes=", "page_tables_bytes=-"),
        ("huge_bytes=2097152", "huge_bytes=4096"),
        ("page_bytes=4096", "page_bytes=4097"),
    ],
)
def test_what_makes_no_sense_is_not_read(old: str, new: str) -> None:
    lines = list(GREEN)
    changed = [line.replace(old, new) for line in lines] if old != "page_bytes=4096" else lines
    changed[1] = changed[1].replace(old, new)
    assert read_page_tables(changed) is None


@pytest.mark.parametrize(
    ("name", "per_thp", "left"),
    [("arm64-cost", 4096, 0), ("riscv64-cost", 4096, 0), ("powerpc-hash-cost", 4681, 65536)],
)
def test_real_numbers(name: str, per_thp: int, left: int) -> None:
    found = read_page_tables((GOLDEN / f"{name}.txt").read_text().splitlines())
    assert found is not None
    assert (round(found.per_mapped_thp), found.left_bytes) == (per_thp, left)
