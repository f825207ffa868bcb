# SPDX-License-Identifier: GPL-2.0-only
"""All measures: every module of this package that has a `MEASURE`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules

from results.compare import measures
from results.compare.measures.measure import Measure, says_more
from results.compare.reason import Reason, brief
from results.compare.tally import runs_of
from results.model.run import Cell, Measurement, PlannedTest, TestComparison


def _found() -> Iterator[Measure]:
    for module in iter_modules(measures.__path__):
        if module.name != "registry":
            measure = getattr(import_module(f"{measures.__name__}.{module.name}"), "MEASURE", None)
            if isinstance(measure, Measure):
                yield measure


MEASURES: dict[str, Measure] = {measure.name: measure for measure in _found()}
"""By name, in the order of reports."""


def measure_of(name: str) -> Measure:
    """Return a measure; an unknown one, of a newer program, has its name for a title, and a plain table."""
    return MEASURES.get(name) or Measure(name, name.replace("_", " "), "", lambda test, base, series: None)


def compare_measures(
    planned: Sequence[PlannedTest], tests: Sequence[TestComparison], base: Cell, series: Cell
) -> tuple[Measurement, ...]:
    """Compare everything that was measured, by measure and in the order of the plan."""
    of_tests = {test.name: test for test in tests}
    found = (
        measure.compare(of_tests[test.name], runs_of(test, base), runs_of(test, series))
        for measure in MEASURES.values()
        for test in planned
        if test.name.partition(".")[0] in (measure.name, *measure.more_suites)
    )
    return tuple(item for item in found if item)


def telling(items: Sequence[Measurement], tests: Sequence[TestComparison]) -> tuple[Measurement, ...]:
    """Choose those that say more than the results of their tests."""
    of_tests = {test.name: test for test in tests}
    return tuple(item for item in items if says_more(item, of_tests[item.test]))


def measured_reason(item: Measurement) -> Reason:
    """Say in words what a test measured."""
    text = measure_of(item.measure).finding(item)
    return Reason(item.verdict, text, brief(text.partition(" (")[0]))


def by_measure(items: Sequence[Measurement]) -> list[tuple[Measure, list[Measurement]]]:
    """Put measurements of the same measure together, in the order of the registry."""
    names = [name for name in MEASURES if any(item.measure == name for item in items)]
    names += dict.fromkeys(item.measure for item in items if item.measure not in MEASURES)
    return [(measure_of(name), [item for item in items if item.measure == name]) for name in names]
