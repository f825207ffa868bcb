# SPDX-License-Identifier: GPL-2.0-only
"""How long operations take, base against series: medians, and whether their difference is more than noise.

The rules ask two things of a difference: that it is hardly ever seen between samples that were shuffled
(a permutation test), and that it is large enough to matter. Boots differ among themselves, so that
nothing here is a verdict on the series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import quantiles

from results.compare.measures.data_lines import DataError, parse_data_lines
from results.compare.measures.permutation import SURE, p_in_words, permutation_p
from results.compare.tally import OneRun, runs_of
from results.model.measurements import Samples
from results.model.run import Cell, PlannedTest, TestComparison, TimingComparison

SUITE = "timing"

EFFECT_PERCENT = 10
"""Smaller changes of the median are not called a difference."""

_MOST_SAMPLES = 200
_HARDWARE = "kvm"


def read_samples(output: Iterable[str], what: str) -> tuple[int, ...]:
    """Read the nanoseconds that a test printed of an operation; empty if there are none. Never raises."""
    for line in parse_data_lines(output).lines:
        try:
            if line.kind == "timing" and line.name("what") == what and line.name("unit", "ns"):
                values = line.numbers("values", _MOST_SAMPLES)
                return values if min(values) >= 0 else ()
        except DataError:
            continue
    return ()


def compare_timings(
    planned: Sequence[PlannedTest], tests: Sequence[TestComparison], base: Cell, series: Cell
) -> tuple[TimingComparison, ...]:
    """Compare what was timed; empty if nothing was."""
    found = (_compare(test, base, series) for test in planned if test.name.startswith(f"{SUITE}."))
    return tuple(timing for timing in found if timing.base or timing.series)


def _compare(test: PlannedTest, base: Cell, series: Cell) -> TimingComparison:
    what = test.name.removeprefix(f"{SUITE}.")
    on_base, on_series = (_samples(what, runs_of(test, cell).passing) for cell in (base, series))
    why_not = _why_not_comparable(on_base, on_series)
    if why_not or on_base is None or on_series is None:
        conclusion = f"not compared: {why_not}"
        return TimingComparison(what, test.name, on_base, on_series, None, None, conclusion)
    change = 100 * (on_series.median - on_base.median) / on_base.median
    p = permutation_p(on_base.values, on_series.values)
    note = reading_note(on_base.machines, on_base.boots == on_series.boots == 1)
    return TimingComparison(what, test.name, on_base, on_series, change, p, _conclusion(change, p), note)


def _why_not_comparable(base: Samples | None, series: Samples | None) -> str:
    if base is None or series is None:
        return f"no samples {'on base' if base is None else 'with the series'}"
    if base.machines != series.machines:
        return "not timed on the same machine"
    return "" if base.median > 0 else "it took no time on base"


def _samples(what: str, runs: Sequence[OneRun]) -> Samples | None:
    """Take the samples of all boots; None if there are too few to have a spread."""
    measured = [(run, values) for run in runs if (values := read_samples(run.result.output, what))]
    values = tuple(value for _, of_run in measured for value in of_run)
    if len(values) < 2:
        return None
    low, middle, high = quantiles(values, n=4, method="inclusive")
    machines = {f"{run.boot.machine}, {run.boot.accelerator}" for run, _ in measured}
    return Samples(values, middle, low, high, len(measured), tuple(sorted(machines)))


def _conclusion(change: float, p: float) -> str:
    if p > SURE or abs(change) < EFFECT_PERCENT:
        return "no difference shown"
    word = "slower" if change > 0 else "faster"
    return f"{word} by {abs(change):.0f} % ({p_in_words(p)})"


def reading_note(machines: Iterable[str], one_boot_each: bool) -> str:
    """Say what must be known to read numbers that were taken on these machines (`qemu, tcg`)."""
    emulators = [machine for machine in machines if not machine.endswith(f", {_HARDWARE}")]
    notes = []
    if emulators:
        notes.append(f"emulated ({'; '.join(emulators)}): bound by instructions, not by caches and memory")
    if one_boot_each:
        notes.append("one boot each: how much boots differ is not known")
    return "; ".join(notes)
