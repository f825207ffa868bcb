# SPDX-License-Identifier: GPL-2.0-only
"""Reads the nights of the store that a dashboard shows, and what the rules over time say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, func, select

from results.model.run import SEVERITY, Verdict
from results.store.store import Store
from results.store.tables import ARCHES, FINDINGS, FOLDERS, MEASUREMENTS, MEASURES, SPLATS, TESTS
from results.store.trends import (
    Change,
    Night,
    Outcome,
    Trend,
    TrendStep,
    in_words,
    outcome_of,
    step_of,
    trend_of,
)

MOST_LINES = 12
MOST_DAYS = 100
"""Of the axis of a chart."""
_KEYS_AT_ONCE = 500

Row = Any
"""A row of the store, its columns as attributes."""


@dataclass(frozen=True, slots=True)
class TrackedNumber:
    """One number of an architecture over the nights."""

    arch: str
    kind: str
    test: str
    what: str
    unit: str
    rows: Mapping[int, Row]
    """By the key of the night."""
    step: TrendStep | None
    since: Night | None
    """The first night after the step."""

    @property
    def latest(self) -> Row:
        """The number of the last night that has one."""
        return self.rows[list(self.rows)[-1]]


@dataclass(frozen=True, slots=True)
class News:
    """Something that is to be told, in words."""

    change: Change
    words: str
    test: str
    trend: Trend
    arches: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """All nights of one series on one tree, oldest first."""

    tree: str
    series: str
    nights: Sequence[Night]
    runs: Mapping[int, Row]
    arch_rows: Mapping[str, Mapping[int, Row]]
    """By architecture, then by the key of the night."""
    tests: Mapping[tuple[str, str], Mapping[int, Row]]
    """By name and architecture, then by the key of the night."""
    measures: Sequence[TrackedNumber]
    measurements: Sequence[Row]
    splats: Sequence[Row]
    trends: Mapping[tuple[str, str], Trend] = field(default_factory=dict)

    @property
    def last(self) -> Night:
        """The latest night."""
        return self.nights[-1]

    @property
    def title(self) -> str:
        """What people call the series; that of a real night, if there is one."""
        real = [night for night in self.nights if not night.simulated] or self.nights
        run = self.runs[real[-1].key]
        return str(run.series_title or run.series)

    @property
    def label(self) -> str:
        """A name that no other line has: two versions of a series may have one title."""
        return f"{self.title} ({self.series} on {self.tree})"

    @property
    def stand_in(self) -> bool:
        """Whether the series is a stand-in for the real one."""
        return bool(self.runs[self.last.key].stand_in)

    @property
    def simulated(self) -> int:
        """How many nights were made up."""
        return sum(night.simulated for night in self.nights)

    @cached_property
    def arches(self) -> list[str]:
        """All architectures of any night; those of the last one first, in its order."""
        return sorted(self.arch_rows, key=lambda arch: self.last.key not in self.arch_rows[arch])

    @cached_property
    def axis(self) -> list[str]:
        """Days along a chart, evenly apart; all of them if they are not too many."""
        step = -(-len(self.nights) // MOST_DAYS)
        return [night.day for night in self.nights[:: max(step, 1)]]

    @cached_property
    def days(self) -> list[str]:
        """Days with a night, in order."""
        return list(dict.fromkeys(night.day for night in self.nights))

    @cached_property
    def names(self) -> list[str]:
        """Every test of any night, in the order of the last."""
        return list(dict.fromkeys(name for name, _ in self.tests))

    def worst_of_day(self, arch: str, day: str) -> tuple[Night, Row] | None:
        """The night of a day in which an architecture did worst, if it was tested at all.

        A night in which the machine failed counts only if no other could be judged: it was run again.
        """
        rows = self.arch_rows[arch]
        found = [(night, rows[night.key]) for night in self.nights if night.day == day and night.key in rows]
        return max(found, key=lambda one: _weight(one[1].verdict), default=None)

    def previous(self, night: Night) -> Night | None:
        """The night before one."""
        place = self.nights.index(night)
        return self.nights[place - 1] if place else None

    def trends_of(self, name: str) -> dict[str, Trend]:
        """A test's trends by architecture."""
        return {arch: self.trends[name, arch] for arch in self.arches if (name, arch) in self.trends}

    @cached_property
    def news(self) -> list[News]:
        """What the last night brought, the most serious first."""
        return self.told(lambda trend: trend.is_news and trend.since is self.last)

    @cached_property
    def open(self) -> list[News]:
        """What was wrong before the last night, and still is."""
        return self.told(lambda trend: trend.change in (Change.FAILING, Change.FLAKY))

    @cached_property
    def flakes(self) -> list[News]:
        """What comes and goes."""
        return self.told(lambda trend: trend.change is Change.FLAKY)

    def told(self, wanted: Any) -> list[News]:
        """Say trends in words, equal ones of a test together."""
        found = [(name, arch, trend) for (name, arch), trend in self.trends.items() if wanted(trend)]
        order = list(Change)

        def same(one: tuple[str, str, Trend]) -> tuple[Any, ...]:
            name, _, trend = one
            rate = (trend.bad, trend.counted) if trend.change is Change.FLAKY else ()
            return (
                order.index(trend.change),
                name,
                trend.since.at,
                (trend.before and trend.before.at) or "",
                rate,
            )

        news = []
        for _, group in groupby(sorted(found, key=same), key=same):
            members = list(group)
            name, _, trend = members[0]
            arches = tuple(arch for _, arch, _ in members)
            news.append(News(trend.change, in_words(name, arches, trend), name, trend, arches))
        return news

    @cached_property
    def gone_arches(self) -> list[str]:
        """Architectures that the night before tested, and the last one did not."""
        before = self.previous(self.last)
        return [
            arch for arch, rows in self.arch_rows.items()
            if before and before.key in rows and self.last.key not in rows
        ]  # fmt: skip

    @cached_property
    def steps(self) -> list[TrackedNumber]:
        """Numbers that changed for good within these nights."""
        return [measure for measure in self.measures if measure.step]


