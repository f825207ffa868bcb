# SPDX-License-Identifier: GPL-2.0-only
"""Pieces of shell script: quoted words, commands over several lines, here-documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_letters

_MARK = "END"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a script."""

    functions: bytes
    """What a person reads."""
    data: bytes = b""
    """Functions that only print what is long."""


class Raw(str):
    """A word that the shell is to read as it stands, such as `"$kernel"`."""


def comment(*paragraphs: str) -> str:
    """Lines of a comment; none of them can end it."""
    lines = (line for paragraph in paragraphs for line in paragraph.splitlines() or [""])
    return "".join(f"# {printable(line)}".rstrip() + "\n" for line in lines)


def printable(text: str) -> str:
    """One line without anything that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def function(name: str, body: bytes | str, about: str = "") -> bytes:
    """A function; here-documents in `body` stay where they are."""
    inside = body.encode() if isinstance(body, str) else body
    return f"{comment(about) if about else ''}{name}() {{\n".encode() + inside + b"}\n"


def here(command: str, content: bytes) -> bytes:
    """A command that gets bytes as input; the mark at their end is none of their lines.

    The bytes may be anything but NUL. An end of line is added if the last line has none.
    """
    lines = set(content.split(b"\n"))
    mark = next(mark for mark in _marks() if not any(_ends_or_confuses(line, mark) for line in lines))
    end = b"" if not content or content.endswith(b"\n") else b"\n"
    return f"{command} <<'{mark}'\n".encode() + content + end + f"{mark}\n".encode()


def _marks() -> Iterator[str]:
    yield _MARK
    for number in count(1):
        yield from (f"{letter}{number}_{_MARK}" for letter in ascii_letters)


def _ends_or_confuses(line: bytes, mark: str) -> bool:
    """Whether a line is the mark, or begins like it and goes on with a byte that dash 0.5.12 drops then."""
    ours = mark.encode()
    alike = next(
        (at for at, pair in enumerate(zip(line, ours, strict=False)) if pair[0] != pair[1]), len(ours)
    )
    return line == ours or (0 < alike < len(line) and line[alike] >= 0x80)


def command_lines(words: Sequence[str], indent: str = "\t") -> str:
    """A command over as many lines as read well: an option stands with its value."""
    groups: list[list[str]] = [[]]
    for word in words:
        if word.startswith("-") and groups[-1]:
            groups.append([])
        groups[-1].append(word)
    return f" \\\n{indent}\t".join(join(group) for group in groups)


def join(words: Iterable[str]) -> str:
    """Words of a command, quoted unless they are `Raw`; no shell can have a NUL in a word."""
    return " ".join(word if isinstance(word, Raw) else shlex.quote(word.replace("\0", "�")) for word in words)


def command(name: str, *words: str) -> str:
    """A line that calls a function or a command of a script; each word is quoted unless it is `Raw`."""
    return f"\t{join((Raw(name), *words))}\n"
