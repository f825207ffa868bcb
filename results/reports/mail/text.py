# SPDX-License-Identifier: GPL-2.0-only
"""What all mails to a mailing list have in common: 72 columns, folded headers, harmless text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import fill, wrap

from results.reports.content import excerpt, wording

COLUMNS = 72
_LONGEST = 2000
"""Characters of one paragraph; what a guest says may have no end."""
_HEADER_FOLD = "\n "
_MARKS = ("diff -", "Index:", "---", "+++", "@@", "From ", ">From ")
"""How a patch or another mail would begin: no text of ours may look like one."""


def header(to: str, cc: Iterable[str], subject: str, more: Iterable[str] = ()) -> str:
    """Put headers together; empty ones are left out."""
    lines = [f"To: {wording.visible(to)}"] if to else []
    if others := [wording.visible(address) for address in cc]:
        lines.append("Cc: " + f",{_HEADER_FOLD}".join(others))
    words = wrap(f"Subject: {wording.visible(subject)}", COLUMNS, break_long_words=False)
    lines.append(_HEADER_FOLD.join(words))
    return "\n".join((*lines, *more))


def greeting(author: str) -> str:
    """Greet the author by the first name."""
    name = wording.visible(author.partition("<")[0].strip(' "').partition(" ")[0])
    return f"Hi {name or 'there'},"


def wrapped(text: str, indent: str = "", rest: str | None = None) -> str:
    """Break prose into lines; `rest` is the indent of all lines but the first, if it is another one."""
    return fill(
        wording.visible(excerpt.cut_line(text, _LONGEST)),
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def harmless(text: str) -> str:
    """Indent lines that would end the text of a mail, or begin a patch."""
    return "\n".join(f" {line}" if line.startswith(_MARKS) else line for line in text.split("\n"))


def table(rows: Iterable[tuple[str, ...]], indent: str = "  ") -> Iterator[str]:
    """Align columns, all but the first two to the right."""
    shown = [tuple(map(wording.visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield (indent + "  ".join(cells)).rstrip()
