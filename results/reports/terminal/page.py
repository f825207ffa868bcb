# SPDX-License-Identifier: GPL-2.0-only
"""The terminal as the reports see it: untrusted text, marks and tables."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.model.run import Status, Verdict
from results.reports.content import wording

STYLES = {
    Verdict.UNCHANGED: "green",
    Verdict.FIXED: "bold blue",
    Verdict.UNSUPPORTED: "dim",
    Verdict.NOT_EXERCISED: "yellow",
    Verdict.FAILS_ON_BOTH: "magenta",
    Verdict.FLAKY: "yellow",
    Verdict.INFRASTRUCTURE: "bold magenta",
    Verdict.REGRESSION: "bold red",
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.ERROR: "bold red",
    Status.MISS: "magenta",
    Status.SKIP: "dim",
}

INDENT = "  "
_LEAST_ROOM = 20
"""Columns of a paragraph, however narrow the terminal is."""
_ASCII = str.maketrans({"→": "->", "–": "-", "µ": "u", "…": "...", "×": "x"})


@dataclass(frozen=True, slots=True)
class Page:
    """A console that shows untrusted text: as text only, and only in characters that it has."""

    console: Console

    @property
    def unicode(self) -> bool:
        """Whether the console has more than ASCII."""
        return self.console.encoding.lower().replace("-", "").startswith("utf")

    def text(self, words: str, style: str = "") -> Text:
        """Make words harmless, and of characters that the console has."""
        encoding = self.console.encoding
        shown = wording.visible(words if self.unicode else words.translate(_ASCII))
        safe = shown.encode(encoding, "backslashreplace").decode(encoding)
        return Text(safe, style=style)

    def marked(self, mark: Verdict | Status, words: str | None = None) -> Text:
        """Show a verdict or status as symbol and word, or with other words; without Unicode as word only."""
        said = str(mark) if words is None or not (words or self.unicode) else words
        shown = f"{wording.SYMBOLS[mark]} {said}".rstrip() if self.unicode else said
        return self.text(shown, STYLES.get(mark, ""))

    @property
    def moved(self) -> str:
        """The sign of a number that changed."""
        return "△" if self.unicode else "changed:"

    def folded(self, words: Text, indent: str = "") -> None:
        """Print a paragraph; a terminal gets it folded between words, everything else in one line."""
        if not self.console.is_terminal:
            self.console.print(Text(indent) + words, soft_wrap=True)
            return
        room = max(self.console.width - len(indent) - len(INDENT), _LEAST_ROOM)
        for number, line in enumerate(words.wrap(self.console, room, overflow="fold")):
            line.rstrip()
            self.console.print(Text(indent + (INDENT if number else "")) + line, soft_wrap=True)

    def line(self, words: str = "", style: str = "") -> None:
        """Print one line, however long; the terminal may wrap it, nothing is cut."""
        self.console.print(self.text(words, style), soft_wrap=True)

    def table(self, *headers: str, first_width: int = 0) -> Table:
        """Begin a table, with a first column of just this width: a minimum would crop the others."""
        if self.console.is_terminal:
            table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        else:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, header in enumerate(headers):
            width = first_width if number == 0 and first_width else None
            table.add_column(header, overflow="fold", width=width)
        return table

    def show(self, table: Table) -> None:
        """Print a table, in plain text without blanks at the ends of its lines."""
        if self.console.is_terminal:
            self.console.print(table)
            self.line()
            return
        with self.console.capture() as capture:
            self.console.print(table)
        for line in capture.get().splitlines():
            self.console.out(line.rstrip(), highlight=False)
        self.line()
