# SPDX-License-Identifier: GPL-2.0-only
"""Counted instructions: exact, so a small difference is one, and boots have to agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.engine.next_boot import next_boot
from harness.machines.kinds import qemu_kind, share_out
from harness.machines.qemu.accel import Accelerator
from results.compare.compare import compare_arch
from results.model.run import ICOUNT, Capabilities, Cell, Measurement, Verdict
from tests.samples.cells import plan
from tests.samples.data_words import printed, timing_lines

COST = replace(plan("cost.fork")[0], needs=("thp", ICOUNT), boots=2)
THP = Capabilities(thp=True)


def counted(*boots: list[int], accelerator: str = ICOUNT) -> Cell:
    cell = printed(COST, *map(timing_lines, boots), accelerator=accelerator)
    found = replace(THP, facts={ICOUNT: "1"} if accelerator == ICOUNT else {})
    return replace(cell, boots=tuple(replace(boot, capabilities=found) for boot in cell.boots))


def cost_on(base: Cell, series: Cell) -> Measurement:
    arch = compare_arch("x86_64", [COST], base, series, (), False)
    assert arch.verdict is Verdict.UNCHANGED
    (cost,) = arch.measurements
    return cost


@pytest.mark.parametrize(
    ("series", "conclusion"),
    [
        (125_440, "the same"),
        (125_540, "the same within the threshold (+100)"),
        (126_694, "the same within the threshold (+1,254)"),
        (126_695, "dearer by 1,255 instructions (+1.0 %)"),
        (130_440, "dearer by 5,000 instructions (+4.0 %)"),
        (120_603, "cheaper by 4,837 instructions (-3.9 %)"),
    ],
)
def test_conclusions(series: int, conclusion: str) -> None:
    base = counted([125_440] * 3, [125_440] * 3)
    cost = cost_on(base, counted([series, series, 999_999], [series] * 3))
    assert cost.conclusion == conclusion
    instructions = cost.readings[0]
    assert (instructions.name, instructions.base, instructions.series) == ("instructions", 125_440, series)


def test_a_few_instructions_of_a_short_operation_are_the_same() -> None:
    base = counted([500], [500])
    assert cost_on(base, counted([600], [600])).conclusion == "the same within the threshold (+100)"
    assert cost_on(base, counted([601], [601])).conclusion == "dearer by 101 instructions (+20.2 %)"


def test_boots_that_disagree_are_not_averaged() -> None:
    cost = cost_on(counted([10_000], [10_000]), counted([10_000], [15_000]))
    assert cost.conclusion == "not compared: boots of the series differ by 5,000 instructions"
    assert cost.readings[1].series == 5000


def test_nanoseconds_of_another_machine_are_no_instructions() -> None:
    arch = compare_arch(
        "x86_64", [COST], counted([1000], accelerator="tcg"), counted([1000], accelerator="kvm"), (), False
    )
    (cost,) = arch.measurements
    assert (arch.verdict, cost.verdict) == (Verdict.NOT_EXERCISED, Verdict.NOT_EXERCISED)
    assert "no instructions were counted on base and the series" in cost.reason


def test_only_tests_that_need_it_run_on_the_machine_that_counts_and_they_run_twice() -> None:
    arch = find(ArchRecord, "x86_64")
    usual, counting = (qemu_kind(arch, Accelerator(name)) for name in ("tcg", ICOUNT))
    other = plan("pmd_split.munmap")[0]
    assert share_out([COST, other], [usual, counting]) == ((usual, (other,)), (counting, (COST,)))
    assert share_out([COST], [usual]) == ((usual, (COST,)),)
    once = counted([1000])
    assert next_boot([COST], once)
    assert next_boot([COST], counted([1000], [1000])) is None
    assert (counting.cpus, usual.cpus) == (1, arch.qemu.cpus)


def test_s390_has_no_huge_pages_where_instructions_are_counted() -> None:
    kinds = [qemu_kind(find(ArchRecord, "s390"), Accelerator(name)) for name in ("tcg", ICOUNT)]
    assert share_out([COST], kinds) == ((kinds[0], (COST,)),)
