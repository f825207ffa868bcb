# SPDX-License-Identifier: GPL-2.0-only
"""Which numbers are drawn together: one chart for each number, one curve for each architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from markupsafe import Markup

from results.dashboard.chart import MOST_POINTS, Curve, Point, bounds, chart
from results.dashboard.history import Line, Row, TrackedNumber
from results.dashboard.wordings import kind_order
from results.store.trends import STEP_PERCENT
from results.text import quantity

_SMALL = 40
"""Points of a curve on the overview."""
_HEADLINES = 3
_APART = 1.5
"""Ratio of two medians up to which they share a scale."""

LogLine = Callable[[int, str, int | None], str]


@dataclass(frozen=True, slots=True)
class Plot:
    """One number on all architectures."""

    kind: str
    test: str
    what: str
    unit: str
    measures: Sequence[TrackedNumber]
    svg: Markup
    low: str
    high: str
    varies: bool
    """Whether there is anything to see."""
    relative: bool
    """Drawn in percent of each curve's own median."""


def headlines(line: Line) -> list[Plot]:
    """A few small charts without links: what tests measured, numbers that changed for good first."""
    measured = [one for one in line.measures if not kind_order(one.kind)[0]]
    drawn = [plot for plot in _plots(line, measured, lambda *_: "", "", _SMALL) if plot.varies]
    return sorted(drawn, key=lambda plot: not any(one.step for one in plot.measures))[:_HEADLINES]


def plots(line: Line, log_line: LogLine, root: str) -> list[Plot]:
    """All charts of a line; those in which something moves first, then by kind."""
    return _plots(line, line.measures, log_line, root, MOST_POINTS)


def _plots(
    line: Line, tracked: Sequence[TrackedNumber], log_line: LogLine, root: str, most_points: int
) -> list[Plot]:
    places = {night.key: place for place, night in enumerate(line.nights)}
    drawn = []
    for (kind, test, what, unit), group in groupby(
        tracked, key=lambda one: (one.kind, one.test, one.what, one.unit)
    ):
        measures = [one for one in group if any(row.series is not None for row in one.rows.values())]
        if measures:
            curves = [
                curve
                for number, one in enumerate(measures)
                for curve in _curves(one, number, line, places, log_line, root)
            ]
            varies = any(len({point.value for point in curve.points}) > 1 for curve in curves)
            relative = _as_percent(curves)
            low, high = bounds(relative or curves)
            if relative:
                low, high = min(low, -STEP_PERCENT), max(high, STEP_PERCENT)
            svg = Markup("")
            if varies:
                svg = chart(relative or curves, len(line.nights), (low, high), most_points)
            least, most = (f"{end:+.3g} %" if relative else quantity(end, unit) for end in (low, high))
            drawn.append(Plot(kind, test, what, unit, measures, svg, least, most, varies, bool(relative)))
    return sorted(drawn, key=lambda plot: (not plot.varies, kind_order(plot.kind), plot.test, plot.what))


def _as_percent(curves: Sequence[Curve]) -> list[Curve]:
    """Scale curves that are far apart to percent of their medians; return none if they are near, or at 0."""
    of_arch: dict[str, list[float]] = {}
    for curve in curves:
        of_arch.setdefault(curve.name, []).extend(point.value for point in curve.points)
    middle_of = {name: median(values) for name, values in of_arch.items()}
    middles = [middle_of[curve.name] for curve in curves]
    if min(middles) <= 0 or max(middles) < _APART * min(middles):
        return []
    return [
        replace(
            curve,
            points=[replace(point, value=100 * (point.value / middle - 1)) for point in curve.points],
        )
        for curve, middle in zip(curves, middles, strict=True)
    ]


def _curves(
    measure: TrackedNumber, number: int, line: Line, places: dict[int, int], log_line: LogLine, root: str
) -> list[Curve]:
    """One curve with the series, and one of base unless base never had the number."""
    sides: dict[str, list[Point]] = {"series": [], "base": []}
    for night in line.nights:
        row: Row | None = measure.rows.get(night.key)
        for side, points in sides.items():
            value = getattr(row, side, None)
            if row is not None and value is not None:
                both = " | ".join(quantity(number, measure.unit) for number in (row.base, row.series))
                words = f"{measure.arch}, {night.day}: {both}"
                href = log_line(night.key, row.log, row.line)
                mark = " (simulated)" if night.simulated else ""
                points.append(Point(places[night.key], value, words + mark, href and root + href))
    return [
        Curve(measure.arch, points, number, is_base=side == "base")
        for side, points in sides.items()
        if points
    ]


def seconds(line: Line, name: str, log_line: LogLine, root: str) -> tuple[Markup, str, str]:
    """How long a test took with the series, on every architecture; with the least and the most in words."""
    curves: list[Curve] = []
    for arch in line.arches:
        rows = line.tests.get((name, arch), {})
        points = []
        for place, night in enumerate(line.nights):
            row = rows.get(night.key)
            if row is not None and row.series_seconds is not None:
                words = f"{arch}, {night.day}: {row.series_seconds:.3g} s"
                href = log_line(night.key, row.series_log, row.series_line)
                points.append(Point(place, row.series_seconds, words, href and root + href))
        if points:
            curves.append(Curve(arch, points, len(curves)))
    if not curves:
        return Markup(""), "", ""
    low, high = bounds(curves)
    return chart(curves, len(line.nights), (low, high)), f"{low:.3g} s", f"{high:.3g} s"
