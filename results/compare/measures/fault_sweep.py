# SPDX-License-Identifier: GPL-2.0-only
"""The fault sweep: every allocation of an operation fails, alone or with all after it, on both kernels.

Rows are aligned by n, but the kernels need not allocate as often: a row that is broken at another n
for the same reason is taken for the same fault. The verdict follows the test's own, so that it has
the second look that every failure gets; the sweep adds at which n the operation broke, and how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from results.compare.measures.measure import CallMark, Measure, reading
from results.compare.measures.sweep_rows import SweepRow, SweepRun, read_sweep
from results.compare.reason import SURE
from results.compare.tally import Runs, deciding_run
from results.model.document import plain
from results.model.run import Measurement, Status, TestComparison, Verdict
from results.text import amount

SUITE = "fault_sweep"
"""One case per operation, of the same name; one allocation of a call fails."""

LASTING = "fault_sweep_lasting"
"""The same cases; one allocation of a call and all after it fail."""

CUT_SHORT = "cut_short"
"""Why an n is broken that was tried and has no row."""

_BY_CHANCE = 1
"""Allocations that may fail on one kernel only by chance, because one of its slabs was full."""
_LEFT_OUT_SHOWN = 3
_WORDS: Mapping[str, str] = {
    "success_without_effect": "it reports success without its effect",
    "failure_with_effect": "it reports failure, but has had an effect",
    "outside_changed": "it changes memory that it should leave alone",
    "unusable": "its memory can't be used any more",
    "retry_failed": "it fails again when nothing is in its way",
    "wrong_errno": "it reports an error that it should not",
    "died": "its process dies",
    "left_behind": "its pages are in the new place, and the old mapping is still there",
    "does_not_end": "it does not end while allocations fail",
    "cannot_be_killed": "it does not end while allocations fail, and can't be killed",
    CUT_SHORT: "the test was cut short",
}
_EFFECTS = {
    "full": "all of it done",
    "none": "nothing changed",
    "part": "done in part",
    "unseen": "its effect can't be seen here",
}
_INSTRUMENTS: Mapping[str, str] = {
    "smaps_locked": "Locked of /proc/PID/smaps",
    "smaps_lazyfree": "LazyFree of /proc/PID/smaps",
    "smaps_anonhugepages": "AnonHugePages of /proc/PID/smaps",
    "pagemap_present": "/proc/PID/pagemap (present pages)",
    "pagemap_swapped": "/proc/PID/pagemap (swapped pages)",
    "pagemap_uffd_wp": "/proc/PID/pagemap (write protection by userfaultfd)",
}
_WAITED = "unending"
"""Result of a call that was killed because it did not end."""

LEGEND: Mapping[str, CallMark] = {
    ".": CallMark("✓", Verdict.UNCHANGED, "done all the same"),
    "e": CallMark("E", Status.DONE, "failed as documented"),
    "h": CallMark("S", Verdict.FIXED, "the split of a PMD failed and was handled"),
    "x": CallMark("✗", Verdict.REGRESSION, "broken"),
    "w": CallMark("W", Status.DONE, "waited for memory until it was killed"),
    "!": CallMark("!", Verdict.INFRASTRUCTURE, "cut short"),
    "?": CallMark("?", Verdict.NOT_EXERCISED, "can't be seen here"),
    "-": CallMark("·", Status.DONE, "no allocation failed"),
}
"""A letter for each call; a blank where there is no such allocation."""


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    operation = _operation(test.name)
    on_base, on_series = _side(operation, base), _side(operation, series)
    runs = on_base.run, on_series.run
    if not any(run.rows for run in runs) and Status.SKIP not in (test.base.status, test.series.status):
        return None
    verdict, reason = _judge(test, on_base, on_series)
    swept = [run if run.rows else None for run in runs]
    return Measurement(
        measure=SUITE,
        test=test.name,
        subject=f"{operation} from n on" if _is_lasting(test.name) else operation,
        verdict=verdict,
        reason=reason,
        readings=(
            reading("calls", "", lambda run: len(run.rows), *swept, tracked=False),
            reading("failed", "", lambda run: run.fired, *swept, tracked=False),
            reading("failed splits handled", "", lambda run: run.handled, *swept, tracked=False),
        ),
        note="; ".join(_left_out(operation, *runs)),
        base_marks=_marks(on_base.run),
        series_marks=_marks(on_series.run),
        base=plain(on_base.run),
        series=plain(on_series.run),
    )


def _left_out(operation: str, base: SweepRun, series: SweepRun) -> Iterable[str]:
    for kernel, run in (("base", base), ("series", series)):
        for words in run.left_out[:_LEFT_OUT_SHOWN]:
            yield f"not read of {operation} on {kernel}: {words}"


def _marks(run: SweepRun) -> str:
    rows = {row.n: row for row in run.rows}
    return "".join(_mark(rows.get(n), cut=run.trying == n) for n in range(1, run.last + 1))


def _mark(row: SweepRow | None, *, cut: bool) -> str:
    if row is None:
        return "!" if cut else " "
    if row.why:
        return "x"
    if row.unseen:
        return "?"
    if not row.fired:
        return "-"
    if row.result == _WAITED:
        return "w"
    if row.split_failure_handled:
        return "h"
    return "." if row.result in ("ok", "short") else "e"


Faults = Mapping[str, frozenset[int]]
"""For each reason, the n at which an operation broke."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One kernel: the deciding run, and the faults of each run."""

    run: SweepRun
    faults: tuple[Faults, ...]

    @property
    def all_faults(self) -> Faults:
        reasons = {why for faults in self.faults for why in faults}
        return {
            why: frozenset().union(*(faults.get(why, frozenset()) for faults in self.faults))
            for why in reasons
        }


