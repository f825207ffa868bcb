# SPDX-License-Identifier: GPL-2.0-only
"""The host's end of the channel: a disk image that the guest writes its log to (docs/guest-protocol.md)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

CHUNK = 1 << 20
_TAIL = 16 << 10
_CALLER = re.compile(rb"^(\[ *\d+\.\d+\])\[ *[TC]\d+\]")
"""A dump has the caller of every line, the channel only with CONFIG_PRINTK_CALLER."""
GAP = b"hercules: part of the kernel log is missing here"


class Channel:
    """Reads whole lines as they appear; a line that is still being written stays for the next time."""

    def __init__(self, image: Path) -> None:
        self._image = image
        self._position = 0
        self._tail = b""

    def read(self) -> bytes:
        """The lines that are new; empty if there is none."""
        chunk = self._unread()
        whole = chunk[: chunk.rfind(b"\n") + 1]
        if not whole and len(chunk) == CHUNK:
            whole = chunk  # the guest writes no such lines; go on whatever this is
        self._position += len(whole)
        self._tail = (self._tail + whole)[-_TAIL:]
        return whole

    def _unread(self) -> bytes:
        try:
            with self._image.open("rb") as file:
                return os.pread(file.fileno(), CHUNK, self._position).split(b"\0", 1)[0]
        except FileNotFoundError:  # not started
            return b""

    @property
    def last_lines(self) -> Sequence[bytes]:
        """Some of the last lines that were read, the newest first."""
        return self._tail.splitlines()[::-1]

    def continued_by(self, log: Sequence[bytes]) -> bytes:
        """The lines of the kernel's whole log that come after what was read."""
        places = {_CALLER.sub(rb"\1", line): number for number, line in enumerate(log)}
        for line in self.last_lines:
            place = places.get(_CALLER.sub(rb"\1", line))
            if place is not None:
                return _joined(log[place + 1 :])
        return _joined((GAP, *log) if self._tail else log)


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
