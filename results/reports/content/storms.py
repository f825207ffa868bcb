# SPDX-License-Identifier: GPL-2.0-only
"""Fork storms in the words that reports show: both kernels beside each other, `base | series`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

from results.model.measurements import Storm, Storms
from results.model.run import StormComparison
from results.reports.content.numbers import nanoseconds

_NONE = "–"


@dataclass(frozen=True, slots=True)
class StormColumn:
    """One thing that is shown of the storms of a kernel."""

    head: str
    said: Callable[[Storms], str]

    def both(self, item: StormComparison) -> str:
        """Show it of both kernels."""
        return f"{self.said(item.base)} | {self.said(item.series)}"


def _median(value: Callable[[Storm], float], shown: Callable[[float], str]) -> Callable[[Storms], str]:
    return lambda side: shown(median(map(value, side.storms))) if side.storms else _NONE


def _part_out(side: Storms) -> str:
    return f"{fmean(storm.percent_out for storm in side.storms):.0f} %" if side.storms else _NONE


def _count(number: float) -> str:
    return f"{number:.0f}"


def _failed_splits(side: Storms) -> str:
    counted = [storm.split_failed for storm in side.storms if storm.split_failed is not None]
    return str(sum(counted)) if counted else "absent" if side.storms else _NONE


_OUT = StormColumn("swapped out", _part_out)
_TIME = StormColumn("time", _median(lambda storm: storm.ns, nanoseconds))
_LEAST_FREE = StormColumn("least free", _median(lambda storm: storm.free_pages_min, _count))
_FAILED = StormColumn("failed splits", _failed_splits)

COLUMNS = (
    StormColumn("runs", lambda side: str(len(side.storms))),
    _OUT,
    _TIME,
    StormColumn("new page tables", _median(lambda storm: storm.new_table_pages, _count)),
    _LEAST_FREE,
    _FAILED,
    StormColumn("OOM kills", lambda side: str(sum(storm.oom_kills for storm in side.storms))),
)
"""What is shown of a test: medians, the mean of what is swapped out, sums of failed splits and OOM kills."""

NARROW = (_OUT, _TIME, _LEAST_FREE, _FAILED)
"""What fits on a terminal."""


def step(item: StormComparison) -> str:
    """Say how large the storms are: `128 forks of 2 THPs`."""
    first = _first(item)
    return f"{first.forks} forks of {first.thps} THP{'s' if first.thps > 1 else ''}"


def short_step(item: StormComparison) -> str:
    """Say the same in few letters."""
    return f"{_first(item).forks} × {_first(item).thps}"


def reserve(item: StormComparison) -> str:
    """Say how much only reclaim may use."""
    return f"{_first(item).reserve_pages} pages"


def _first(item: StormComparison) -> Storm:
    return next(iter((*item.base.storms, *item.series.storms)))