def _side(operation: str, runs: Runs) -> _Side:
    decided = deciding_run(runs)
    return _Side(
        run=read_sweep(operation, decided.result) if decided else SweepRun(),
        faults=tuple(_faults(read_sweep(operation, run.result)) for run in runs.judged),
    )


def _operation(test: str) -> str:
    return test.partition(".")[2]


def _is_lasting(test: str) -> bool:
    return test.startswith(f"{LASTING}.")


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


def _judge(test: TestComparison, base: _Side, series: _Side) -> tuple[Verdict, str]:
    if test.verdict in (Verdict.INFRASTRUCTURE, Verdict.UNSUPPORTED):
        return test.verdict, test.reason
    unseen = base.run.unseen or series.run.unseen
    if test.base.status is test.series.status is Status.SKIP and not unseen:
        return Verdict.UNSUPPORTED, _both(test)
    if any(series.faults):
        return _judge_broken(test, base, series)
    if any(base.faults):
        return _judge_broken_on_base(test, base)
    if unseen:
        said = f"can't be seen here: {_INSTRUMENTS.get(unseen, unseen)} does not show what is there"
        return Verdict.NOT_EXERCISED, f"{said}, {_where_unseen(base.run, series.run)}"
    if test.verdict is not Verdict.UNCHANGED:
        return test.verdict, test.reason
    return _judge_well(base.run, series.run)


def _where_unseen(base: SweepRun, series: SweepRun) -> str:
    if base.unseen and series.unseen:
        return "on both kernels"
    return "on base" if base.unseen else "with the series"


def _both(test: TestComparison) -> str:
    base, series = (
        kernel.reason.removeprefix("skipped: ").removeprefix(f"{_operation(test.name)}: ")
        for kernel in (test.base, test.series)
    )
    return base if base == series else f"on base {base}; with the series {series}"


def _judge_broken(test: TestComparison, base: _Side, series: _Side) -> tuple[Verdict, str]:
    """Judge an operation that broke with the series at least once."""
    operation = _operation(test.name)
    everywhere = base.all_faults
    new = [found for found in (_new_faults(everywhere, faults) for faults in series.faults) if found]
    if not new:
        verdict = test.verdict if test.verdict is Verdict.FLAKY else Verdict.FAILS_ON_BOTH
        what = _what(next(filter(None, series.faults)))
        return verdict, f"{operation} breaks on both kernels {what}; on base {_what(everywhere)}"
    if not test.base.exercised:
        return Verdict.NOT_EXERCISED, f"{operation} breaks {_what(new[0])}; {test.reason}"
    rate = f"{len(new)} of {amount(len(series.faults), 'run')}"
    said = f"{operation} breaks {_what(new[0])} with the series, {rate}; {_on_base(everywhere)}"
    is_sure = SURE <= len(new) == len(series.faults) or test.verdict is Verdict.REGRESSION
    return Verdict.REGRESSION if is_sure else Verdict.FLAKY, said


def _on_base(everywhere: Faults) -> str:
    return f"on base {_what(everywhere)}" if everywhere else "on base it does not"


