# SPDX-License-Identifier: GPL-2.0-only
"""The numbers of a run as pairs of bars, base above the series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

from results.compare.measures.measure import Measure
from results.compare.measures.registry import by_measure
from results.model.run import Build, Run
from results.reports.content import lookup
from results.text import quantity

_SIZES = (("kernel image", "image_bytes"), ("functions and variables", "symbol_bytes"))


@dataclass(frozen=True, slots=True)
class Bars:
    """One number of one architecture on both kernels."""

    arch: str
    what: str
    base: float
    series: float
    unit: str
    conclusion: str = ""
    """What the measure itself says of the difference."""

    @property
    def said(self) -> tuple[str, str]:
        """The numbers in words."""
        return quantity(self.base, self.unit), quantity(self.series, self.unit)

    @property
    def difference(self) -> str:
        """By how much the series changes it: `-99.5 %`, or the number itself if base has none."""
        if self.conclusion:
            return self.conclusion
        if not self.base:
            return f"+{quantity(self.series, self.unit)}"
        percent = 100 * (self.series / self.base - 1)
        if abs(percent) >= 0.1:
            return f"{percent:+.1f} %"
        return f"{self.series - self.base:+,.0f} {self.unit}" if self.unit == "B" else f"{percent:+.1g} %"

    @property
    def svg(self) -> Markup:
        """The bars; the longer one takes the whole width."""
        most = max(self.base, self.series)
        base, series = (round(100 * value / most, 2) for value in (self.base, self.series))
        label = escape("base {}, series {}".format(*self.said))
        return Markup(
            f'<svg class="bars" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" '
            f'aria-label="{label}"><rect class="of-base" width="{base:g}" height="9"/>'
            f'<rect class="of-series" y="11" width="{series:g}" height="9"/></svg>'
        )


def bars(run: Run) -> tuple[list[Bars], list[Bars]]:
    """Return what tests measured and what kernels take: what differs, and what is the same on both."""
    found = [*_measured(run), *_sizes(run)]
    known = [each for each in found if each.base >= 0 and each.series >= 0 and max(each.base, each.series)]
    return (
        [each for each in known if each.base != each.series],
        [each for each in known if each.base == each.series],
    )


def _measured(run: Run) -> Iterator[Bars]:
    for arch in run.arches:
        for measure, items in by_measure(arch.measurements):
            for item in items:
                for reading in item.readings:
                    if reading.name != _drawn(measure) or reading.base is None or reading.series is None:
                        continue
                    what = reading.name if measure.overview else f"{measure.name}: {item.subject}"
                    said = item.conclusion if measure.short_conclusion else ""
                    yield Bars(arch.arch, what, reading.base, reading.series, reading.unit, said)


def _drawn(measure: Measure) -> str:
    """Name the reading that stands for a measure; one with a sign for each call has a picture of its own."""
    if measure.legend:
        return ""
    return measure.overview or next(iter(measure.narrow), "")


def _sizes(run: Run) -> Iterator[Bars]:
    for arch in run.arches:
        cells = [lookup.cell_of(run, arch.arch, variant) for variant in ("base", "series")]
        builds: list[Build] = [cell.build for cell in cells if cell and cell.build and cell.build.ok]
        if len(builds) == 2:
            for what, name in _SIZES:
                base, series = (float(getattr(build, name)) for build in builds)
                yield Bars(arch.arch, what, base, series, "B")
