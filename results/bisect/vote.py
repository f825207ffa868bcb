# SPDX-License-Identifier: GPL-2.0-only
"""Judges a kernel, or one boot of it, by a predicate: bad, good, or no vote.

A vote is bad only if the symptom itself occurred: other failures do not count. It is good only if the symptom
could have occurred: the test ran to its end and was exercised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from results.bisect.predicate import (
    CounterIs,
    NotBooting,
    NotBuilding,
    Predicate,
    SplatSeen,
    TestFails,
    WarningSeen,
    is_booted,
)
from results.compare.bringup import new_warnings
from results.compare.tally import reached_tests, runs_of, tally
from results.model.bisect import Ballot, Vote
from results.model.run import Boot, BootEnd, Build, Cell, CompilerWarning, LineRange, PlannedTest, TestResult
from results.text import amount, first_line

_TRIAL = "trial "


def vote(
    predicate: Predicate, tests: Sequence[PlannedTest], cell: Cell, reference: Build | None = None
) -> Vote:
    """Judge one trial of a kernel.

    `cell` is its build and the boots of this trial (one on each kind of machine that `tests` are
    spread over; none if the build alone tells). `reference` is the build of the good commit,
    whose compiler warnings are known.
    """
    build = cell.build
    if build is None or (not build.ok and build.error_is_infrastructure):
        error, log = (build.error, build.log) if build else ("not built yet", "")
        return Vote(Ballot.NONE, f"could not be built here: {first_line(error)}", log=log)
    if isinstance(predicate, NotBuilding):
        words = "builds" if build.ok else f"does not build: {first_line(build.error)}"
        return Vote(Ballot.GOOD if build.ok else Ballot.BAD, words, log=build.log)
    if not build.ok:
        words = f"does not build: {first_line(build.error)}"
        return Vote(Ballot.NONE, words, log=build.log, is_final=True)
    match predicate:
        case WarningSeen():
            return _on_warnings(predicate, build, reference)
        case NotBooting():
            return _on_bringup(cell)
        case SplatSeen():
            return _on_splats(predicate, tests, cell)
        case CounterIs():
            return _on_counter(predicate, tests, cell)
        case TestFails():
            return _on_tests(tests, cell)


def trial(number: int) -> str:
    """Return the purpose of the boots of one trial."""
    return f"{_TRIAL}{number}"


def trial_number(purpose: str) -> int:
    """Return the number of the trial of a boot; 0 if it belongs to none."""
    number = purpose.removeprefix(_TRIAL)
    return int(number) if number.isdigit() else 0


def votes_of(
    predicate: Predicate, tests: Sequence[PlannedTest], cell: Cell, reference: Build | None = None
) -> tuple[Vote, ...]:
    """Return all votes of a kernel: one for each trial, or the one of its build."""
    if not is_booted(predicate) or cell.build is None or not cell.build.ok:
        return (vote(predicate, tests, cell, reference),)
    trials: dict[str, list[Boot]] = {}
    for boot in cell.boots:
        trials.setdefault(boot.purpose, []).append(boot)
    return tuple(vote(predicate, tests, replace(cell, boots=tuple(boots))) for boots in trials.values())


def _on_warnings(predicate: WarningSeen, build: Build, reference: Build | None) -> Vote:
    seen = new_warnings(reference, build) if reference else build.warnings
    wanted = [warning for warning in seen if predicate.file in ("", warning.file)]
    if wanted:
        more = f" and {len(wanted) - 1} more" if len(wanted) > 1 else ""
        return Vote(Ballot.BAD, f"{_warning(wanted[0])}{more}", log=build.log)
    return Vote(Ballot.GOOD, "no such warning", log=build.log)


def _warning(warning: CompilerWarning) -> str:
    flag = f" [{warning.flag}]" if warning.flag else ""
    return f"{warning.file}:{warning.line}: {warning.text}{flag}"


def _on_bringup(cell: Cell) -> Vote:
    for boot in cell.boots:
        if reached_tests(boot):
            return _by(boot, Ballot.GOOD, "reached its first test")
        if boot.end.is_kernels and boot.end is not BootEnd.TIMEOUT:
            return _by(boot, Ballot.BAD, f"did not reach its first test: {_how(boot)}")
    return _silence(cell.boots, "never reached a test")


def _on_splats(predicate: SplatSeen, tests: Sequence[PlannedTest], cell: Cell) -> Vote:
    names = {test.name for test in tests}
    for boot in cell.boots:
        for splat in boot.splats:
            in_place = not predicate.tests or splat.test in names
            if in_place and predicate.matches(splat.signature):
                return _by(boot, Ballot.BAD, f"the kernel reports {splat.title}", splat.lines)
    for boot in cell.boots:
        if boot.end is not BootEnd.DONE:
            return _by(boot, Ballot.NONE, f"it ended for another reason: {_how(boot)}")
    for boot, result in _results(tests, cell):
        if not _ended(result):
            return _by(boot, Ballot.NONE, f"{result.name}: {result.reason or 'no result'}", result.lines)
    if not cell.boots:
        return _silence((), "")
    return _by(cell.boots[0], Ballot.GOOD, f"no such report, and {_count(tests)} ran to the end")


def _on_counter(predicate: CounterIs, tests: Sequence[PlannedTest], cell: Cell) -> Vote:
    name, total, ended = predicate.counter, 0, 0
    results = _results(tests, cell)
    counted = [(boot, result) for boot, result in results if result.counters]
    for boot, result in counted:
        change = result.counters.get(name)
        if change is None or change.delta is None:
            near = get_close_matches(name, list(result.counters), n=1)
            guess = f". Did you mean '{near[0]}'?" if near else ""
            return Vote(
                Ballot.NONE, f"this kernel has no counter {name}{guess}", boot.id, boot.log, is_final=True
            )
        total += change.delta
        ended += _ended(result)
    where = f"in {tests[0].name}" if len(tests) == 1 else f"in {ended} of {_count(tests)}"
    words = f"{name} changed by {total} {where}"
    is_rising = predicate.comparison in (">", ">=")
    if counted and predicate.holds(total) and (is_rising or ended == len(tests)):
        boot, result = counted[-1]
        return _by(boot, Ballot.BAD, words, result.lines)
    return _unless_unexercised(tests, cell, words)


def _on_tests(tests: Sequence[PlannedTest], cell: Cell) -> Vote:
    for test in tests:
        for run in runs_of(test, cell).failing:
            words = f"{test.name} fails: {run.result.reason or run.result.status}"
            return _by(run.boot, Ballot.BAD, words, run.result.lines)
    words = f"{tests[0].name} passes" if len(tests) == 1 else f"{_count(tests)} pass"
    return _unless_unexercised(tests, cell, words)


def _unless_unexercised(tests: Sequence[PlannedTest], cell: Cell, words: str) -> Vote:
    """Return a good vote if every test that the machine supports ran to its end and was exercised."""
    able = [test for test in tests if not _lacks(test, cell)]
    if not able and cell.boots:
        lacking = _lacks(tests[0], cell) if tests else "no test"
        return _by(cell.boots[0], Ballot.NONE, f"{tests[0].name} can't run here: {lacking}", is_final=True)
    for test in able:
        runs = runs_of(test, cell)
        if not runs.passing and not (runs.failing and all(_ended(run.result) for run in runs.failing)):
            found = tally(test, cell)
            boot = next((boot for boot in cell.boots if boot.id == found.boot), None)
            said = Vote(Ballot.NONE, f"{test.name} was not exercised: {found.reason}")
            return _by(boot, Ballot.NONE, said.words, found.lines) if boot else said
    boot, result = next((boot, result) for boot, result in _results(able, cell) if _ended(result))
    return _by(boot, Ballot.GOOD, words, result.lines)


def _lacks(test: PlannedTest, cell: Cell) -> str:
    """Return what the machine lacks for an unexercised test."""
    runs = runs_of(test, cell)
    if runs.passing or runs.failing:
        return ""
    known = [
        boot.capabilities
        for boot in cell.boots
        if boot.capabilities and any(result.name == test.name for result in boot.tests)
    ]
    return (known[0].missing(test.needs) or "") if known else ""


def _results(tests: Iterable[PlannedTest], cell: Cell) -> list[tuple[Boot, TestResult]]:
    names = {test.name for test in tests}
    return [(boot, result) for boot in cell.boots for result in boot.tests if result.name in names]


def _ended(result: TestResult) -> bool:
    return result.seconds is not None


def _silence(boots: Sequence[Boot], words: str) -> Vote:
    if not boots:
        return Vote(Ballot.NONE, "was not booted")
    return _by(boots[-1], Ballot.NONE, f"{words}: {_how(boots[-1])}")


def _by(
    boot: Boot, ballot: Ballot, words: str, lines: LineRange | None = None, *, is_final: bool = False
) -> Vote:
    return Vote(ballot, words, boot.id, boot.log, lines, is_final)


def _how(boot: Boot) -> str:
    return boot.detail or str(boot.end)


def _count(tests: Sequence[PlannedTest]) -> str:
    return amount(len(tests), "test")
