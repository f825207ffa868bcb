# SPDX-License-Identifier: GPL-2.0-only
"""Takes a board's console back out of the log of a LAVA job.

The log is YAML, one mapping a line: when, on which level, what. What the board printed is on level
`target`, line by line. LAVA has left out ESC and line ends by then; before 2019 it also put a backslash
before each double quote.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

CONSOLE = "target"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FRAME = re.compile(rb"THP:[0-9a-f]{16}:\d+:[0-9a-f]{8} ")


class JobLog:
    """A job's log as it comes in pieces."""

    def __init__(self) -> None:
        self.lines = 0
        """Number of lines read; the next piece begins after them."""
        self.damaged = 0
        """Number of unreadable ones among them."""

    def take(self, piece: bytes, *, last: bool) -> bytes:
        """The console's part of the next piece of a log.

        A last line without its end is left for the next piece, unless this is the `last` one.
        """
        console = b""
        for line in piece.splitlines(keepends=True):
            if not line.endswith(b"\n") and not last:
                break
            if line.strip() in (b"", b"[]"):
                continue  # `[]` is the log of a job that has not begun
            self.lines += 1
            console += self._read(line)
        return console

    def _read(self, line: bytes) -> bytes:
        try:
            (entry,) = yaml.load(line, Loader=_Loader)
            if entry["lvl"] != CONSOLE:
                return b""
            said = entry["msg"]
        except (yaml.YAMLError, TypeError, ValueError, LookupError):
            self.damaged += 1
            return b""
        text = said if isinstance(said, bytes) else str(said).encode()
        if _FRAME.search(text):  # a backslash of ours is `\x5c`
            text = text.replace(rb"\"", b'"')
        return text + b"\n"
