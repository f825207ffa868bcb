# SPDX-License-Identifier: GPL-2.0-only
"""The fault sweep, page-table costs and timings in the words and shapes that reports show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from results.compare.measures.fault_sweep import in_words, ranges
from results.model.measurements import PageTables, Samples, SweepRow, SweepRun
from results.model.run import SweepComparison

_EFFECTS = {"full": "all of it done", "none": "nothing changed", "part": "done in part"}
_ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one call looks in the table of operations and n: a sign that needs no colour, and its meaning."""

    sign: str
    tone: str
    """What it is coloured like: a verdict of the page's style sheet."""
    meaning: str


DONE = Shape("✓", "unchanged", "done all the same")
REPORTED = Shape("E", "DONE", "failed as documented")
SPLIT_FAILED = Shape("S", "fixed", "the split of a PMD failed and was handled")
BROKEN = Shape("✗", "regression", "broken")
CUT_SHORT = Shape("!", "infrastructure", "cut short")
REFERENCE = Shape("·", "DONE", "no allocation failed")
NOTHING = Shape("", "DONE", "no such allocation")

LEGEND = (DONE, REPORTED, SPLIT_FAILED, BROKEN, CUT_SHORT, REFERENCE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The n-th allocation of an operation on both kernels."""

    n: int
    base: SweepRow | None
    series: SweepRow | None
    base_shape: Shape
    series_shape: Shape
    base_words: str
    series_words: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """Neighbouring n of which the same is to be said."""

    numbers: str
    """`3` or `3–7`."""
    base: str
    series: str


def attempts(sweep: SweepComparison) -> list[Attempt]:
    """Align the rows of both kernels by n."""
    return [_attempt(sweep, n) for n in range(1, _most(sweep) + 1)]


def _most(sweep: SweepComparison) -> int:
    return max(_last(sweep.base), _last(sweep.series))


def _last(run: SweepRun) -> int:
    """The last n that a table shows; a guest may claim any, so not more than there are rows, or one."""
    return max(len(run.rows), min(run.trying or 0, len(run.rows) + 1))


def _attempt(sweep: SweepComparison, n: int) -> Attempt:
    base, series = (_row(run, n) for run in (sweep.base, sweep.series))
    return Attempt(
        n,
        base,
        series,
        _shape(sweep.base, base, n),
        _shape(sweep.series, series, n),
        _words(sweep.base, base, n),
        _words(sweep.series, series, n),
    )


def _row(run: SweepRun, n: int) -> SweepRow | None:
    return next((row for row in run.rows if row.n == n), None)


def _shape(run: SweepRun, row: SweepRow | None, n: int) -> Shape:
    if row is None:
        return CUT_SHORT if run.trying == n else NOTHING
    if row.why:
        return BROKEN
    if not row.fired:
        return REFERENCE
    if row.split_failure_handled:
        return SPLIT_FAILED
    return DONE if row.result in ("ok", "short") else REPORTED


def _words(run: SweepRun, row: SweepRow | None, n: int) -> str:
    if row is None:
        return "cut short" if run.trying == n else NOTHING.meaning if run.finished else "not known"
    said = [row.result, _EFFECTS.get(row.effect, row.effect)]
    if row.retry != "none":
        said.append(f"retried {row.retry}")
    if row.split_failed:
        said.append("the split of a PMD failed")
    words = ", ".join(said)
    if row.why:
        return f"broken, {in_words(row.why)}: {words}"
    return words if row.fired else f"none failed: {words}"


def grouped_attempts(sweep: SweepComparison) -> list[Attempts]:
    """Put neighbouring n together of which the same is to be said."""
    groups = groupby(attempts(sweep), key=lambda each: (each.base_words, each.series_words))
    return [Attempts(ranges(each.n for each in group), base, series) for (base, series), group in groups]


def with_rows(sweeps: Sequence[SweepComparison]) -> list[SweepComparison]:
    """Choose the operations that came to a call on either kernel."""
    return [sweep for sweep in sweeps if _most(sweep)]


@dataclass(frozen=True, slots=True)
class Idle:
    """Operations without a single row, of which the same is to be said."""

    sweeps: tuple[SweepComparison, ...]

    @property
    def names(self) -> str:
        """The operations."""
        return ", ".join(sweep.operation for sweep in self.sweeps)


def without_rows(sweeps: Sequence[SweepComparison]) -> list[Idle]:
    """Put the operations together that never came to a call, by verdict and reason."""
    groups: dict[tuple[str, str], list[SweepComparison]] = {}
    for sweep in sweeps:
        if not _most(sweep):
            groups.setdefault((sweep.verdict, sweep.reason), []).append(sweep)
    return [Idle(tuple(group)) for group in groups.values()]


def handled(run: SweepRun) -> str:
    """Count the failed splits that were handled: a number, `absent`, or `–` without rows."""
    if not run.rows:
        return "–"
    return _ABSENT if run.handled is None else str(run.handled)


def fired(run: SweepRun) -> str:
    """Count the allocations that were made to fail: a number, or `–` without rows."""
    return str(run.fired) if run.rows else "–"


def split_summary(sweeps: Sequence[SweepComparison]) -> str:
    """Say whether splits failed at all: without one, nothing is known of how their failure is handled."""
    base = _failed_splits([sweep.base for sweep in sweeps])
    series = _failed_splits([sweep.series for sweep in sweeps])
    if series is None:
        return ""
    on_base = f"On base {_split_words(base)}." if base else "Base does not count failed splits."
    return f"With the series {_split_words(series)}. {on_base}"


def _split_words(splits: tuple[int, int]) -> str:
    failed, well = splits
    if not failed:
        return "no split of a PMD failed for want of memory"
    calls = f"the split of a PMD failed in {failed} call{'s' if failed > 1 else ''}"
    return f"{calls} and was handled" if failed == well else f"{calls} and was handled in {well}"


def _failed_splits(runs: Sequence[SweepRun]) -> tuple[int, int] | None:
    """Count the calls in which a split failed, and those of which nothing came."""
    rows = [row for run in runs for row in run.rows if row.split_failed is not None]
    if not rows:
        return None
    failed = sum(row.fired and (row.split_failed or 0) > 0 for row in rows)
    return failed, sum(row.split_failure_handled for row in rows)


def nanoseconds(number: float) -> str:
    """Show a time in three digits: `850 ns`, `12.4 µs`, `3.2 ms`, `1.05 s`."""
    rounded = float(f"{number:.3g}")
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if rounded >= size:
            return f"{rounded / size:#.3g} {unit}".replace(". ", " ")
    return f"{rounded:.0f} ns"


def middle(measured: Samples | None) -> str:
    """Show a median."""
    return nanoseconds(measured.median) if measured else "none"


def spread(measured: Samples | None) -> str:
    """Show how far apart the middle half of the samples is, in percent of the median."""
    if measured is None or not measured.median:
        return "–"
    return f"{100 * (measured.high - measured.low) / measured.median:.0f} %"


def left_out(sweeps: Sequence[SweepComparison]) -> Iterator[str]:
    """Say what could not be read."""
    for sweep in sweeps:
        for kernel, run in (("base", sweep.base), ("series", sweep.series)):
            for words in run.left_out[:3]:
                yield f"{sweep.operation}, {kernel}: {words}"


COST_ROWS: tuple[tuple[str, Callable[[PageTables], str]], ...] = (
    ("THPs", lambda tables: f"{tables.thps} of {tables.huge_bytes:,} bytes"),
    ("for each THP, mapped", lambda tables: f"{tables.per_mapped_thp:,.0f}"),
    ("for each THP, every second one split", lambda tables: f"{tables.per_half_split_thp:,.0f}"),
    ("left when they are gone", lambda tables: f"{tables.left_bytes:,}"),
)
"""What is shown of page tables, with a name."""
