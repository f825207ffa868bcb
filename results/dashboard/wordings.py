# SPDX-License-Identifier: GPL-2.0-only
"""Outcomes, changes and kinds of numbers as the pages show them: a sign, a word, and only then a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.compare.measures.measure import Measure
from results.compare.measures.registry import measure_of
from results.dashboard.history import Line, Row
from results.model.bisect import CommitResult
from results.model.run import SEVERITY, Verdict
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


_OTHER_KINDS: Mapping[str, str] = {"counter": "Counter", "size": "Size of the kernel"}


def kind_order(kind: str) -> tuple[bool, str]:
    """Sort kinds of numbers: measures first."""
    return kind in _OTHER_KINDS, kind


def title_of(kind: str) -> str:
    """Title of a kind of numbers: of a measure, of counters, of sizes."""
    return _OTHER_KINDS.get(kind) or measure_of(kind).title


def titles(lines: Sequence[Line]) -> list[str]:
    """Titles of all kinds of numbers that there are."""
    kinds = {one.kind for line in lines for one in line.measures}
    return [title_of(kind) for kind in sorted(kinds, key=kind_order)]


def month(day: str) -> str:
    """`Mar 2027` of `2027-03-31`."""
    return f"{_MONTHS[int(day[5:7]) - 1]} {day[:4]}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def marks_in_words(measure: Measure, marks: str) -> str:
    """A row of marks for those who don't see them."""
    counts = [
        f"{marks.count(letter)} {mark.meaning}" for letter, mark in measure.legend.items() if letter in marks
    ]
    return ", ".join(counts) or "nothing was tried"


@dataclass(frozen=True, slots=True)
class Matrix:
    """The latest measurements of one measure: subjects and architectures."""

    measure: Measure
    rows: Sequence[tuple[str, Mapping[str, Row]]]
    """By architecture; what regressed first."""


def matrices(line: Line) -> list[Matrix]:
    """Put the latest measurements of every subject together, by measure."""
    place = {night.key: number for number, night in enumerate(line.nights)}
    latest: dict[str, dict[str, dict[str, Row]]] = {}
    for row in sorted(line.measurements, key=lambda row: place[row.folder]):
        latest.setdefault(row.measure, {}).setdefault(row.subject, {})[row.arch] = row
    return [Matrix(measure_of(name), sorted(latest[name].items(), key=_bad_first)) for name in sorted(latest)]


def _bad_first(subject: tuple[str, Mapping[str, Row]]) -> tuple[bool, str]:
    return all(row.verdict != Verdict.REGRESSION for row in subject[1].values()), subject[0]


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


MOST_NIGHTS = 60
"""Columns of a grid of nights, and rows of a table of numbers."""
MOST_RUNS = 150
"""Rows of the page of runs, of each series."""

HEAT_LEGEND = tuple(sorted(Verdict, key=lambda verdict: -SEVERITY[verdict]))
"""Verdicts of the heat grid, worst first."""

SEARCHES: Mapping[str, str] = {
    "walk": "Walk; safe to bisect:",
    "bisect": "Bisection; the commit was",
    "rerun": "Rerun;",
}
"""Words before the verdict of a search."""


def searches_of(line: Line, findings: Sequence[tuple[Row, Sequence[Row]]]) -> list[Row]:
    """Walks and bisections of a series on a tree, and reruns of its runs; the latest first."""
    names = {night.name for night in line.nights}
    subject = (line.tree, line.series)
    return [
        folder
        for folder, _ in findings
        if folder.about in names or (folder.series and (folder.tree, folder.series) == subject)
    ]


def in_order(looks: Sequence[CommitResult]) -> list[CommitResult]:
    """Sort the commits that a bisection looked at: patches by number, others as they were looked at."""

    def number(look: CommitResult) -> int:
        kind, _, name = look.commit.name.partition("/")
        return int(name) if kind == "patch" and name.isdecimal() else 0

    return sorted(looks, key=number)
