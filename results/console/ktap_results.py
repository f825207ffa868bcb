# SPDX-License-Identifier: GPL-2.0-only
"""The results that KTAP holds, and their sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.model.run import Status

_SEVERITY = (Status.PASS, Status.SKIP, Status.MISS, Status.ERROR, Status.FAIL)


@dataclass(frozen=True, slots=True)
class KtapResult:
    """One result line, or the row of a result that was planned and never came."""

    number: int
    """0 where the line has none."""
    name: str
    status: Status
    directive: str = ""
    """SKIP, TODO, XFAIL, XPASS, TIMEOUT, ERROR, or empty."""
    reason: str = ""
    """What the line says behind its `#`, without the directive."""
    children: tuple[KtapResult, ...] = ()
    diagnostics: tuple[str, ...] = ()
    """The lines since the result before this one."""
    line: int = 0
    """Which of the lines it was, from 1; 0 for a row that has no line of its own."""
    first_line: int = 0
    """Where its diagnostics begin."""


@dataclass(frozen=True, slots=True)
class KtapDocument:
    """Everything that was read."""

    plan: int | None
    results: tuple[KtapResult, ...]
    problems: tuple[str, ...] = ()
    """Where the text breaks the format's rules."""
    doubts: tuple[str, ...] = ()
    """What might hide a failure: with any of these, a PASS proves nothing."""
    bail_out: str | None = None
    """The words behind `Bail out!`, if the test gave up."""
    diagnostics: tuple[str, ...] = ()
    """The lines behind the last result."""


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most serious of some statuses; PASS if there are none."""
    return max(statuses, key=_SEVERITY.index, default=Status.PASS)


def overall(document: KtapDocument) -> Status | None:
    """Sum a document up: its worst result, SKIP only if all were skipped, None if there are none."""
    return sum_up(document.results)


def sum_up(results: Sequence[KtapResult]) -> Status | None:
    """Sum results up, as `overall`."""
    if not results:
        return None
    if all(result.status is Status.SKIP for result in results):
        return Status.SKIP
    return worst(result.status for result in results if result.status is not Status.SKIP)
