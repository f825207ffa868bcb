# SPDX-License-Identifier: GPL-2.0-only
"""A measure: one kind of numbers that guest tests print, how kernels are compared by it, how reports show it.

A new measure is a module of this package with a `MEASURE`, and the record of its suite in `configs/tests`.
Reports show it as a table, or as `measure_NAME.html` of their templates does, if that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from results.compare.measures.permutation import EFFECT_PERCENT, SIGNIFICANT_P
from results.compare.tally import Runs
from results.model.document import plain
from results.model.run import SEVERITY, Measurement, Reading, TestComparison, Verdict

Side = TypeVar("Side")


@dataclass(frozen=True, slots=True)
class CallMark:
    """How one call of a test looks: a sign that needs no colour, and its meaning."""

    sign: str
    tone: Verdict | str
    """Class of the page's style sheets: that of a verdict, or of a status."""
    meaning: str


def _name_test(item: Measurement) -> str:
    return f"{item.test}: {item.reason}"


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of numbers, with all that reports need to show it."""

    name: str
    """Of the module, and of its suite."""
    title: str
    about: str
    """What is measured, in full sentences."""
    compare: Callable[[TestComparison, Runs, Runs], Measurement | None]
    """Compare the runs of a test on base and on the series; None if nothing was measured. Never raises."""
    more_suites: tuple[str, ...] = ()
    """Suites whose tests print the same numbers."""
    finding: Callable[[Measurement], str] = _name_test
    """Say why the verdict is not `unchanged`."""
    summary: Callable[[Sequence[Measurement]], str] = lambda items: ""
    """Say what all tests of the measure show together, in full sentences."""
    narrow: tuple[str, ...] = ()
    """Names of the readings that a table of 80 columns shows; without any there is no table."""
    short_conclusion: bool = False
    """Whether such a table has room for the conclusions."""
    overview: str = ""
    """Name of the reading that tables of all architectures show."""
    legend: Mapping[str, CallMark] = field(default_factory=dict)
    """Meaning of the letters of `Measurement.base_marks`."""
    view: Callable[[Measurement], Any] = lambda item: None
    """What the measure's own fragment of the HTML report shows of a test."""


def says_more(item: Measurement, test: TestComparison) -> bool:
    """Tell whether what a test measured is worth a finding next to the test's own result."""
    if item.reason == test.reason or test.known_gap:
        return False
    return item.verdict is Verdict.REGRESSION or SEVERITY[item.verdict] > SEVERITY[test.verdict]


def is_notable(item: Measurement) -> bool:
    """Tell whether a number changed for sure, and no verdict tells of it."""
    if item.verdict is not Verdict.UNCHANGED or item.p is None or item.change_percent is None:
        return False
    return item.p <= SIGNIFICANT_P and abs(item.change_percent) >= EFFECT_PERCENT


def unjudged(
    measure: str, test: TestComparison, readings: tuple[Reading, ...], base: Side | None, series: Side | None
) -> Measurement:
    """Begin the comparison of an operation's numbers that no rule judges; its test is `MEASURE.OPERATION`."""
    return Measurement(
        measure=measure,
        test=test.name,
        subject=test.name.removeprefix(f"{measure}."),
        verdict=Verdict.UNCHANGED,
        reason="",
        readings=readings,
        base=plain(base) if base else {},
        series=plain(series) if series else {},
    )


def reading(
    name: str,
    unit: str,
    value: Callable[[Side], float | None],
    base: Side | None,
    series: Side | None,
    *,
    tracked: bool = True,
) -> Reading:
    """Take one number of what was read on each kernel; None where nothing was."""
    on_base, on_series = (None if side is None else value(side) for side in (base, series))
    return Reading(name, unit, on_base, on_series, tracked)
