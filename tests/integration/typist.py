# SPDX-License-Identifier: GPL-2.0-only
"""Types into a program on a terminal of its own, and reads what it shows."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Typist:
    """Whoever sits at the terminal."""

    process: subprocess.Popen[bytes]
    terminal: int
    seen: bytes = b""
    _from: int = field(default=0)

    def type(self, line: str) -> None:
        os.write(self.terminal, line.encode() + b"\r")

    def expect(self, words: str, seconds: float = 120) -> str:
        """Wait for words after those that were waited for before; returns what came until then."""
        until = time.monotonic() + seconds
        while (at := self.seen.find(words.encode(), self._from)) < 0:
            left = until - time.monotonic()
            assert left > 0 and self._read(left), f"{words!r} did not come: {self.seen[-3000:]!r}"
        before, self._from = self.seen[self._from : at], at + len(words.encode())
        return before.decode(errors="replace")

    def _read(self, seconds: float) -> bool:
        if not select.select([self.terminal], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.terminal, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self.seen += chunk.replace(b"\r", b"")  # QEMU leaves one more before each end of line
        return bool(chunk)

    def wait(self, seconds: float = 60) -> int:
        """The exit status, after all is read."""
        until = time.monotonic() + seconds
        while self._read(max(until - time.monotonic(), 0)):
            pass
        return self.process.wait(max(until - time.monotonic(), 1))


@contextmanager
def typist(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Typist]:
    """Start a command whose controlling terminal is ours; it is killed at the end if it is still there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(environment),
    )
    os.close(theirs)
    try:
        yield Typist(process, ours)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        os.close(ours)
