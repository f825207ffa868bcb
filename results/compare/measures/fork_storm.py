# SPDX-License-Identifier: GPL-2.0-only
"""The fork storm: does reclaim get on when it must split the PMDs of every process that shares a THP?

A storm is one run of the guest test: many forks share some THPs, memory gets short, and the THPs have to be
swapped out. A difference needs several storms on each kernel, a permutation test and a size that matters.
How long it takes is told, but no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from results.compare.measures.data_lines import DataError, DataLine, parse_data_lines
from results.compare.measures.measure import Measure, reading
from results.compare.measures.permutation import (
    EFFECT_PERCENT,
    SIGNIFICANT_P,
    p_in_words,
    permutation_p,
)
from results.compare.measures.timing import machines_of, reading_note
from results.compare.tally import Runs
from results.model.document import plain
from results.model.run import SEVERITY, Measurement, Reading, TestComparison, Verdict
from results.text import amount

SUITE = "fork_storm"

FEWEST_STORMS = 5
"""With fewer on either kernel nothing is said: five against five without overlap have p = 0.008."""
SPLIT_PERCENT = 90
"""Of the PMDs of all sharers, for a storm to have been one."""

_MOST_STORMS = 200
_OUT_OF_THE_TEST = (Verdict.INFRASTRUCTURE, Verdict.UNSUPPORTED, Verdict.NOT_EXERCISED)


@dataclass(frozen=True, slots=True)
class Storm:
    """THPs that forks share, swapped out because memory was short, once."""

    forks: int
    thps: int
    huge_bytes: int
    """Bytes of one THP."""
    page_bytes: int
    reserve_pages: int
    """Pages that only reclaim and the like may use (vm.min_free_kbytes)."""
    thp_pages: int
    """Pages of all THPs, each once, however many processes share it."""
    thp_pages_out: int
    """How many of them were in the swap area at the end."""
    free_pages_min: int
    """The fewest free pages that were seen."""
    ns: int
    """From the first page that was swapped out to the end."""
    reached: bool
    """Nearly all of the THPs were swapped out."""
    stuck: bool
    """Reclaim stood still although memory was wanted."""
    swapped_pages: int
    """Of whatever process."""
    thp_swpout: int | None
    """THPs that were swapped out as a whole; this and the next are None where the kernel does not count."""
    thp_swpout_fallback: int | None
    """THPs that had to be split first."""
    split: int
    """Change of thp_split_pmd: one for each THP and process."""
    split_failed: int | None
    """Change of thp_split_pmd_failed; None where the kernel has no such counter."""
    oom_kills: int
    new_table_pages: int
    """Pages of page tables that were allocated meanwhile."""

    @property
    def percent_out(self) -> float:
        """How much of the THPs was swapped out."""
        return 100 * self.thp_pages_out / self.thp_pages

    @property
    def size(self) -> tuple[int, int, int]:
        """What must be the same for two storms to be compared."""
        return self.forks, self.thps, self.huge_bytes


@dataclass(frozen=True, slots=True)
class Storms:
    """All storms of one test on one kernel."""

    storms: tuple[Storm, ...]
    """Of all boots one after the other."""
    boots: int
    machines: tuple[str, ...]
    """Machine and accelerator of the boots: `qemu, tcg`."""


def read_storms(output: Iterable[str]) -> tuple[Storm, ...]:
    """Read what a test printed of its storms; those that make no sense are left out, and those that split
    too few PMDs. Never raises."""
    found: list[Storm] = []
    for line in parse_data_lines(output).lines:
        try:
            if line.kind == "storm" and _is_one(storm := _read(line)):
                found.append(storm)
        except DataError:
            continue
    return tuple(found[:_MOST_STORMS])


def _read(line: DataLine) -> Storm:
    storm = Storm(
        forks=line.number("forks", 1),
        thps=line.number("thps", 1),
        huge_bytes=line.number("huge_bytes", 1),
        page_bytes=line.number("page_bytes", 1),
        reserve_pages=line.number("reserve_pages", 0),
        thp_pages=line.number("thp_pages", 1),
        thp_pages_out=line.number("thp_pages_out", 0),
        free_pages_min=line.number("free_pages_min", 0),
        ns=line.number("ns", 0),
        reached=line.flag("reached"),
        stuck=line.flag("stuck"),
        swapped_pages=line.number("swapped_pages", 0),
        thp_swpout=line.number_or_absent("thp_swpout"),
        thp_swpout_fallback=line.number_or_absent("thp_swpout_fallback"),
        split=line.number("split", 0),
        split_failed=line.number_or_absent("split_failed"),
        oom_kills=line.number("oom_kills", 0),
        new_table_pages=line.number("new_table_pages"),
    )
    if storm.thp_pages_out > storm.thp_pages:
        raise DataError("more pages are out than there were")
    return storm


def _is_one(storm: Storm) -> bool:
    """Tell whether PMDs were split as they must; a storm that did not get to its end is one in any case."""
    sharers = storm.forks + 1
    return not storm.reached or storm.split * 100 >= SPLIT_PERCENT * sharers * storm.thps


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    on_base, on_series = _storms(base), _storms(series)
    both = (*on_base.storms, *on_series.storms)
    if not both:
        return None
    item = Measurement(
        measure=SUITE,
        test=test.name,
        subject=f"{both[0].forks} forks, {amount(both[0].thps, 'THP')}",
        verdict=test.verdict,
        reason=test.reason,
        readings=tuple(_readings(on_base, on_series)),
        base=plain(on_base),
        series=plain(on_series),
    )
    if why_not := _why_not_comparable(on_base.storms, on_series.storms):
        return replace(item, conclusion=why_not)
    change, p = _difference(on_base, on_series, lambda storm: storm.percent_out, fmean)
    verdict, conclusion = _judge(on_base.storms, on_series.storms, change, p)
    if test.verdict not in _OUT_OF_THE_TEST and SEVERITY[verdict] >= SEVERITY[test.verdict]:
        item = replace(item, verdict=verdict, reason=conclusion if verdict is not Verdict.UNCHANGED else "")
    conclusion += _slowness(on_base, on_series)
    note = reading_note(on_base.machines, on_base.boots == on_series.boots == 1)
    return replace(item, conclusion=conclusion, change_percent=change, p=p, note=note)


def _storms(runs: Runs) -> Storms:
    read = [(run, read_storms(run.result.output)) for run in runs.judged]
    measured = [(run, storms) for run, storms in read if storms]
    storms = tuple(storm for _, storms in measured for storm in storms)
    return Storms(storms, len(measured), machines_of(run for run, _ in measured))


def _readings(base: Storms, series: Storms) -> Iterator[Reading]:
    """Medians; the mean part that is swapped out; sums of failed splits and OOM kills."""
    for name, unit, value, tracked in (
        ("runs", "", len, False),
        ("swapped out", "%", lambda storms: fmean(storm.percent_out for storm in storms), True),
        ("median time", "ns", _median(lambda storm: storm.ns), True),
        ("new page tables", "", _median(lambda storm: storm.new_table_pages), False),
        ("least free", "", _median(lambda storm: storm.free_pages_min), False),
        ("reserve", "", _median(lambda storm: storm.reserve_pages), False),
        ("failed splits", "", _failed_splits, False),
        ("OOM kills", "", lambda storms: sum(storm.oom_kills for storm in storms), True),
    ):
        yield reading(name, unit, value, base.storms or None, series.storms or None, tracked=tracked)


_Value = Callable[[Sequence[Storm]], float | None]


def _median(value: Callable[[Storm], float]) -> _Value:
    return lambda storms: median(map(value, storms))


def _failed_splits(storms: Sequence[Storm]) -> float | None:
    counted = [storm.split_failed for storm in storms if storm.split_failed is not None]
    return sum(counted) if counted else None


def _why_not_comparable(base: Sequence[Storm], series: Sequence[Storm]) -> str:
    if min(len(base), len(series)) < FEWEST_STORMS:
        return (
            f"too few runs to say: {len(base)} on base, {len(series)} with the series, "
            f"{FEWEST_STORMS} of each are needed"
        )
    if len({storm.size for storm in (*base, *series)}) > 1:
        return "not compared: not all runs had as many forks and THPs of the same size"
    return ""


def _judge(base: Sequence[Storm], series: Sequence[Storm], change: float, p: float) -> tuple[Verdict, str]:
    on_base, on_series = ([storm.oom_kills > 0 for storm in storms] for storms in (base, series))
    if any(on_series) and not any(on_base):
        chance = permutation_p(on_base, on_series)
        rate = f"{sum(on_series)} of {len(on_series)} runs, {p_in_words(chance)}"
        verdict = Verdict.REGRESSION if chance <= SIGNIFICANT_P else Verdict.FLAKY
        return verdict, f"OOM kills only with the series ({rate})"
    if p <= SIGNIFICANT_P and abs(change) >= EFFECT_PERCENT:
        word, verdict = ("fewer", Verdict.REGRESSION) if change < 0 else ("more", Verdict.UNCHANGED)
        return verdict, f"swaps out {abs(change):.0f} % {word} pages ({p_in_words(p)})"
    if any(on_base):
        return Verdict.UNCHANGED, f"OOM kills {'on both kernels' if any(on_series) else 'only on base'}"
    return Verdict.UNCHANGED, _no_difference(base, series)


def _no_difference(base: Sequence[Storm], series: Sequence[Storm]) -> str:
    short, short_base = (sum(not storm.reached for storm in storms) for storms in (series, base))
    if short <= short_base:
        return "reclaim makes as much progress"
    return (
        f"no difference shown: THPs stay in memory in {short} of {len(series)} runs with the series, "
        f"{short_base} of {len(base)} on base"
    )


def _difference(
    base: Storms, series: Storms, value: Callable[[Storm], float], middle: Callable[[list[float]], float]
) -> tuple[float, float]:
    """Return the change of the middle in percent of base, and how probable it is between equal kernels."""
    on_base, on_series = ([value(storm) for storm in side.storms] for side in (base, series))
    of_base = middle(on_base)
    change = 100 * (middle(on_series) - of_base) / of_base if of_base else 0.0
    return change, permutation_p(on_base, on_series)


def _slowness(base: Storms, series: Storms) -> str:
    if base.machines != series.machines:
        return ""
    change, p = _difference(base, series, lambda storm: storm.ns, median)
    if p > SIGNIFICANT_P or abs(change) < EFFECT_PERCENT:
        return ""
    return f", {abs(change):.0f} % {'slower' if change > 0 else 'faster'} ({p_in_words(p)})"


MEASURE = Measure(
    name=SUITE,
    title="Fork storm",
    about="Memory is short, and the PMD of every process that shares a THP is split before it can be swapped "
    "out. Memory is in pages. Medians of all runs, and the mean part that is swapped out.",
    compare=_compare,
    more_suites=("fork_storm_low_reserve",),
    narrow=("swapped out", "median time", "least free", "failed splits"),
)
