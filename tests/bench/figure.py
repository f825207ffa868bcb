"""What a figure is, how it is judged, and how it is told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.bench import Bench
from tests.bench.clock import Pairs


@dataclass(frozen=True, slots=True)
class Measured:
    """What a figure's function found: one ratio a repetition, and words on what they are made of."""

    ratios: tuple[float, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A named ratio with a limit. The median of its ratios must not be above the limit."""

    name: str
    limit: float
    about: str
    measure: Callable[[Bench], Measured]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure as it came out; `ratio` is None if it could not be measured."""

    figure: Figure
    ratio: float | None
    words: str

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.ratio is not None and self.ratio <= self.figure.limit

    def as_document(self) -> dict[str, object]:
        """Its entry of bench.json."""
        return {
            "name": self.figure.name,
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "limit": self.figure.limit,
            "holds": self.holds,
            "what": f"{self.figure.about}: {self.words}",
        }

    def as_line(self) -> str:
        """One line for people."""
        ratio = "    ?" if self.ratio is None else f"{self.ratio:5.2f}"
        sign = "holds" if self.holds else "FAILS"
        return f"{self.figure.name:<16} {ratio}  limit {self.figure.limit:.2f}  {sign}  {self.words}"


def judge(figure: Figure, measured: Measured) -> Outcome:
    """The median decides; least and most are told, so that noise is seen."""
    ratio = statistics.median(measured.ratios)
    spread = f"{min(measured.ratios):.2f}–{max(measured.ratios):.2f}"
    count = f"median of {len(measured.ratios)} ({spread})" if len(measured.ratios) > 1 else "measured once"
    return Outcome(figure, ratio, f"{count}; {measured.words}")


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
