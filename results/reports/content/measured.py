# SPDX-License-Identifier: GPL-2.0-only
"""What tests measure, in the rows and words that all reports show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from results.compare.measures.measure import Measure
from results.compare.measures.registry import MEASURES, by_measure
from results.model.run import SEVERITY, ArchComparison, Measurement, Reading, Run, TestComparison, Verdict
from results.text import quantity

NOTHING = "–"
"""In place of a number, where a kernel gave none at all."""


@dataclass(frozen=True, slots=True)
class MeasuredSection:
    """Everything of one measure on one architecture."""

    measure: Measure
    rows: tuple[Measurement, ...]
    """Those with a number."""
    idle: tuple[tuple[Measurement, ...], ...]
    """Those without one, by verdict and reason."""

    @property
    def heads(self) -> list[str]:
        """Names of all readings."""
        return list(dict.fromkeys(reading.name for item in self.rows for reading in item.readings))

    @property
    def items(self) -> list[Measurement]:
        """Everything, with numbers or without."""
        return [*self.rows, *(item for group in self.idle for item in group)]

    @property
    def summary(self) -> str:
        """What all of them show together; or empty."""
        return self.measure.summary(self.items)

    @property
    def notes(self) -> list[str]:
        """What limits the numbers, each note once."""
        return list(dict.fromkeys(item.note for item in self.items if item.note))


def sections(arch: ArchComparison) -> list[MeasuredSection]:
    """Sort what was measured on an architecture."""
    return [_section(measure, items) for measure, items in by_measure(arch.measurements)]


def _section(measure: Measure, items: list[Measurement]) -> MeasuredSection:
    rows = tuple(item for item in items if any(_sides(item)))
    idle: dict[tuple[Verdict, str], list[Measurement]] = {}
    for item in items:
        if item not in rows:
            idle.setdefault((item.verdict, item.conclusion or item.reason), []).append(item)
    return MeasuredSection(measure, rows, tuple(map(tuple, idle.values())))


def _sides(item: Measurement) -> tuple[bool, bool]:
    """Tell which kernels gave a number."""
    return (
        any(reading.base is not None for reading in item.readings),
        any(reading.series is not None for reading in item.readings),
    )


def pair(item: Measurement, name: str) -> str:
    """Show a reading of both kernels: `4096 B | 0 B`; a number that one kernel does not count is absent."""
    reading = next((reading for reading in item.readings if reading.name == name), None)
    if reading is None:
        return ""
    return " | ".join(
        quantity(value, reading.unit) if known else NOTHING
        for value, known in zip((reading.base, reading.series), _sides(item), strict=True)
    )


def tracked(items: Iterable[Measurement]) -> Iterator[tuple[Measurement, Reading]]:
    """Choose the readings that other programs and the store take."""
    return ((item, reading) for item in items for reading in item.readings if reading.tracked)


def worst(arch: ArchComparison, test: TestComparison) -> TestComparison | Measurement:
    """Return what judges a test: its own result, or a number that it measured if that is worse."""
    judged: list[TestComparison | Measurement] = [
        test,
        *(item for item in arch.measurements if item.test == test.name),
    ]
    return max(judged, key=lambda item: SEVERITY[item.verdict])


def sentences(arch: ArchComparison) -> Iterator[str]:
    """Say what was measured on an architecture, one sentence for each comparison."""
    for section in sections(arch):
        if section.summary:
            yield section.summary
        for item in section.items:
            if item.conclusion and not (item.change_percent is None and section.measure.short_conclusion):
                notes = [note.partition(":")[0].partition(" (")[0] for note in item.note.split("; ")]
                yield f"{item.subject}: {item.conclusion}" + (f" ({', '.join(notes)})" if item.note else "")


def overviews(run: Run) -> dict[str, list[str]]:
    """Columns of a table of all architectures, by their heads; a cell is empty where nothing was measured."""
    columns = {measure.overview: _overview(run, measure) for measure in MEASURES.values() if measure.overview}
    return {head: cells for head, cells in columns.items() if any(cells)}


def _overview(run: Run, measure: Measure) -> list[str]:
    return [
        "; ".join(pair(item, measure.overview) for item in arch.measurements if item.measure == measure.name)
        for arch in run.arches
    ]
