# SPDX-License-Identifier: GPL-2.0-only
"""Decides which boot a cell needs next, from the results of its boots. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.compare.splats import seen_once, unchecked_once
from results.compare.tally import failing_again
from results.model.run import Boot, BootEnd, Cell, PlannedTest, Status, TestResult

FRUITLESS_BOOTS = 3
"""Number of consecutive boots without a result after which the cell is given up."""
WASTED_RERUNS = 3
"""Number of re-runs without a result of the kernel after which re-runs stop."""
BOOTS_PER_CELL = 24
"""Upper bound, for guests that die in each test."""


@dataclass(frozen=True, slots=True)
class NextBoot:
    """The purpose of a boot, and its tests."""

    purpose: str
    tests: tuple[PlannedTest, ...]


def next_boot(planned: Sequence[PlannedTest], cell: Cell) -> NextBoot | None:
    """Return the boot that the cell needs next, or None."""
    if not planned:
        return None
    if not cell.boots:
        return NextBoot("first", apart(planned)[0])
    if len(cell.boots) >= BOOTS_PER_CELL or _fruitless_in_a_row(cell.boots) >= FRUITLESS_BOOTS:
        return None
    if waiting := [test for test in planned if not _judged(test, cell.boots)]:
        purpose = "remaining" if _fruitful(cell.boots[-1]) else "retry"
        return NextBoot(purpose, apart(waiting)[0])
    doubtful = {*failing_again(planned, cell), *seen_once(planned, cell)} or {*unchecked_once(planned, cell)}
    if doubtful and not _given_up_again(cell.boots):
        return NextBoot("again", apart([test for test in planned if test in doubtful])[0])
    return None


def apart(tests: Sequence[PlannedTest]) -> tuple[tuple[PlannedTest, ...], ...]:
    """Split tests into those of one boot each: ours, then those whose programs come from the kernel tree.

    A test runs as root and can replace programs and forge reports, so nothing of ours runs after one that
    the series may have written. Groups without tests are left out.
    """
    groups = ([test for test in tests if test.of_tree is of_tree] for of_tree in (False, True))
    return tuple(tuple(group) for group in groups if group)


def _given_up_again(boots: Sequence[Boot]) -> bool:
    """Return whether too many re-runs had no result of the kernel (lost or damaged lines)."""
    wasted = [
        boot
        for boot in boots
        if boot.purpose == "again"
        and not boot.end.is_kernels
        and all(result.lines is None or result.status is Status.ERROR for result in boot.tests)
    ]
    return len(wasted) >= WASTED_RERUNS


def _judged(test: PlannedTest, boots: Sequence[Boot]) -> bool:
    results = [result for boot in boots for result in boot.tests if _counts(boot, result)]
    return sum(result.name == test.name for result in results) >= test.boots


def _counts(boot: Boot, result: TestResult) -> bool:
    """Return whether a result counts: the test started, and the machine did not fail."""
    if result.lines is None:
        return False
    return not (boot.end is BootEnd.MACHINE and result.status is Status.ERROR)


def _fruitful(boot: Boot) -> bool:
    return any(_counts(boot, result) for result in boot.tests)


def _fruitless_in_a_row(boots: Sequence[Boot]) -> int:
    count = 0
    for boot in reversed(boots):
        if _fruitful(boot):
            break
        count += 1
    return count
