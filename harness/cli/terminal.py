# SPDX-License-Identifier: GPL-2.0-only
"""The console on which everything is printed: no text of a host, a record or a patch commands it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from results.text import printable_lines


class EscapingConsole(Console):
    """Shows control characters of texts as `\\x1b`; colours and the live display are rich's own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object as segments of text, of which none has a control character."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)
