# SPDX-License-Identifier: GPL-2.0-only
"""When each kernel of a folder was built and booted, from the times in its journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from results.journal.journal import BootFact, JournalError, decode, read_events
from results.model.run import BootEnd, Build
from results.reports.content import wording

_MOST_ROWS = 60
_WIDTH = 1000
_LEAST = 3
"""Width of what took no time at all."""
_IDLE = 0.02
"""Share of the whole that a pause takes at most: a run may be interrupted for days."""


@dataclass(frozen=True, slots=True)
class Span:
    """One build or boot; times in seconds since 1970."""

    cell: str
    begin: float
    end: float
    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """All spans, and their places on an axis without long pauses."""

    spans: Sequence[Span]

    @property
    def cells(self) -> list[str]:
        """One row each, in the order in which they began."""
        return list(dict.fromkeys(span.cell for span in self.spans))[:_MOST_ROWS]

    @property
    def busy(self) -> str:
        """How long anything went on."""
        return wording.duration(sum(end - begin for begin, end in self._busy()))

    def said(self, cell: str) -> str:
        """The row in words."""
        return ", ".join(span.words for span in self.spans if span.cell == cell)

    def row(self, cell: str) -> Markup:
        """The row as a picture."""
        rectangles = []
        for span in self.spans:
            if span.cell == cell:
                begin, end = self._place(span.begin), self._place(span.end)
                width = max(end - begin, _LEAST)
                rectangles.append(
                    f'<rect class="{span.look}" x="{min(begin, _WIDTH - width):.1f}" width="{width:.1f}" '
                    f'height="12"><title>{escape(wording.visible(span.words))}</title></rect>'
                )
        label = escape(wording.visible(self.said(cell)))
        return Markup(
            f'<svg class="spans" viewBox="0 0 {_WIDTH} 12" preserveAspectRatio="none" role="img" '
            f'aria-label="{label}">{"".join(rectangles)}</svg>'
        )

    def _busy(self) -> list[tuple[float, float]]:
        merged: list[tuple[float, float]] = []
        for span in sorted(self.spans, key=lambda span: span.begin):
            if merged and span.begin <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], span.end)
            else:
                merged.append((span.begin, span.end))
        return merged

    def _place(self, moment: float) -> float:
        """Map a time to the axis, on which pauses are short."""
        busy = self._busy()
        work = sum(end - begin for begin, end in busy) or 1.0
        place = whole = 0.0
        last = busy[0][0]
        for begin, end in busy:
            pause = min(begin - last, _IDLE * work)
            if begin <= moment:
                place = whole + pause + min(moment, end) - begin
            whole += pause + end - begin
            last = end
        return _WIDTH * place / (whole or 1.0)


def timeline(folder: Path) -> Timeline:
    """Read the builds and boots of a folder; without a journal there are none."""
    with suppress(JournalError):
        return Timeline(sorted(_spans(folder), key=lambda span: span.begin))
    return Timeline(())


def _spans(folder: Path) -> Iterator[Span]:
    for event in read_events(folder):
        end = event.time.timestamp()
        if event.name == "build":
            build = decode(Build, event)
            seconds = 0.0 if build.cached else max(build.seconds, 0.0)
            how = "from the cache" if build.cached else wording.duration(build.seconds)
            look = "build" if build.ok else "bad"
            failed = "" if build.ok else " failed"
            yield Span(f"{build.arch}/{build.variant}", end - seconds, end, look, f"build{failed}: {how}")
        elif event.name == "boot":
            boot = decode(BootFact, event)
            seconds = max(boot.seconds, 0.0)
            look = "boot" if boot.end is BootEnd.DONE else "bad"
            words = f"{boot.purpose} boot, {boot.end}: {wording.duration(boot.seconds)}"
            yield Span(f"{boot.arch}/{boot.variant}", end - seconds, end, look, words)
