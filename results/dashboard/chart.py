# SPDX-License-Identifier: GPL-2.0-only
"""Numbers over nights as SVG. Lines keep their width and dots stay round however the picture is stretched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

WIDTH, HEIGHT, MARGIN = 1000, 200, 12
MOST_POINTS = 100
"""Of a curve; more nights are drawn as the median of several each."""


@dataclass(frozen=True, slots=True)
class Point:
    """One night's number."""

    place: int
    """Of the night among all nights of the chart."""
    value: float
    words: str
    href: str = ""
    """Where it comes from; or empty."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One architecture's numbers."""

    name: str
    points: Sequence[Point]
    color: int = 0
    """The same for base and series of an architecture."""
    is_base: bool = False
    """Drawn thin, and without dots."""


def chart(
    curves: Sequence[Curve], nights: int, scale: tuple[float, float], most_points: int = MOST_POINTS
) -> Markup:
    """Draw curves above the same nights, between the ends of a scale; legend and labels are the page's."""
    low, high = scale
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="group" '
        f'aria-label="{escape(", ".join(dict.fromkeys(curve.name for curve in curves)))}, base line to top: '
        f'{low:g} to {high:g}; the numbers are in the table below">'
    ]
    parts += [f'<path class="grid" d="M0 {y}H{WIDTH}"/>' for y in (MARGIN, HEIGHT // 2, HEIGHT - MARGIN)]
    for curve in (_thinned(curve, most_points) for curve in curves):
        at = [(_x(point.place, nights), _y(point.value, low, high), point) for point in curve.points]
        path = "L".join(f"{x:g} {y:g}" for x, y, _ in at)
        side = " of-base" if curve.is_base else ""
        parts.append(f'<g class="curve c{curve.color % 6}{side}"><path class="line" d="M{path}"/>')
        for x, y, point in () if curve.is_base else at:
            words = escape(point.words)
            dot = f'<path class="dot" d="M{x:g} {y:g}h0"><title>{words}</title></path>'
            link = f'<a href="{escape(point.href)}" tabindex="-1" aria-label="{words}">{dot}</a>'
            parts.append(link if point.href else dot)
        parts.append("</g>")
    return Markup("".join((*parts, "</svg>")))


def _thinned(curve: Curve, most: int) -> Curve:
    """Keep of each few nights the one with the median number."""
    size = -(-len(curve.points) // most)
    groups = (curve.points[first : first + size] for first in range(0, len(curve.points), max(size, 1)))
    return replace(curve, points=[sorted(group, key=_value)[len(group) // 2] for group in groups])


def _value(point: Point) -> float:
    return point.value


def bounds(curves: Sequence[Curve]) -> tuple[float, float]:
    """The least and the greatest number; a little apart if all are the same."""
    values = [point.value for curve in curves for point in curve.points] or [0.0]
    low, high = min(values), max(values)
    if low == high:
        apart = abs(low) / 10 or 1.0
        return low - apart, high + apart
    return low, high


def _x(place: int, nights: int) -> float:
    return round((place + 0.5) * WIDTH / max(nights, 1), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN), 1)
