# SPDX-License-Identifier: GPL-2.0-only
"""What all mails to a mailing list have in common: 72 columns, folded headers, harmless text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.header import Header
from email.utils import formataddr, getaddresses
from textwrap import fill, wrap

from results.reports.content import excerpt, wording

COLUMNS = 72
_LONGEST = 2000
"""Characters of one paragraph; what a guest says may have no end."""
_HEADER_FOLD = "\n "
MIME = (
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=UTF-8",
    "Content-Transfer-Encoding: 8bit",
)
_MARKS = ("diff -", "Index:", "---", "+++", "@@", "From ", ">From ")
"""How a patch or another mail would begin: no text of ours may look like one."""


def mail(head: str, body: str) -> str:
    """Put a mail together; a body with more than ASCII says how it is encoded (RFC 2045)."""
    return "\n\n".join(("\n".join((head, *(() if body.isascii() else MIME))), body))


def header(to: str, cc: Iterable[str], subject: str, more: Iterable[str] = ()) -> str:
    """Put headers together, encoded as RFC 2047 says; empty ones are left out."""
    lines = [f"To: {_address(to)}"] if to else []
    if others := [_address(address) for address in cc]:
        lines.append("Cc: " + f",{_HEADER_FOLD}".join(others))
    lines.append(f"Subject: {_folded(wording.visible(subject))}")
    return "\n".join((*lines, *more))


def _address(text: str) -> str:
    """Encode the name; what is no address with a name stays as it is."""
    ((name, address),) = getaddresses([wording.visible(text)])[:1] or [("", "")]
    return formataddr((name, address)) if address.isascii() and "@" in address else wording.visible(text)


def _folded(subject: str) -> str:
    if not subject.isascii():
        return Header(subject, "utf-8", COLUMNS, "Subject").encode()
    words = wrap(f"Subject: {subject}", COLUMNS, break_long_words=False)
    return _HEADER_FOLD.join(words).removeprefix("Subject: ")


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
