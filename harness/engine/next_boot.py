# SPDX-License-Identifier: GPL-2.0-only
"""Decides which boot a cell needs next, from what its boots have shown so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.compare.compare import failing_again, seen_once
from results.model.run import Boot, BootEnd, Cell, PlannedTest, Status, TestResult

FRUITLESS_BOOTS = 3
"""So many boots in a row may end without a result before the cell is given up."""
WASTED_RERUNS = 3
"""So many re-runs may come back without saying anything of the kernel."""
BOOTS_PER_CELL = 24
"""Bound for guests that die in every single test."""


@dataclass(frozen=True, slots=True)
class NextBoot:
    """Why to boot, and what to run."""

    purpose: str
    tests: tuple[PlannedTest, ...]


def next_boot(planned: Sequence[PlannedTest], cell: Cell) -> NextBoot | None:
    """The boot that the cell needs next; None when there is nothing more to learn."""
    if not cell.boots:
        return NextBoot("first", tuple(planned)) if planned else None
    if len(cell.boots) >= BOOTS_PER_CELL or _fruitless_in_a_row(cell.boots) >= FRUITLESS_BOOTS:
        return None
    if waiting := tuple(test for test in planned if not _judged(test, cell.boots)):
        purpose = "remaining" if _fruitful(cell.boots[-1]) else "retry"
        return NextBoot(purpose, waiting)
    doubtful = {*failing_again(planned, cell), *seen_once(planned, cell)}
    if doubtful and not _given_up_again(cell.boots):
        return NextBoot("again", tuple(test for test in planned if test in doubtful))
    return None


def _given_up_again(boots: Sequence[Boot]) -> bool:
    """Whether re-runs keep coming back without a word on the kernel (lost or damaged lines)."""
    wasted = [
        boot
        for boot in boots
        if boot.purpose == "again"
        and not boot.end.is_kernels
        and all(result.lines is None or result.status is Status.ERROR for result in boot.tests)
    ]
    return len(wasted) >= WASTED_RERUNS


def _judged(test: PlannedTest, boots: Sequence[Boot]) -> bool:
    return any(result.name == test.name and _counts(boot, result) for boot in boots for result in boot.tests)


def _counts(boot: Boot, result: TestResult) -> bool:
    """Whether a result says something of the test: it started, and the machine did not fail under it."""
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
