# SPDX-License-Identifier: GPL-2.0-only
"""Read a few lines of a log in the run folder, and cut long output to a readable size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from results.files import open_plain
from results.model.run import LineRange

_LINE_BYTES = 400
_MOST_BYTES = 256 << 20
"""Of a log that lines are read from; those of builds have no bound of their own."""

NumberedLines = tuple[tuple[int, str], ...]
"""Lines of a log with their numbers, which jump where lines were left out."""


def read_lines(run_dir: Path, log: str, wanted: LineRange, most: int) -> NumberedLines | None:
    """Read a range of lines, its beginning and end if it is too long; None if there is no such log."""
    head = min(most // 3, wanted.last - wanted.first + 1)
    try:
        with open_inside(run_dir, log) as stream:
            numbered = enumerate(islice(stream, max(wanted.first - 1, 0), wanted.last), max(wanted.first, 1))
            kept = list(islice(numbered, head))
            tail = deque(numbered, maxlen=most - head)
    except OSError:
        return None
    return _decoded([*kept, *tail])


def read_tail(run_dir: Path, log: str, most: int) -> NumberedLines | None:
    """Read the last lines of a log; None if there is no such log."""
    try:
        with open_inside(run_dir, log) as stream:
            tail = deque(enumerate(stream, 1), maxlen=most)
    except OSError:
        return None
    return _decoded(tail)


def exists(run_dir: Path, log: str) -> bool:
    """Whether this log is in the run folder."""
    try:
        open_inside(run_dir, log).close()
    except OSError:
        return False
    return True


def shorten(lines: Sequence[str], most: int) -> tuple[str, ...]:
    """Keep the beginning and the end of some output, with a note of what was left out between."""
    shown = tuple(map(cut_line, lines))
    if len(shown) <= most:
        return shown
    head = most // 3
    tail = most - head
    return (*shown[:head], f"[… {len(shown) - most} lines left out …]", *shown[-tail:])


def cut_line(line: str, most: int = _LINE_BYTES) -> str:
    """Cut an overlong line."""
    return line if len(line) <= most else f"{line[:most]}…"


def open_inside(run_dir: Path, log: str) -> BinaryIO:
    """Open a log, but nothing outside of the run folder: `results.json` may come from elsewhere."""
    return open_plain(run_dir / log, _MOST_BYTES, below=run_dir)


def _decoded(lines: Iterable[tuple[int, bytes]]) -> NumberedLines:
    return tuple((number, _decode(line)) for number, line in lines)


def _decode(line: bytes) -> str:
    stripped = line.rstrip(b"\r\n")
    text = stripped[:_LINE_BYTES].decode("utf-8", "backslashreplace")
    return f"{text}…" if len(stripped) > _LINE_BYTES else text
