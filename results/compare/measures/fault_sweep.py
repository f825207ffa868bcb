# SPDX-License-Identifier: GPL-2.0-only
"""The fault sweep: every allocation of an operation fails once, on base and on the series.

Rows are aligned by n, but the kernels need not allocate as often: a row that is broken at another n
for the same reason is taken for the same fault. The verdict follows the test's own, so that it has
the second look that every failure gets; the sweep adds at which n the operation broke, and how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from results.compare.finding import SURE, Finding, says_more
from results.compare.measures.data_lines import DataError, DataLine, parse_data_lines
from results.compare.tally import deciding_run, runs_of
from results.model.measurements import SweepRow, SweepRun
from results.model.run import (
    Cell,
    PlannedTest,
    Status,
    SweepComparison,
    TestComparison,
    TestResult,
    Verdict,
)

SUITE = "fault_sweep"
"""One case per operation, of the same name."""

CUT_SHORT = "cut_short"
"""Why an n is broken that was tried and has no row."""

_BY_CHANCE = 1
"""Allocations that may fail on one kernel only by chance, because one of its slabs was full."""
_WORDS: Mapping[str, str] = {
    "success_without_effect": "it reports success without its effect",
    "failure_with_effect": "it reports failure, but has had an effect",
    "outside_changed": "it changes memory that it should leave alone",
    "unusable": "its memory can't be used any more",
    "retry_failed": "it fails again when nothing is in its way",
    "wrong_errno": "it reports an error that it should not",
    "died": "its process dies",
    CUT_SHORT: "the test was cut short",
}
_NO_RUN = SweepRun()


def in_words(why: str) -> str:
    """Say why a row is broken."""
    return _WORDS.get(why, why)


def read_sweep(operation: str, result: TestResult) -> SweepRun:
    """Read the rows that one run of a test printed; never raises."""
    return _read(operation, result.output, is_over=result.status is Status.SKIP)


def _read(operation: str, output: Iterable[str], *, is_over: bool) -> SweepRun:
    data = parse_data_lines(output)
    left_out = list(data.left_out)
    rows: dict[int, SweepRow] = {}
    trying, end = None, None
    for line in data.lines:
        try:
            match _kind(line, operation):
                case "sweep_try":
                    trying = line.number("n", 1)
                case "sweep":
                    _add(rows, _row(line))
                case _:
                    end = line
        except DataError as error:
            left_out.append(f"{line.kind}: {error}")
    if end:
        left_out += _unlike(end, rows)
    in_order = tuple(rows[n] for n in sorted(rows))
    cut = trying if end is None and not is_over and trying not in rows else None
    is_whole = end is not None and not left_out and sorted(rows) == list(range(1, len(rows) + 1))
    return SweepRun(in_order, is_whole, cut, tuple(left_out))


def _kind(line: DataLine, operation: str) -> str:
    if line.kind not in ("sweep", "sweep_try", "sweep_end"):
        raise DataError("not a line of a sweep")
    if line.name("op") != operation:
        raise DataError(f"of {line.name('op')}, not of {operation}")
    return line.kind


def _row(line: DataLine) -> SweepRow:
    is_broken = line.name("verdict", "ok", "broken") == "broken"
    return SweepRow(
        n=line.number("n", 1),
        fired=line.flag("fired"),
        result=line.name("result"),
        effect=line.name("effect", "full", "none", "part"),
        intact=line.flag("intact"),
        usable=line.flag("usable"),
        retry=line.name("retry"),
        split=line.number_or_absent("split"),
        split_failed=line.number_or_absent("split_failed"),
        why=line.name("why") if is_broken else "",
    )


def _add(rows: dict[int, SweepRow], row: SweepRow) -> None:
    if row.n in rows:
        raise DataError(f"n={row.n} stands twice")
    rows[row.n] = row


def _unlike(end: DataLine, rows: Mapping[int, SweepRow]) -> list[str]:
    """Say where the closing line does not agree with the rows."""
    counted = {
        "rows": len(rows),
        "fired": sum(row.fired for row in rows.values()),
        "broken": sum(bool(row.why) for row in rows.values()),
    }
    return [
        f"sweep_end says {key}={end.values.get(key, 'nothing')[:20]}, {count} were read"
        for key, count in counted.items()
        if end.values.get(key) != str(count)
    ]


def compare_sweeps(
    planned: Sequence[PlannedTest], tests: Sequence[TestComparison], base: Cell, series: Cell
) -> tuple[SweepComparison, ...]:
    """Compare all operations that were swept; empty if the sweep never ran."""
    of_tests = {test.name: test for test in tests}
    found = tuple(
        _compare(of_tests[test.name], _side(test, base), _side(test, series))
        for test in planned
        if test.name.startswith(f"{SUITE}.")
    )
    return found if any(_has_run(sweep, of_tests[sweep.test]) for sweep in found) else ()


def _has_run(sweep: SweepComparison, test: TestComparison) -> bool:
    rows = sweep.base.rows or sweep.series.rows
    return bool(rows) or Status.SKIP in (test.base.status, test.series.status)


Faults = Mapping[str, frozenset[int]]
"""For each reason, the n at which an operation broke."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One kernel: the run that stands for all, and what broke in each."""

    run: SweepRun
    faults: tuple[Faults, ...]

    @property
    def all_faults(self) -> Faults:
        reasons = {why for faults in self.faults for why in faults}
        return {
            why: frozenset().union(*(faults.get(why, frozenset()) for faults in self.faults))
            for why in reasons
        }


