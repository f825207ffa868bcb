# SPDX-License-Identifier: GPL-2.0-only
"""Find the parts of a run that belong together: the boot of a tally, the counters worth showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.compare.claims.text import claimed_counters
from results.compare.evidence import is_level
from results.model.run import (
    ArchComparison,
    Boot,
    Cell,
    CounterChange,
    Run,
    Splat,
    SplatComparison,
    Tally,
    TestComparison,
    TestResult,
)


@dataclass(frozen=True, slots=True)
class CounterPair:
    """One counter of one test on both kernels; None where the test's counters were never read."""

    name: str
    base: CounterChange | None
    series: CounterChange | None


def cell_of(run: Run, arch: str, variant: str) -> Cell | None:
    """Return the cell of an architecture and a variant."""
    return next((cell for cell in run.cells if (cell.arch, cell.variant) == (arch, variant)), None)


def cells_of(run: Run, arch: str) -> dict[str, Cell | None]:
    """Return the cells of base and the series, by variant."""
    return {variant: cell_of(run, arch, variant) for variant in ("base", "series")}


def boot_of(run: Run, boot_id: str | None) -> Boot | None:
    """Return the boot with this id."""
    return next((boot for cell in run.cells for boot in cell.boots if boot.id == boot_id), None)


def result_of(run: Run, name: str, tally: Tally) -> TestResult | None:
    """Return the one result of a test that decided its tally."""
    boot = boot_of(run, tally.boot)
    if boot is None:
        return None
    found = [result for result in boot.tests if result.name == name]
    return next((result for result in found if result.lines == tally.lines), found[0] if found else None)


def sightings(run: Run, splat: SplatComparison) -> list[tuple[Boot, Splat]]:
    """Return every appearance of a splat, base first."""
    boots = (boot_of(run, boot_id) for boot_id in (*splat.base_boots, *splat.series_boots))
    return [
        (boot, found) for boot in boots if boot for found in boot.splats if found.signature == splat.signature
    ]


def wanted_counters(run: Run) -> list[str]:
    """Return the counters that the run is about: evidence of its tests, and what the series claims."""
    evidence = [proof.counter for test in run.planned for proof in test.evidence]
    return list(dict.fromkeys([*evidence, *(name for arch in run.arches for name in _claimed(arch))]))


def _claimed(arch: ArchComparison) -> tuple[str, ...]:
    return claimed_counters(item.claim for item in arch.claims)


def all_counters(test: TestComparison) -> list[CounterPair]:
    """Return every counter that either kernel reported for a test, by name."""
    names = sorted({*test.base.counters, *test.series.counters})
    return [_pair(test, name) for name in names]


def evidence_counters(run: Run, test: TestComparison) -> list[CounterPair]:
    """Return the counters that must move in this test, then those that moved differently."""
    evidence = [proof.counter for plan in run.planned if plan.name == test.name for proof in plan.evidence]
    different = [
        pair.name for pair in all_counters(test) if moved_differently(pair) and not is_level(pair.name)
    ]
    pairs = [_pair(test, name) for name in dict.fromkeys([*evidence, *different])]
    return [pair for pair in pairs if pair.base or pair.series]


def telling_counters(run: Run, test: TestComparison) -> list[CounterPair]:
    """Return the evidence and differences of a test, then claimed counters unless they stayed 0 on both."""
    claimed = {name for arch in run.arches for name in _claimed(arch)}
    evidence = evidence_counters(run, test)
    others = (pair for pair in all_counters(test) if pair.name in claimed and pair not in evidence)
    return [*evidence, *(pair for pair in others if not _stayed_zero(pair))]


def moved_counters(run: Run, test: TestComparison) -> list[CounterPair]:
    """Return the telling counters of a test, then all others that moved on either kernel."""
    telling = telling_counters(run, test)
    return [*telling, *(pair for pair in all_counters(test) if pair not in telling and _moved(pair))]


def total_counters(run: Run, arch: ArchComparison) -> list[CounterPair]:
    """Return the counters that must move or that the series claims, summed over all tests that moved them."""
    proving = [proof.counter for test in run.planned for proof in test.evidence]
    names = dict.fromkeys([*proving, *_claimed(arch)])
    pairs = (
        CounterPair(
            name,
            _total([test.base for test in arch.tests], name),
            _total([test.series for test in arch.tests], name),
        )
        for name in names
        if not is_level(name)
    )
    return [pair for pair in pairs if _moved(pair) or _is_of_one_kernel(pair)]


def _total(tallies: Sequence[Tally], name: str) -> CounterChange | None:
    """Return the sum of a counter's changes; None if it was never read."""
    read = [change for tally in tallies if (change := _reading(tally, name))]
    moved = [change.delta for change in read if change.delta is not None]
    return CounterChange(0, sum(moved)) if moved else next(iter(read), None)


def _pair(test: TestComparison, name: str) -> CounterPair:
    return CounterPair(name, _reading(test.base, name), _reading(test.series, name))


def _reading(tally: Tally, name: str) -> CounterChange | None:
    """Return a counter's change; a kernel that reported others but not this one does not have it."""
    return tally.counters.get(name, CounterChange(None, None)) if tally.counters else None


def _moved(pair: CounterPair) -> bool:
    return any(side is not None and side.delta for side in (pair.base, pair.series))


def _is_of_one_kernel(pair: CounterPair) -> bool:
    return len({side.delta is None for side in (pair.base, pair.series) if side}) > 1


def _stayed_zero(pair: CounterPair) -> bool:
    return all(side is not None and side.delta == 0 for side in (pair.base, pair.series))


def moved_differently(pair: CounterPair) -> bool:
    """Compare movements; a counter that one kernel lacks has not moved there.

    /proc/meminfo is never the same twice, so its differences tell nothing of a single test.
    """
    if pair.base is None or pair.series is None or pair.name.startswith("meminfo."):
        return False
    return (pair.base.delta or 0) != (pair.series.delta or 0)
