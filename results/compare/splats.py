# SPDX-License-Identifier: GPL-2.0-only
"""The kernels' error reports, base against series, and what a boot could not have reported.

A report counts for a boot, however often it comes. Its absence counts only where it would have been seen: the
boot got to the test, the checker that makes such reports was on, and no message of the kernel is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from results.compare.reason import SURE, Reason
from results.compare.tally import reached_tests
from results.model.run import (
    Boot,
    BootEnd,
    Cell,
    PlannedTest,
    Splat,
    SplatComparison,
    Status,
    TestResult,
    Verdict,
)
from results.text import join

CHECKER_OF = {
    "kasan": "KASAN",
    "lockdep": "lockdep",
    "memory-leak": "kmemleak",
    "kmemleak": "kmemleak",
    "hung-task": "the hung task detector",
}
"""The checker that makes a kind of report, as `Boot.checkers_off` names it."""
_HARDWARE = "hardware-error"
_NAMES_SHOWN = 3


def compare_splats(base: Cell, series: Cell) -> tuple[SplatComparison, ...]:
    """Compare the kernels' error reports by signature."""
    on_base, on_series = _splats(base), _splats(series)
    signatures = [*on_series, *(signature for signature in on_base if signature not in on_series)]
    return tuple(
        _compare_splat(signature, on_base.get(signature, {}), on_series.get(signature, {}), base, series)
        for signature in signatures
    )


def _splats(cell: Cell) -> dict[str, dict[str, Splat]]:
    """Map each signature to the first splat of each boot that has it."""
    found: dict[str, dict[str, Splat]] = {}
    for boot in cell.boots:
        for splat in boot.splats:
            found.setdefault(splat.signature, {}).setdefault(boot.id, splat)
    return found


def _compare_splat(
    signature: str, on_base: dict[str, Splat], on_series: dict[str, Splat], base: Cell, series: Cell
) -> SplatComparison:
    example = next(iter((on_series or on_base).values()))
    if on_base and on_series:
        verdict, reason = Verdict.UNCHANGED, ""
    elif on_series:
        verdict, reason = _judge_new(signature, on_series, base, series)
    elif any(_would_show(boot, example) for boot in series.boots):
        verdict, reason = Verdict.FIXED, "only on base"
    else:
        verdict, reason = Verdict.NOT_EXERCISED, _why_unknown(series, example, "the series")
    return SplatComparison(
        signature, example.title, tuple(on_base), tuple(on_series), verdict, example, reason
    )


def _judge_new(signature: str, on_series: dict[str, Splat], base: Cell, series: Cell) -> tuple[Verdict, str]:
    """Judge a report that only the series has."""
    example = next(iter(on_series.values()))
    if example.kind == _HARDWARE:
        return Verdict.INFRASTRUCTURE, "the machine's fault, not the kernel's"
    if not any(_would_show(boot, example) for boot in base.boots):
        return Verdict.NOT_EXERCISED, _why_unknown(base, example, "base")
    boots = len(_chances(signature, series))
    if len(on_series) == boots >= SURE:
        return Verdict.REGRESSION, "only with the series"
    again = ", not booted again" if boots == 1 else ""
    rate = f"seen in {len(on_series)} of {boots} boots with the series"
    return Verdict.FLAKY, f"{rate}{again}, never on base"


def _chances(signature: str, cell: Cell) -> list[Boot]:
    """Return the boots that have a report, or could have it."""
    tests = {splat.test for boot in cell.boots for splat in boot.splats if splat.signature == signature}
    return [
        boot
        for boot in cell.boots
        if any(splat.signature == signature for splat in boot.splats)
        or any(_ran(boot, test) for test in tests)
    ]


def _ran(boot: Boot, test: str | None) -> bool:
    """Tell whether a boot went through a test; None is the time outside of tests."""
    if test is None:
        return reached_tests(boot)
    return any(result.name == test for result in _through(boot))


def _through(boot: Boot) -> Iterator[TestResult]:
    """Yield the results of tests that started, and were not spoiled by the machine."""
    for result in boot.tests:
        spoiled = boot.end is BootEnd.MACHINE and result.status is Status.ERROR
        if result.lines is not None and not spoiled:
            yield result


def _would_show(boot: Boot, splat: Splat) -> bool:
    """Tell whether a boot got far enough, and saw enough, for the absence of a report to mean something."""
    if boot.log_incomplete or not reached_tests(boot):
        return False
    line = _off_since(boot, CHECKER_OF.get(splat.kind, ""))
    if line is None:
        return True
    ran = (result.lines for result in boot.tests if result.name == splat.test)
    return any(lines is not None and lines.first < line for lines in ran)


