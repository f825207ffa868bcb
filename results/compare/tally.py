# SPDX-License-Identifier: GPL-2.0-only
"""All runs of one test on one kernel, taken together: whose fault each run is, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.compare.evidence import unmet_evidence
from results.model.run import Boot, BootEnd, Cell, CounterChange, PlannedTest, Status, Tally, TestResult

NEVER_STARTED = "never started"


@dataclass(frozen=True, slots=True)
class OneRun:
    """One run of a test: the boot it ran in, what came out, and why that proves nothing, if it does not."""

    boot: Boot
    result: TestResult
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one test on one kernel, sorted by what they prove."""

    passing: tuple[OneRun, ...] = ()
    """Passed, with evidence."""
    failing: tuple[OneRun, ...] = ()
    """Failed by the kernel's fault: FAIL, or a guest that died in it."""
    unexercised: tuple[OneRun, ...] = ()
    """Skipped, without a result, or passed without evidence."""
    unjudged: tuple[OneRun, ...] = ()
    """Spoiled by the machine or the harness; they count for nothing."""

    @property
    def judged(self) -> tuple[OneRun, ...]:
        """Those that say something of the kernel, the most telling first."""
        return (*self.failing, *self.passing, *self.unexercised)


def runs_of(test: PlannedTest, cell: Cell) -> Runs:
    """Sort every run of a test; tests that a boot never got to are no runs."""
    passing, failing, unexercised, unjudged = [], [], [], []
    for boot in cell.boots:
        for result in boot.tests:
            if result.name != test.name or result.lines is None:
                continue
            run = OneRun(boot, result)
            if _is_unjudged(boot, result):
                unjudged.append(run)
            elif result.status in (Status.FAIL, Status.ERROR):
                failing.append(run)
            elif caveat := _why_unexercised(test, result):
                unexercised.append(OneRun(boot, result, caveat))
            else:
                passing.append(run)
    return Runs(tuple(passing), tuple(failing), tuple(unexercised), tuple(unjudged))


def _is_unjudged(boot: Boot, result: TestResult) -> bool:
    """Tell whether a run was spoiled by the machine or on the way to us, not by the kernel."""
    if result.status is Status.ERROR:
        return not (boot.end.is_kernels and guest_died_in(boot, result))
    return result.status is Status.MISS and boot.end is BootEnd.MACHINE


def guest_died_in(boot: Boot, result: TestResult) -> bool:
    """Tell whether this is the test that was running when the boot ended."""
    if result.status is not Status.ERROR or result.lines is None or result.seconds is not None:
        return False
    return all(other.lines is None or other.lines.first <= result.lines.first for other in boot.tests)


def _why_unexercised(test: PlannedTest, result: TestResult) -> str | None:
    match result.status:
        case Status.PASS | Status.DONE:
            unmet = unmet_evidence(result.counters, test)
            return f"passed without evidence: {unmet}" if unmet else None
        case Status.SKIP:
            return f"skipped: {result.reason or 'no reason given'}"
        case _:
            return result.reason or "no result"


def deciding_run(runs: Runs) -> OneRun | None:
    """Return the run that stands for all: the first that failed, or else passed, or else came to nothing."""
    ordered = (*runs.judged, *runs.unjudged)
    return ordered[0] if ordered else None


def tally(planned: PlannedTest, cell: Cell) -> Tally:
    """Sum up all runs of a test on one kernel."""
    if sums := tally_of(runs_of(planned, cell)):
        return sums
    counters: Mapping[str, CounterChange] = {}
    return Tally(Status.MISS, False, _why_no_run(planned, cell), 0, 0, counters, None, None, None)


def tally_of(runs: Runs) -> Tally | None:
    """Sum runs up; None without any."""
    run = deciding_run(runs)
    if run is None:
        return None
    result = run.result
    return Tally(
        status=result.status,
        exercised=bool(runs.failing or runs.passing),
        reason=run.caveat or result.reason,
        runs=len(runs.judged),
        failures=len(runs.failing),
        counters=result.counters,
        seconds=result.seconds,
        boot=run.boot.id,
        lines=result.lines,
    )


def boots_for(test: PlannedTest, cell: Cell) -> tuple[Boot, ...]:
    """The boots that were to run a test; where there are two kinds of machine, each runs tests of its own."""
    return tuple(boot for boot in cell.boots if any(result.name == test.name for result in boot.tests))


def _boots_that_decide(test: PlannedTest, cell: Cell) -> tuple[Boot, ...]:
    """The boots that were to run a test; if the kernel never got to any test, all its boots."""
    boots = boots_for(test, cell)
    return boots if boots or any(map(reached_tests, cell.boots)) else cell.boots


def _why_no_run(test: PlannedTest, cell: Cell) -> str:
    if cell.build is not None and not cell.build.ok:
        return "the kernel was not built"
    boots = _boots_that_decide(test, cell)
    if not boots:
        return "there was no boot"
    last = boots[-1]
    said = next((result.reason for result in last.tests if result.name == test.name), "")
    return f"{said or NEVER_STARTED}: {last.detail or last.end}"


def failing_again(planned: Sequence[PlannedTest], cell: Cell) -> tuple[PlannedTest, ...]:
    """Return the tests that failed in their only run, so that they must be booted again to be sure."""
    return tuple(test for test in planned if _failed_once(runs_of(test, cell)))


def _failed_once(runs: Runs) -> bool:
    return len(runs.judged) == len(runs.failing) == 1


def reached_tests(boot: Boot) -> bool:
    """Tell whether a boot got as far as starting a test."""
    return any(result.lines is not None for result in boot.tests)


def is_infrastructure(test: PlannedTest, runs: Runs, cell: Cell) -> bool:
    """Tell whether it is the infrastructure's fault that nothing can be said of a test."""
    if runs.judged:
        return False
    if runs.unjudged or cell.build is None or cell.build.error_is_infrastructure:
        return True
    if not cell.build.ok:
        return False
    return all(boot_is_infrastructures(boot) for boot in _boots_that_decide(test, cell))


def boot_is_infrastructures(boot: Boot) -> bool:
    """Tell whether the infrastructure spoiled a boot: the machine died, or was too slow to get to a test."""
    return boot.end is BootEnd.MACHINE or (boot.end is BootEnd.TIMEOUT and not reached_tests(boot))
