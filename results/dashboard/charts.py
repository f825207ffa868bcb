"""Which numbers are drawn together: one chart for each number, one curve for each architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from results.dashboard.chart import Curve, Point, bounds, chart
from results.dashboard.history import Line, Measure, Row
from results.dashboard.wordings import KINDS, number

LogLine = Callable[[int, str, int | None], str]


@dataclass(frozen=True, slots=True)
class Plot:
    """One number on all architectures."""

    kind: str
    test: str
    what: str
    unit: str
    measures: Sequence[Measure]
    svg: Markup
    low: str
    high: str
    varies: bool
    """Whether there is anything to see."""


def plots(line: Line, log_line: LogLine, root: str) -> list[Plot]:
    """All charts of a line; those in which something moves first, then by kind."""
    places = {night.key: place for place, night in enumerate(line.nights)}
    drawn = []
    for (kind, test, what, unit), group in groupby(
        line.measures, key=lambda one: (one.kind, one.test, one.what, one.unit)
    ):
        measures = [one for one in group if any(row.series is not None for row in one.rows.values())]
        if measures:
            curves = [_curve(one, line, places, log_line, root) for one in measures]
            low, high = bounds(curves)
            varies = any(len({point.value for point in curve.points}) > 1 for curve in curves)
            svg = chart(curves, len(line.nights)) if varies else Markup("")
            drawn.append(
                Plot(kind, test, what, unit, measures, svg, number(low, unit), number(high, unit), varies)
            )
    order = list(KINDS)
    return sorted(drawn, key=lambda plot: (not plot.varies, order.index(plot.kind), plot.test, plot.what))


def _curve(measure: Measure, line: Line, places: dict[int, int], log_line: LogLine, root: str) -> Curve:
    points = []
    for night in line.nights:
        row: Row | None = measure.rows.get(night.key)
        if row is not None and row.series is not None:
            words = f"{measure.arch}, {night.day}: {number(row.series, measure.unit)}"
            href = log_line(night.key, row.log, row.line)
            mark = " (simulated)" if night.simulated else ""
            points.append(Point(places[night.key], row.series, words + mark, href and root + href))
    return Curve(measure.arch, points)


def seconds(line: Line, name: str, log_line: LogLine, root: str) -> tuple[Markup, str, str]:
    """How long a test took with the series, on every architecture; with the least and the most in words."""
    curves = []
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
            curves.append(Curve(arch, points))
    if not curves:
        return Markup(""), "", ""
    low, high = bounds(curves)
    return chart(curves, len(line.nights)), f"{low:.3g} s", f"{high:.3g} s"
