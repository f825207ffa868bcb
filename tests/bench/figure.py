# SPDX-License-Identifier: GPL-2.0-only
"""What a figure is, how it is judged, and how it is told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.bench import Bench
from tests.bench.clock import Pairs

RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a figure's function found: one value a repetition, and words on what they are made of."""

    values: tuple[float, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A named number with a limit. The median of its values must not be above the limit."""

    name: str
    limit: float
    about: str
    measure: Callable[[Bench], Measured]
    unit: str = RATIO
    """Of values and limit; an absolute figure has a real one, such as `s`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure as it came out; `value` is None if it could not be measured."""

    figure: Figure
    value: float | None
    words: str

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.value is not None and self.value <= self.figure.limit

    def as_document(self) -> dict[str, object]:
        """Its entry of bench.json: a `ratio`, or a `value` with its `unit`; see docs/bench.schema.json."""
        value = None if self.value is None else round(self.value, 4)
        unit = self.figure.unit
        return {
            "name": self.figure.name,
            **({"ratio": value} if unit == RATIO else {"value": value, "unit": unit}),
            "limit": self.figure.limit,
            "holds": self.holds,
            "what": f"{self.figure.about}: {self.words}",
        }

    def as_line(self) -> str:
        """One line for people."""
        unit = "" if self.figure.unit == RATIO else f" {self.figure.unit}"
        value = "?" if self.value is None else f"{_number(self.value)}{unit}"
        limit = f"{_number(self.figure.limit)}{unit}"
        sign = "holds" if self.holds else "FAILS"
        return f"{self.figure.name:<16} {value:>10}  limit {limit:<10}  {sign}  {self.words}"


def judge(figure: Figure, measured: Measured) -> Outcome:
    """The median decides; least and most are told, so that noise is seen."""
    value = statistics.median(measured.values)
    spread = f"{_number(min(measured.values))}–{_number(max(measured.values))}"
    count = f"median of {len(measured.values)} ({spread})" if len(measured.values) > 1 else "measured once"
    return Outcome(figure, value, f"{count}; {measured.words}")


def _number(value: float) -> str:
    """Two digits after the point; three where there would be one that counts."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def against(pairs: Pairs) -> Measured:
    """The ratios of harness to plain, and the seconds in words."""
    plain = _seconds([plain.wall for plain, _ in pairs.spans])
    harness = _seconds([harness.wall for _, harness in pairs.spans])
    ratios = tuple(harness.wall / plain.wall for plain, harness in pairs.spans)
    return Measured(ratios, f"plain {plain}, harness {harness}{_remark(pairs)}")


def _remark(pairs: Pairs) -> str:
    if pairs.busy:
        share = statistics.mean(span.disturbance for pair in pairs.spans for span in pair)
        return f"; NOT TO BE TRUSTED: others used {share:.0%} of the CPUs"
    return f"; {pairs.left_out} disturbed pairs left out" if pairs.left_out else ""


def _seconds(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.2f} s"
    return f"{middle} ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else middle