def _off_since(boot: Boot, checker: str) -> int | None:
    return next((off.line for off in boot.checkers_off if off.checker == checker), None)


def _why_unknown(cell: Cell, splat: Splat, name: str) -> str:
    reached = [boot for boot in cell.boots if reached_tests(boot)]
    if not reached:
        return "on one kernel, the other never got to a test"
    if all(boot.log_incomplete for boot in reached):
        return f"the log of {name} is incomplete: {reached[0].log_incomplete}"
    return f"{CHECKER_OF.get(splat.kind, 'the checker')} was off on {name} before it could report this"


def seen_once(planned: Sequence[PlannedTest], cell: Cell) -> tuple[PlannedTest, ...]:
    """Return the tests to boot again: a report came in the only boot that could have it."""
    names: set[str] = set()
    for boot in cell.boots:
        for splat in boot.splats:
            if splat.kind != _HARDWARE and _chances(splat.signature, cell) == [boot]:
                names |= _tests_around(boot, splat)
    return tuple(test for test in planned if test.name in names)


def unchecked_once(planned: Sequence[PlannedTest], cell: Cell) -> tuple[PlannedTest, ...]:
    """Return the tests to boot again because a checker was off in the only boot that ran them.

    A test that ran twice while a checker was off is given up: what switches it off comes before every test.
    """
    ran = Counter(result.name for boot in cell.boots for result in _through(boot))
    blind = {
        name
        for checker in _checkers_off(cell)
        for name in _unseen(cell, partial(_off_since, checker=checker))
    }
    return tuple(test for test in planned if test.name in blind and ran[test.name] == 1)


def _checkers_off(cell: Cell) -> list[str]:
    return list(dict.fromkeys(off.checker for boot in cell.boots for off in boot.checkers_off))


def _tests_around(boot: Boot, splat: Splat) -> set[str]:
    """Return the test in which a report came; outside of tests all before it, or else the first."""
    if splat.test is not None:
        return {splat.test}
    ran = [(result.lines.first, result.name) for result in boot.tests if result.lines]
    before = {name for line, name in ran if line <= splat.lines.first}
    return before or {name for _, name in sorted(ran)[:1]}


def splat_reasons(splats: Sequence[SplatComparison]) -> list[Reason]:
    """Put in words what was found."""
    return [
        Reason(splat.verdict, f"the kernel reports {splat.title} ({splat.reason})", splat.title)
        for splat in splats
        if splat.verdict is not Verdict.UNCHANGED
    ]


def lost_evidence_reasons(base: Cell, series: Cell) -> list[Reason]:
    """Say in which tests a report of the kernel would not have been seen, on either kernel."""
    cells = (("base", base), ("the series", series))
    reasons: list[Reason] = []
    for checker in dict.fromkeys(_checkers_off(base) + _checkers_off(series)):
        since = partial(_off_since, checker=checker)
        unchecked = [(name, _unseen(cell, since)) for name, cell in cells]
        reasons += _lost(f"{checker} was off afterwards", "nothing after it was checked", unchecked)
    incomplete = [(name, _unseen(cell, _incomplete_since)) for name, cell in cells]
    why = next((boot.log_incomplete for _, cell in cells for boot in cell.boots if boot.log_incomplete), "")
    reasons += _lost("the log is incomplete", f"{why}; a report of the kernel may be missing", incomplete)
    return reasons


def _incomplete_since(boot: Boot) -> int | None:
    return 0 if boot.log_incomplete else None


def _unseen(cell: Cell, blind_since: Callable[[Boot], int | None]) -> list[str]:
    """Return the tests that ran only while a boot was blind, from the line that `blind_since` tells."""
    seen: dict[str, bool] = {}
    for boot in cell.boots:
        line = blind_since(boot)
        for result in _through(boot):
            is_seen = line is None or (result.lines is not None and result.lines.first < line)
            seen[result.name] = seen.get(result.name, False) or is_seen
    return [name for name, is_seen in seen.items() if not is_seen]


def _lost(what: str, so: str, unseen: Sequence[tuple[str, list[str]]]) -> Iterator[Reason]:
    kernels = [name for name, tests in unseen if tests]
    if not kernels:
        return
    where = "on both kernels" if len(kernels) == 2 else f"on {kernels[0]}"
    tests = list(dict.fromkeys(test for _, names in unseen for test in names))
    more = len(tests) - _NAMES_SHOWN
    shown = join(tests) if more <= 0 else f"{', '.join(tests[:_NAMES_SHOWN])} and {more} more"
    yield Reason(Verdict.NOT_EXERCISED, f"{what} {where}: {so} ({shown})")
