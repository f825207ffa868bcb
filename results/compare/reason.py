# SPDX-License-Identifier: GPL-2.0-only
"""A reason for the verdict on an architecture, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.model.run import TestComparison, Verdict

SURE = 2
"""Failing boots that make a regression; fewer make a flaky test."""
VERBS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.REGRESSION: ("fails with the series", "fail with the series"),
    Verdict.FLAKY: ("fails now and then", "fail now and then"),
    Verdict.FAILS_ON_BOTH: ("fails on both kernels", "fail on both kernels"),
    Verdict.INFRASTRUCTURE: ("has no result", "have no result"),
}
"""The verb for one test and for several."""
_CLAUSE = 4
"""Words before a colon that say enough by themselves."""
_LONGEST = 110
"""Characters of a brief reason."""
_FRONTS = (
    "not exercised on either kernel: ",
    "not exercised on base: ",
    "not exercised with the series: ",
    "skipped: ",
)


@dataclass(frozen=True, slots=True)
class Reason:
    """What speaks for a verdict on an architecture."""

    verdict: Verdict
    text: str
    short: str = ""
    """`WHAT: WHY` or `WHAT` for a headline; empty if the text is short enough."""

    @property
    def brief(self) -> str:
        """The words for a headline."""
        return self.short or brief(self.text)


def brief(reason: str) -> str:
    """Return the first clause of a reason, without the words that a headline says itself."""
    for front in _FRONTS:
        reason = reason.removeprefix(front)
    clause, colon, _ = reason.partition(": ")
    if colon and len(clause.split()) >= _CLAUSE:
        reason = clause
    reason = reason.partition("; ")[0].rstrip(".")
    if len(reason) <= _LONGEST:
        return reason
    return f"{reason[:_LONGEST].rpartition(' ')[0] or reason[:_LONGEST]} …"


def named(tests: Sequence[str]) -> str:
    """Name one test, and count several: `3 timing tests`, `12 tests`."""
    if len(tests) == 1:
        return tests[0]
    suites = {name.rpartition(".")[0] for name in tests}
    suite = f"{suites.pop()} " if len(suites) == 1 else ""
    return f"{len(tests)} {' '.join(f'{suite}tests'.split())}"


def idle_reason(test: TestComparison) -> str:
    """Say what kept a test from proving anything, and on which kernel."""
    case = f"{test.name.rpartition('.')[2]}: "
    both_idle = test.base.exercised == test.series.exercised
    if test.verdict is Verdict.UNSUPPORTED or both_idle or test.series.failures:
        return brief(test.reason).removeprefix(case)
    side, where = (test.series, "with the series") if test.base.exercised else (test.base, "on base")
    return f"{brief(side.reason).removeprefix(case)} {where}" if side.reason else brief(test.reason)