@dataclass(frozen=True, slots=True)
class DashboardData:
    """Everything that a dashboard shows."""

    lines: Sequence[Line]
    findings: Sequence[tuple[Row, Sequence[Row]]]
    """Walks, bisections and reruns, the latest first, each with what it found."""
    runs: int
    """In the store, shown or not."""


def _weight(verdict: str) -> int:
    return -1 if verdict == Verdict.INFRASTRUCTURE else SEVERITY.get(Verdict(verdict), 0)


def read_history(store: Store, nights: int) -> DashboardData:
    """Read the latest nights of each series and tree.

    Raises:
        StoreError: if the store can't be read.
    """
    c = FOLDERS.c
    of_runs = c.kind == "run"
    asked = (
        select(c.tree, c.series).where(of_runs).group_by(c.tree, c.series)
        .order_by(func.max(c.at).desc()).limit(MOST_LINES)
    )  # fmt: skip
    with store.reading() as connection:
        lines = [_line(connection, row.tree, row.series, nights) for row in connection.execute(asked).all()]
        others = select(FOLDERS).where(c.kind != "run").order_by(c.at.desc()).limit(nights)
        folders = connection.execute(others).all()
        found = _by_folder(_details(connection, FINDINGS, [row.id for row in folders]))
        count = connection.execute(select(func.count()).select_from(FOLDERS).where(of_runs)).scalar_one()
    return DashboardData(lines, [(row, found.get(row.id, [])) for row in folders], count)


