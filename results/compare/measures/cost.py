# SPDX-License-Identifier: GPL-2.0-only
"""What operations cost in instructions of the guest, base against series.

The program of the suite `timing` runs on a machine whose clock advances by one nanosecond with each
instruction (QEMU's `-icount shift=0`, one CPU, no address randomisation), so its times are numbers of
instructions. These are the same in each boot of a kernel, on a busy host too; boots that disagree are said,
not averaged.

An instruction is no time: caches, TLBs and memory do not exist here. A difference is a fact about the code
that ran, and no verdict on the series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from results.compare.measures.measure import Measure, reading, unjudged
from results.compare.measures.timing import read_samples
from results.compare.tally import OneRun, Runs
from results.model.run import ICOUNT, Measurement, TestComparison, Verdict

SUITE = "cost"
THRESHOLD_PERCENT = 1.0
THRESHOLD_INSTRUCTIONS = 100
"""Less than one of both is the same: alignment of code and data moves a few instructions."""


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of one operation on one kernel."""

    medians: tuple[int, ...]
    """The median of the samples of each boot."""

    @property
    def instructions(self) -> float:
        """The median over the boots."""
        return median(self.medians)

    @property
    def apart(self) -> int:
        """By how many instructions boots differ."""
        return max(self.medians) - min(self.medians)


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    what = test.name.removeprefix(f"{SUITE}.")
    on_base, on_series = (_count(what, runs.passing) for runs in (base, series))
    if not base.passing and not series.passing:
        return None
    readings = (
        reading("instructions", "", lambda side: side.instructions, on_base, on_series),
        reading("boots differ by", "", lambda side: side.apart, on_base, on_series, tracked=False),
    )
    item = unjudged(SUITE, test, readings, on_base, on_series)
    if on_base is None or on_series is None:
        missing = " and ".join(
            name for name, side in (("base", on_base), ("the series", on_series)) if side is None
        )
        reason = f"no instructions were counted on {missing}: QEMU counts them, other machines do not"
        return replace(item, verdict=Verdict.NOT_EXERCISED, reason=reason, conclusion="not compared")
    change = 100 * (on_series.instructions - on_base.instructions) / on_base.instructions
    return replace(item, conclusion=_conclusion(on_base, on_series), change_percent=change)


def _count(what: str, runs: Sequence[OneRun]) -> Count | None:
    """Take the medians of all boots that counted; None if there are none."""
    samples = [
        values
        for run in runs
        if run.boot.accelerator == ICOUNT and (values := read_samples(run.result.output, what))
    ]
    medians = tuple(round(median(values)) for values in samples)
    return Count(medians) if medians and min(medians) > 0 else None


def _conclusion(base: Count, series: Count) -> str:
    for count, where in ((base, "of base"), (series, "of the series")):
        if _matters(count.apart, count.instructions):
            return f"not compared: boots {where} differ by {count.apart:,} instructions"
    more = round(series.instructions - base.instructions)
    if not _matters(more, base.instructions):
        return "the same" if not more else f"the same within the threshold ({more:+,})"
    word = "dearer" if more > 0 else "cheaper"
    percent = 100 * more / base.instructions
    return f"{word} by {abs(more):,} instructions ({percent:+.1f} %)"


def _matters(instructions: float, of: float) -> bool:
    return abs(instructions) > max(THRESHOLD_INSTRUCTIONS, THRESHOLD_PERCENT / 100 * of)


MEASURE = Measure(
    name=SUITE,
    title="Cost",
    about="Instructions of the guest per operation: medians of the samples, in boots that must agree. "
    f"Less than {THRESHOLD_PERCENT:.0f} % or {THRESHOLD_INSTRUCTIONS} instructions is the same. "
    "Caches, TLBs and memory are not part of it, so no difference is a verdict.",
    compare=_compare,
    narrow=("instructions",),
    short_conclusion=True,
)