def _judge_broken_on_base(test: TestComparison, base: _Side) -> tuple[Verdict, str]:
    green = test.verdict is Verdict.UNCHANGED
    said = f"{_operation(test.name)} breaks on base {_what(base.all_faults)}, with the series it does not"
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
    return " and ".join(f"at n = {ranges(ns)} ({_WORDS.get(why, why)})" for why, ns in faults.items())


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers as people do: `1, 3–5`."""
    ordered = sorted(numbers)
    breaks = [index for index, (left, right) in enumerate(pairwise(ordered), 1) if right != left + 1]
    parts = [ordered[start:end] for start, end in pairwise([0, *breaks, len(ordered)])]
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts if part)


def _finding(item: Measurement) -> str:
    if item.reason.startswith(f"{_operation(item.test)} "):
        when = "allocations fail from the n-th on" if _is_lasting(item.test) else "an allocation fails"
        return f"when {when}, {item.reason}"
    return f"{item.subject} in the fault sweep: {item.reason}"


def _summary(items: Sequence[Measurement]) -> str:
    """Say whether splits failed at all: without one, nothing is known of how their failure is handled."""
    base, series = [SweepRun.of(item.base) for item in items], [SweepRun.of(item.series) for item in items]
    swept = len(
        {
            _operation(item.test)
            for item, *runs in zip(items, base, series, strict=True)
            if any(run.last for run in runs)
        }
    )
    on_base, on_series = _failed_splits(base), _failed_splits(series)
    if on_series is None:
        return ""
    said = f"On base {_split_words(on_base)}." if on_base else "Base does not count failed splits."
    count = f"Every allocation of {amount(swept, 'operation')} was made to fail."
    return f"{count} With the series {_split_words(on_series)}. {said}"


def _split_words(splits: tuple[int, int]) -> str:
    failed, well = splits
    if not failed:
        return "no split of a PMD failed for want of memory"
    calls = f"the split of a PMD failed in {amount(failed, 'call')}"
    return f"{calls} and was handled" if failed == well else f"{calls} and was handled in {well}"


def _failed_splits(runs: Sequence[SweepRun]) -> tuple[int, int] | None:
    """Count the calls in which a split failed, and those of them without harm."""
    rows = [row for run in runs for row in run.rows if row.split_failed is not None]
    if not rows:
        return None
    failed = sum(row.fired and (row.split_failed or 0) > 0 for row in rows)
    return failed, sum(row.split_failure_handled for row in rows)


@dataclass(frozen=True, slots=True)
class SweepCall:
    """The call of an operation in which its n-th allocation was to fail, or calls that are alike."""

    numbers: str
    """`3` or `3–7`."""
    base: str
    """In words."""
    series: str


@dataclass(frozen=True, slots=True)
class SweepView:
    """All calls of one operation, in words."""

    calls: tuple[SweepCall, ...]
    alike: tuple[SweepCall, ...]
    """Neighbours with the same words taken together."""


def _view(item: Measurement) -> SweepView:
    base, series = SweepRun.of(item.base), SweepRun.of(item.series)
    said = [(n, _call(base, n), _call(series, n)) for n in range(1, max(base.last, series.last) + 1)]
    groups = ((words, list(group)) for words, group in groupby(said, key=lambda each: each[1:]))
    return SweepView(
        tuple(SweepCall(str(n), on_base, on_series) for n, on_base, on_series in said),
        tuple(SweepCall(ranges(n for n, _, _ in group), *words) for words, group in groups),
    )


def _call(run: SweepRun, n: int) -> str:
    row = next((row for row in run.rows if row.n == n), None)
    if row is None:
        return "cut short" if run.trying == n else "no such allocation" if run.finished else "not known"
    said = ["did not end"] if row.result == _WAITED else [row.result, _EFFECTS.get(row.effect, row.effect)]
    if row.retry != "none":
        said.append(f"retried {row.retry}")
    if row.split_failed:
        said.append("the split of a PMD failed")
    words = ", ".join(said)
    if row.why:
        return f"broken, {_WORDS.get(row.why, row.why)}: {words}"
    return words if row.fired else f"none failed: {words}"


MEASURE = Measure(
    name=SUITE,
    title="Fault sweep",
    about="Each operation is called once for each of its allocations, with the n-th one failing; "
    "“from n on”: the n-th and all after it. The series need not allocate as often as base.",
    more_suites=(LASTING,),
    compare=_compare,
    finding=_finding,
    summary=_summary,
    narrow=("calls", "failed", "failed splits handled"),
    legend=LEGEND,
    view=_view,
)
