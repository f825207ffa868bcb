# SPDX-License-Identifier: GPL-2.0-only
"""What THPs cost in page tables, base against series, and whether everything is given back.

A cost is information; a cost that rises by a page table for each THP, or page tables that stay
after their THPs are gone, are findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from results.compare.measures.data_lines import DataError, DataLine, parse_data_lines
from results.compare.measures.measure import Measure, reading
from results.compare.reason import SURE
from results.compare.tally import Runs, deciding_run
from results.model.document import plain
from results.model.run import Measurement, TestComparison, Verdict
from results.text import amount

SUITE = "pgtable_cost"

TOLERATED_PAGES = 4
"""The numbers are of the whole machine: another process may get a page table of each level meanwhile."""

_PER_THP = "page tables per THP"
_STAGES = ("start", "mapped", "half_split", "unmapped")
_GIB = 1 << 30
_REFERENCE_BYTES = 100 * _GIB
_COARSE_PERCENT = 5
"""Numbers move by pages; above this part of the value it is said by how much."""


@dataclass(frozen=True, slots=True)
class PageTables:
    """What some THPs took in page tables, of all levels and of the whole machine, in one run."""

    thps: int
    huge_bytes: int
    """Bytes of one THP."""
    page_bytes: int
    start_bytes: int
    """Before the THPs were there."""
    mapped_bytes: int
    half_split_bytes: int
    """With every second THP split."""
    unmapped_bytes: int
    """After the THPs were gone."""

    @property
    def per_mapped_thp(self) -> float:
        """Bytes that the average THP took."""
        return (self.mapped_bytes - self.start_bytes) / self.thps

    @property
    def per_half_split_thp(self) -> float:
        """Bytes that the average THP took when every second one was split."""
        return (self.half_split_bytes - self.start_bytes) / self.thps

    @property
    def left_bytes(self) -> int:
        """Bytes that were not given back."""
        return self.unmapped_bytes - self.start_bytes

    @property
    def table_bytes(self) -> int:
        """Bytes of the table that maps one THP by pages: eight for each, on every 64-bit architecture."""
        return self.huge_bytes // self.page_bytes * 8


def read_page_tables(output: Iterable[str]) -> PageTables | None:
    """Read the four stages that a test printed; None if one is missing or makes no sense. Never raises."""
    stages: dict[str, DataLine] = {}
    try:
        for line in parse_data_lines(output).lines:
            if line.kind == "cost":
                stages[line.name("stage", *_STAGES)] = line
        return _page_tables(stages) if len(stages) == len(_STAGES) else None
    except DataError:
        return None


def _page_tables(stages: dict[str, DataLine]) -> PageTables:
    first = stages["start"]
    for key in ("thps", "huge_bytes", "page_bytes"):
        if any(line.number(key) != first.number(key) for line in stages.values()):
            raise DataError(f"{key} is not always the same")
    huge_bytes, page_bytes = first.number("huge_bytes", 1), first.number("page_bytes", 1)
    if huge_bytes <= page_bytes:
        raise DataError("a THP is no larger than a page")
    taken = {stage: line.number("page_tables_bytes", 0) for stage, line in stages.items()}
    return PageTables(
        thps=first.number("thps", 1),
        huge_bytes=huge_bytes,
        page_bytes=page_bytes,
        start_bytes=taken["start"],
        mapped_bytes=taken["mapped"],
        half_split_bytes=taken["half_split"],
        unmapped_bytes=taken["unmapped"],
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """One kernel: the deciding run, and all runs."""

    run: PageTables | None
    all: tuple[PageTables | None, ...]

    @property
    def leaking(self) -> int:
        return sum(run is not None and _leaks(run) for run in self.all)


def _side(runs: Runs) -> _Side:
    decided = deciding_run(runs)
    return _Side(
        run=read_page_tables(decided.result.output) if decided else None,
        all=tuple(read_page_tables(run.result.output) for run in runs.judged),
    )


def _leaks(run: PageTables) -> bool:
    return run.left_bytes > TOLERATED_PAGES * run.page_bytes


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    on_base, on_series = _side(base), _side(series)
    if on_base.run is None and on_series.run is None:
        return None
    verdict, reason = _judge(test, on_base, on_series)
    runs = on_base.run, on_series.run
    return Measurement(
        measure=SUITE,
        test=test.name,
        subject="page tables",
        verdict=verdict,
        reason=reason,
        conclusion=_summary(*runs),
        readings=(
            reading("THPs", "", lambda run: run.thps, *runs, tracked=False),
            reading(_PER_THP, "B", lambda run: run.per_mapped_thp, *runs),
            reading(f"{_PER_THP}, half of them split", "B", lambda run: run.per_half_split_thp, *runs),
            reading("page tables not given back", "B", lambda run: run.left_bytes, *runs),
        ),
        base=plain(on_base.run) if on_base.run else {},
        series=plain(on_series.run) if on_series.run else {},
    )


def _judge(test: TestComparison, base: _Side, series: _Side) -> tuple[Verdict, str]:
    if test.verdict in (Verdict.INFRASTRUCTURE, Verdict.UNSUPPORTED, Verdict.NOT_EXERCISED):
        return test.verdict, test.reason
    if base.leaking or series.leaking:
        return _judge_leak(base, series)
    if test.verdict is not Verdict.UNCHANGED:
        return test.verdict, test.reason
    if base.run is None or series.run is None:
        where = "on base" if base.run is None else "with the series"
        return Verdict.NOT_EXERCISED, f"the numbers {where} can't be read"
    if base.run.huge_bytes != series.run.huge_bytes:
        return Verdict.NOT_EXERCISED, "THPs are not of the same size on both kernels"
    return _judge_rise(base, series)


def _judge_leak(base: _Side, series: _Side) -> tuple[Verdict, str]:
    if not series.leaking:
        return Verdict.FIXED, f"page tables are left on base ({_left(base)}), none with the series"
    if base.leaking:
        return Verdict.FAILS_ON_BOTH, f"page tables are left on both kernels ({_left(series)})"
    rate = f"{series.leaking} of {amount(len(series.all), 'run')}"
    always = SURE <= series.leaking == len(series.all)
    said = f"page tables are left with the series ({_left(series)}, {rate}), none on base"
    return Verdict.REGRESSION if always else Verdict.FLAKY, said


def _left(side: _Side) -> str:
    return _size(max(run.left_bytes for run in filter(_is_run, side.all)))


def _judge_rise(base: _Side, series: _Side) -> tuple[Verdict, str]:
    """Compare the cheapest run of the series with the dearest of base."""
    on_base, on_series = (list(filter(_is_run, side.all)) for side in (base, series))
    table = on_series[0].table_bytes
    step = TOLERATED_PAGES * on_series[0].page_bytes / min(run.thps for run in (*on_base, *on_series))
    for state, of_base, of_series in (
        ("a mapped THP", [run.per_mapped_thp for run in on_base], [run.per_mapped_thp for run in on_series]),
        (
            "a THP of which every second one is split",
            [run.per_half_split_thp for run in on_base],
            [run.per_half_split_thp for run in on_series],
        ),
    ):
        rise = min(of_series) - max(of_base)
        if rise >= table and rise > step:
            return Verdict.REGRESSION, (
                f"{state} costs {_bytes(min(of_series))} of page tables with the series, "
                f"{_bytes(max(of_base))} on base"
            )
    return Verdict.UNCHANGED, ""


def _is_run(run: PageTables | None) -> TypeGuard[PageTables]:
    return run is not None


def _summary(base: PageTables | None, series: PageTables | None) -> str:
    """Say the cost in words: `4096 B → 0 B per THP of 2 MiB: 200 MiB less per 100 GiB`."""
    if base is None or series is None or base.huge_bytes != series.huge_bytes:
        return ""
    mapped = _change(base.per_mapped_thp, series.per_mapped_thp)
    split = _change(base.per_half_split_thp, series.per_half_split_thp)
    said = f"{mapped} per THP of {_size(base.huge_bytes)}: {_per_100_gib(base, series)}"
    said += f"; with every second one split {split}"
    step = max(run.page_bytes / run.thps for run in (base, series))
    is_coarse = step * 100 > _COARSE_PERCENT * max(base.per_mapped_thp, series.per_mapped_thp, 1)
    return f"{said}; measured in steps of {_bytes(step)}" if is_coarse else said


def _change(base: float, series: float) -> str:
    return f"{_bytes(base)} → {_bytes(series)}"


def _bytes(number: float) -> str:
    return f"{round(number)} B"


def _per_100_gib(base: PageTables, series: PageTables) -> str:
    per_thp = series.per_mapped_thp - base.per_mapped_thp
    total = round(per_thp * _REFERENCE_BYTES / base.huge_bytes)
    if abs(per_thp) * min(base.thps, series.thps) <= TOLERATED_PAGES * base.page_bytes:
        return "no difference shown"
    return f"{_size(abs(total))} {'less' if total < 0 else 'more'} per 100 GiB"


def _size(number: int) -> str:
    """Write a number of bytes in the largest unit that leaves it at least 1."""
    for unit, size in (("GiB", _GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(number) >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number} B"


def _finding(item: Measurement) -> str:
    return f"page-table cost: {item.reason}"


MEASURE = Measure(
    name=SUITE,
    title="Page-table cost",
    about="Page tables of the whole machine: with many THPs mapped, with every second one split, and after "
    "they are gone.",
    compare=_compare,
    finding=_finding,
    overview=_PER_THP,
)
