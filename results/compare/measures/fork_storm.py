# SPDX-License-Identifier: GPL-2.0-only
"""The fork storm: does reclaim get on when it must split the PMDs of every process that shares a THP?

A storm is one run of the guest test: many forks share some THPs, memory gets short, and the THPs have to be
swapped out. A difference needs several storms on each kernel, a permutation test and a size that matters.
How long it takes is told, but no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median

from results.compare.finding import Finding, says_more
from results.compare.measures.data_lines import DataError, DataLine, parse_data_lines
from results.compare.measures.permutation import SURE, p_in_words, permutation_p
from results.compare.measures.timing import reading_note
from results.compare.tally import runs_of
from results.model.measurements import Storm, Storms
from results.model.run import Cell, PlannedTest, StormComparison, TestComparison, Verdict

SUITES = ("fork_storm", "fork_storm_low_reserve")

FEWEST_STORMS = 5
"""With fewer on either kernel nothing is said: five against five without overlap have p = 0.008."""
EFFECT_PERCENT = 10
"""Smaller changes of what is swapped out are not called a difference."""
SPLIT_PERCENT = 90
"""Of the PMDs of all sharers, for a storm to have been one."""

_MOST_STORMS = 200
_OUT_OF_THE_TEST = (Verdict.INFRASTRUCTURE, Verdict.UNSUPPORTED, Verdict.NOT_EXERCISED)


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


def compare_storms(
    planned: Sequence[PlannedTest], tests: Sequence[TestComparison], base: Cell, series: Cell
) -> tuple[StormComparison, ...]:
    """Compare the storms of each test; empty if there were none."""
    of_tests = {test.name: test for test in tests}
    found = (
        _compare(of_tests[test.name], _storms(test, base), _storms(test, series))
        for test in planned
        if test.name.partition(".")[0] in SUITES
    )
    return tuple(item for item in found if item.base.storms or item.series.storms)


def _storms(test: PlannedTest, cell: Cell) -> Storms:
    read = [(run, read_storms(run.result.output)) for run in runs_of(test, cell).judged]
    measured = [(run, storms) for run, storms in read if storms]
    machines = {f"{run.boot.machine}, {run.boot.accelerator}" for run, _ in measured}
    storms = tuple(storm for _, storms in measured for storm in storms)
    return Storms(storms, len(measured), tuple(sorted(machines)))


def _compare(test: TestComparison, base: Storms, series: Storms) -> StormComparison:
    if why_not := _why_not_comparable(base.storms, series.storms):
        return StormComparison(test.name, base, series, None, None, why_not, test.verdict, test.reason)
    change, p = _difference(base, series, lambda storm: storm.percent_out, fmean)
    verdict, conclusion = _judge(base.storms, series.storms, change, p)
    reason = conclusion if verdict is not Verdict.UNCHANGED else ""
    if test.verdict in _OUT_OF_THE_TEST or not _is_worse(verdict, test.verdict):
        verdict, reason = test.verdict, test.reason
    conclusion += _slowness(base, series)
    note = reading_note(base.machines, base.boots == series.boots == 1)
    return StormComparison(test.name, base, series, change, p, conclusion, verdict, reason, note)


def _is_worse(verdict: Verdict, than: Verdict) -> bool:
    return list(Verdict).index(verdict) >= list(Verdict).index(than)


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
        verdict = Verdict.REGRESSION if chance <= SURE else Verdict.FLAKY
        return verdict, f"OOM kills only with the series ({rate})"
    if p <= SURE and abs(change) >= EFFECT_PERCENT:
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
    if p > SURE or abs(change) < EFFECT_PERCENT:
        return ""
    return f", {abs(change):.0f} % {'slower' if change > 0 else 'faster'} ({p_in_words(p)})"


def telling_storms(
    storms: Sequence[StormComparison], tests: Sequence[TestComparison]
) -> tuple[StormComparison, ...]:
    """Choose those whose numbers say more than their tests' own results."""
    of_tests = {test.name: test for test in tests}
    return tuple(item for item in storms if says_more(item, of_tests[item.test]))


def storm_finding(item: StormComparison) -> Finding:
    """Say what a storm showed."""
    return Finding(item.verdict, f"{item.test}: {item.reason}")