def _side(test: PlannedTest, cell: Cell) -> _Side:
    runs = runs_of(test, cell)
    operation = operation_of(test.name)
    decided = deciding_run(runs)
    return _Side(
        run=read_sweep(operation, decided.result) if decided else _NO_RUN,
        faults=tuple(_faults(read_sweep(operation, run.result)) for run in runs.judged),
    )


def operation_of(test: str) -> str:
    """The operation that a test sweeps."""
    return test.removeprefix(f"{SUITE}.")


def _faults(run: SweepRun) -> Faults:
    found: dict[str, set[int]] = {}
    for row in run.rows:
        if row.why:
            found.setdefault(row.why, set()).add(row.n)
    if run.trying is not None:
        found.setdefault(CUT_SHORT, set()).add(run.trying)
    return {why: frozenset(ns) for why, ns in found.items()}


def _new_faults(on_base: Faults, on_series: Faults) -> Faults:
    """Leave out what base has as often, for its n may only have moved."""
    return {
        why: ns - on_base.get(why, frozenset())
        for why, ns in on_series.items()
        if len(ns) > len(on_base.get(why, frozenset()))
    }


def _compare(test: TestComparison, base: _Side, series: _Side) -> SweepComparison:
    verdict, reason = _judge(test, base, series)
    return SweepComparison(operation_of(test.name), test.name, base.run, series.run, verdict, reason)


def _judge(test: TestComparison, base: _Side, series: _Side) -> tuple[Verdict, str]:
    if test.verdict in (Verdict.INFRASTRUCTURE, Verdict.UNSUPPORTED):
        return test.verdict, test.reason
    if test.base.status is test.series.status is Status.SKIP:
        return Verdict.UNSUPPORTED, _both(test)
    if any(series.faults):
        return _judge_broken(test, base, series)
    if any(base.faults):
        return _judge_broken_on_base(test, base)
    if test.verdict is not Verdict.UNCHANGED:
        return test.verdict, test.reason
    return _judge_well(base.run, series.run)


def _both(test: TestComparison) -> str:
    base, series = (
        kernel.reason.removeprefix("skipped: ").removeprefix(f"{operation_of(test.name)}: ")
        for kernel in (test.base, test.series)
    )
    return base if base == series else f"on base {base}; with the series {series}"


def _judge_broken(test: TestComparison, base: _Side, series: _Side) -> tuple[Verdict, str]:
    """Judge an operation that broke with the series at least once."""
    operation = operation_of(test.name)
    everywhere = base.all_faults
    new = [found for found in (_new_faults(everywhere, faults) for faults in series.faults) if found]
    if not new:
        verdict = test.verdict if test.verdict is Verdict.FLAKY else Verdict.FAILS_ON_BOTH
        what = _what(next(filter(None, series.faults)))
        return verdict, f"{operation} breaks on both kernels {what}; on base {_what(everywhere)}"
    if not test.base.exercised:
        return Verdict.NOT_EXERCISED, f"{operation} breaks {_what(new[0])}; {test.reason}"
    rate = f"{len(new)} of {len(series.faults)} run{'s' if len(series.faults) > 1 else ''}"
    said = f"{operation} breaks {_what(new[0])} with the series, {rate}; {_on_base(everywhere)}"
    is_sure = SURE <= len(new) == len(series.faults) or test.verdict is Verdict.REGRESSION
    return Verdict.REGRESSION if is_sure else Verdict.FLAKY, said


def _on_base(everywhere: Faults) -> str:
    return f"on base {_what(everywhere)}" if everywhere else "on base it does not"


def _judge_broken_on_base(test: TestComparison, base: _Side) -> tuple[Verdict, str]:
    green = test.verdict is Verdict.UNCHANGED
    said = f"{operation_of(test.name)} breaks on base {_what(base.all_faults)}, with the series it does not"
    return Verdict.FIXED if green else test.verdict, said


def _judge_well(base: SweepRun, series: SweepRun) -> tuple[Verdict, str]:
    for run, where in ((base, "on base"), (series, "with the series")):
        if not run.finished:
            said = f": {run.left_out[0]}" if run.left_out else ""
            return Verdict.NOT_EXERCISED, f"not all of its rows are known {where}{said}"
    if base.fired > _BY_CHANCE and not series.fired:
        said = f"{base.fired} allocations failed on base, none could be made to fail with the series"
        return Verdict.NOT_EXERCISED, said
    if not base.fired and not series.fired:
        return Verdict.UNCHANGED, "takes no memory"
    return Verdict.UNCHANGED, ""


def _what(faults: Faults) -> str:
    """Say at which n an operation breaks, and how: `at n = 3, 5–7 (it reports success …)`."""
    return " and ".join(f"at n = {ranges(ns)} ({in_words(why)})" for why, ns in faults.items())


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers as people do: `1, 3–5`."""
    ordered = sorted(numbers)
    breaks = [index for index, (left, right) in enumerate(pairwise(ordered), 1) if right != left + 1]
    parts = [ordered[start:end] for start, end in pairwise([0, *breaks, len(ordered)])]
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts if part)


def telling_sweeps(
    sweeps: Sequence[SweepComparison], tests: Sequence[TestComparison]
) -> tuple[SweepComparison, ...]:
    """Choose the operations of which the sweep says more than the result of their test."""
    of_tests = {test.name: test for test in tests}
    return tuple(sweep for sweep in sweeps if says_more(sweep, of_tests[sweep.test]))


def sweep_finding(sweep: SweepComparison) -> Finding:
    """Say what came out for one operation."""
    if sweep.reason.startswith(f"{sweep.operation} "):
        return Finding(sweep.verdict, f"when an allocation fails, {sweep.reason}")
    return Finding(sweep.verdict, f"{sweep.operation} in the fault sweep: {sweep.reason}")
