# SPDX-License-Identifier: GPL-2.0-only
"""How long operations take, base against series: medians, and whether their difference is more than noise.

The rules ask two things of a difference: that it is hardly ever seen between samples that were shuffled
(a permutation test), and that it is large enough to matter. Boots differ among themselves, so that
nothing here is a verdict on the series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

from results.compare.measures.data_lines import DataError, parse_data_lines
from results.compare.measures.measure import Measure, reading, unjudged
from results.compare.measures.permutation import EFFECT_PERCENT, SIGNIFICANT_P, p_in_words, permutation_p
from results.compare.tally import OneRun, Runs
from results.model.run import Measurement, TestComparison

SUITE = "timing"

_MOST_SAMPLES = 200
_HARDWARE = "kvm"


@dataclass(frozen=True, slots=True)
class Samples:
    """Times of one operation on one kernel."""

    values: tuple[int, ...]
    """In nanoseconds, of all boots one after the other."""
    median: float
    low: float
    """A quarter of the samples is below."""
    high: float
    """A quarter of the samples is above."""
    boots: int
    machines: tuple[str, ...]
    """Machine and accelerator of the boots: `qemu, tcg`."""


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


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    what = test.name.removeprefix(f"{SUITE}.")
    on_base, on_series = (_samples(what, runs.passing) for runs in (base, series))
    if not on_base and not on_series:
        return None
    readings = (
        reading("median time", "ns", lambda side: side.median, on_base, on_series),
        reading("spread", "%", _spread, on_base, on_series, tracked=False),
    )
    item = unjudged(SUITE, test, readings, on_base, on_series)
    why_not = _why_not_comparable(on_base, on_series)
    if why_not or on_base is None or on_series is None:
        return replace(item, conclusion=f"not compared: {why_not}")
    change = 100 * (on_series.median - on_base.median) / on_base.median
    p = permutation_p(on_base.values, on_series.values)
    note = reading_note(on_base.machines, on_base.boots == on_series.boots == 1)
    return replace(item, conclusion=_conclusion(change, p), change_percent=change, p=p, note=note)


def _spread(side: Samples) -> float | None:
    """Say how far apart the middle half of the samples is, in percent of the median."""
    return 100 * (side.high - side.low) / side.median if side.median else None


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
    return Samples(values, middle, low, high, len(measured), machines_of(run for run, _ in measured))


def _conclusion(change: float, p: float) -> str:
    if p > SIGNIFICANT_P or abs(change) < EFFECT_PERCENT:
        return "no difference shown"
    word = "slower" if change > 0 else "faster"
    return f"{word} by {abs(change):.0f} % ({p_in_words(p)})"


def machines_of(runs: Iterable[OneRun]) -> tuple[str, ...]:
    """Name machine and accelerator of some runs: `qemu, tcg`."""
    return tuple(sorted({f"{run.boot.machine}, {run.boot.accelerator}" for run in runs}))


def reading_note(machines: Iterable[str], one_boot_each: bool) -> str:
    """Say what must be known to read numbers that were taken on these machines (`qemu, tcg`)."""
    emulators = [machine for machine in machines if not machine.endswith(f", {_HARDWARE}")]
    notes = []
    if emulators:
        notes.append(f"emulated ({'; '.join(emulators)}): bound by instructions, not by caches and memory")
    if one_boot_each:
        notes.append("one boot each: how much boots differ is not known")
    return "; ".join(notes)


MEASURE = Measure(
    name=SUITE,
    title="Timing",
    about="Medians of all samples; the spread is that of the middle half of them. "
    "Boots differ among themselves, so no difference is a verdict.",
    compare=_compare,
    narrow=("median time", "spread"),
    short_conclusion=True,
)
