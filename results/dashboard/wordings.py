# SPDX-License-Identifier: GPL-2.0-only
"""Outcomes, changes and kinds of numbers as the pages show them: a sign, a word, and only then a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.dashboard.history import Line, Row
from results.store.rows import LETTERS as LETTERS_OF_SWEEPS
from results.store.trends import Change, Night, Outcome

SIGNS: Mapping[Outcome, str] = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.FLAKY: "≈",
    Outcome.IDLE: "○",
    Outcome.UNSUPPORTED: "–",
    Outcome.MISSING: "?",
    Outcome.LOST: "!",
}

LETTERS: Mapping[Outcome, str] = {
    Outcome.PASS: "p",
    Outcome.FAIL: "F",
    Outcome.FLAKY: "f",
    Outcome.IDLE: "i",
    Outcome.UNSUPPORTED: "u",
    Outcome.MISSING: "m",
    Outcome.LOST: "l",
}
"""For the page that compares two runs."""

LOOKS: Mapping[Outcome, str] = {
    Outcome.PASS: "is-PASS",
    Outcome.FAIL: "is-FAIL",
    Outcome.FLAKY: "is-flaky",
    Outcome.IDLE: "is-not-exercised",
    Outcome.UNSUPPORTED: "is-unsupported",
    Outcome.MISSING: "is-MISS",
    Outcome.LOST: "is-infrastructure",
}
"""Classes of report.css."""

CHANGE_LOOKS: Mapping[Change, str] = {
    Change.NEW_FAILURE: "is-regression",
    Change.FAILING: "is-FAIL",
    Change.FLAKY: "is-flaky",
    Change.MISSING: "is-MISS",
    Change.UNSUPPORTED: "is-unsupported",
    Change.IDLE: "is-not-exercised",
    Change.FIXED: "is-fixed",
    Change.NEW: "is-fixed",
    Change.STEADY: "is-unchanged",
}

CHANGE_SIGNS: Mapping[Change, str] = {
    Change.NEW_FAILURE: "✗",
    Change.FAILING: "✗",
    Change.FLAKY: "≈",
    Change.MISSING: "?",
    Change.UNSUPPORTED: "–",
    Change.IDLE: "○",
    Change.FIXED: "↑",
    Change.NEW: "+",
    Change.STEADY: "✓",
}

KINDS: Mapping[str, str] = {
    "cost": "Page-table cost",
    "storm": "Swapping out under pressure",
    "timing": "Time of an operation",
    "counter": "Counter",
    "size": "Size of the kernel",
}
"""Kinds of numbers, in the order in which they are shown."""

_SCALES: Mapping[str, tuple[tuple[float, str], ...]] = {
    "B": ((1 << 20, "MiB"), (1 << 10, "KiB")),
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs")),
}


def number(value: float | None, unit: str) -> str:
    """A number with its unit, short: `12.1 MiB`, `340 ns`, `absent`."""
    if value is None:
        return "absent"
    for size, name in _SCALES.get(unit, ()):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}" if abs(value) < 1000 * size else f"{value / size:,.0f} {name}"
    return f"{value:,.6g} {unit}".rstrip()


def month(day: str) -> str:
    """`Mar 2027` of `2027-03-31`."""
    return f"{_MONTHS[int(day[5:7]) - 1]} {day[:4]}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SWEEP_WORDS: Mapping[str, str] = LETTERS_OF_SWEEPS
SWEEP_SIGNS: Mapping[str, str] = {"x": "✗", "h": "✓", ".": "·", "-": ""}
SWEEP_LOOKS: Mapping[str, str] = {"x": "is-regression", "h": "is-PASS", ".": "is-DONE", "-": "is-SKIP"}


def sweep_summary(rows: str) -> str:
    """A row of signs for those who don't see them."""
    counts = [f"{rows.count(letter)} {meaning}" for letter, meaning in SWEEP_WORDS.items() if letter in rows]
    return ", ".join(counts) or "nothing was tried"


def sweep_matrix(line: Line) -> list[tuple[str, dict[str, Row]]]:
    """Of every operation the latest sweep on each architecture; broken ones first."""
    place = {night.key: number for number, night in enumerate(line.nights)}
    latest: dict[str, dict[str, Row]] = {}
    for row in sorted(line.sweeps, key=lambda row: place[row.folder]):
        latest.setdefault(row.operation, {})[row.arch] = row
    broken = [
        operation
        for operation, rows in latest.items()
        if any("x" in row.series_rows for row in rows.values())
    ]
    return sorted(latest.items(), key=lambda one: (one[0] not in broken, one[0]))


@dataclass(frozen=True, slots=True)
class Signature:
    """All appearances of one report of the kernel."""

    nights: Sequence[Night]
    arches: Sequence[str]
    last: Row


def by_signature(line: Line) -> list[Signature]:
    """Reports of the kernel by signature, the latest first."""
    groups: dict[str, list[Row]] = {}
    for row in line.splats:
        groups.setdefault(row.signature, []).append(row)
    found = []
    for rows in groups.values():
        keys = {row.folder for row in rows}
        nights = [night for night in line.nights if night.key in keys]
        last = next(row for row in rows if row.folder == nights[-1].key)
        found.append(Signature(nights, sorted({row.arch for row in rows}), last))
    return sorted(found, key=lambda one: one.nights[-1].at, reverse=True)


def lines(text: str) -> list[str]:
    """Lines, so that each can be made visible by itself."""
    return text.split("\n")


SEARCHES: Mapping[str, str] = {
    "walk": "Walk; safe to bisect:",
    "bisect": "Bisection; the commit was",
    "rerun": "Rerun;",
}
"""What stands before the verdict of a search."""


def searches_of(line: Line, findings: Sequence[tuple[Row, Sequence[Row]]]) -> list[Row]:
    """Walks and bisections of a series on a tree, and reruns of its runs; the latest first."""
    names = {night.name for night in line.nights}
    subject = (line.tree, line.series)
    return [
        folder
        for folder, _ in findings
        if folder.about in names or (folder.series and (folder.tree, folder.series) == subject)
    ]