def _line(connection: Connection, tree: str, series: str, most: int) -> Line:
    c = FOLDERS.c
    asked = select(FOLDERS).where(c.kind == "run", c.tree == tree, c.series == series)
    runs = connection.execute(asked.order_by(c.at.desc(), c.id.desc()).limit(most)).all()[::-1]
    nights = [
        Night(row.id, row.name, row.at, row.base_commit, row.series_commit, row.simulated) for row in runs
    ]
    keys = [night.key for night in nights]
    tests = _by_two(_details(connection, TESTS, keys), "name", "arch", keys)
    arch_rows: dict[str, dict[int, Row]] = {}
    for row in _latest_first(_details(connection, ARCHES, keys), keys):
        arch_rows.setdefault(row.arch, {})[row.folder] = row
    return Line(
        tree,
        series,
        nights,
        {row.id: row for row in runs},
        arch_rows,
        tests,
        _measures(_details(connection, MEASURES, keys), nights),
        _details(connection, MEASUREMENTS, keys),
        _details(connection, SPLATS, keys),
        _trends(tests, arch_rows, nights),
    )


def _details(connection: Connection, table: Table, keys: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        part = keys[first : first + _KEYS_AT_ONCE]
        rows += connection.execute(select(table).where(table.c.folder.in_(part))).all()
    return rows


def _by_folder(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.folder, []).append(row)
    return found


def _latest_first(rows: Sequence[Row], keys: Sequence[int]) -> list[Row]:
    place = {key: number for number, key in enumerate(keys)}
    return sorted(rows, key=lambda row: -place[row.folder])


def _by_two(
    rows: Sequence[Row], one: str, other: str, keys: Sequence[int]
) -> dict[tuple[str, str], dict[int, Row]]:
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in _latest_first(rows, keys):
        found.setdefault((getattr(row, one), getattr(row, other)), {})[row.folder] = row
    return found


def _trends(
    tests: Mapping[tuple[str, str], Mapping[int, Row]],
    arch_rows: Mapping[str, Mapping[int, Row]],
    nights: Sequence[Night],
) -> dict[tuple[str, str], Trend]:
    tested = {arch: [night for night in nights if night.key in rows] for arch, rows in arch_rows.items()}
    suites = _suites(tests)
    trends = {}
    for (name, arch), rows in tests.items():
        seen = {key: outcome_of_row(row) for key, row in rows.items()}
        if arch in tested:
            sizes = suites[name.rpartition(".")[0], arch]
            asked = [night for night in tested[arch] if night.key in seen or _had_suite(sizes, night.key)]
            trends[name, arch] = trend_of(asked, seen)
    return trends


def _suites(tests: Mapping[tuple[str, str], Mapping[int, Row]]) -> dict[tuple[str, str], Counter[int]]:
    """Count the tests of each suite on each architecture, by night."""
    sizes: dict[tuple[str, str], Counter[int]] = {}
    for (name, arch), rows in tests.items():
        sizes.setdefault((name.rpartition(".")[0], arch), Counter()).update(rows.keys())
    return sizes


def _had_suite(sizes: Counter[int], night: int) -> bool:
    """Tell whether a night ran a suite, not only a few tests of it that somebody chose by hand."""
    return 2 * sizes[night] >= max(sizes.values())


def outcome_of_row(row: Row) -> Outcome:
    """What one row of the store says of a test."""
    if row.known and row.verdict in (Verdict.FAILS_ON_BOTH, Verdict.NOT_EXERCISED, Verdict.FLAKY):
        return Outcome.IDLE
    return outcome_of(
        row.verdict, row.series_status, row.series_exercised, row.series_failures, row.series_runs
    )


def _measures(rows: Sequence[Row], nights: Sequence[Night]) -> list[TrackedNumber]:
    found: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in reversed(_latest_first(rows, [night.key for night in nights])):
        found.setdefault((row.kind, row.test, row.what, row.arch, row.unit), {})[row.folder] = row
    measures = []
    for (kind, test, what, arch, unit), by_night in sorted(found.items()):
        known = [
            night for night in nights if night.key in by_night and by_night[night.key].series is not None
        ]
        step = step_of([by_night[night.key].series for night in known])
        since = known[step.index] if step else None
        measures.append(TrackedNumber(arch, kind, test, what, unit, by_night, step, since))
    return measures
