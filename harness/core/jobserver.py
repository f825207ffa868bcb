# SPDX-License-Identifier: GPL-2.0-only
"""One pool of CPU tokens for everything that computes: GNU make's jobserver, shared by all makes and boots.

A make that finds the pool in MAKEFLAGS takes a token for every job beyond its first; the first one
is ours to take before we start it. So while one kernel is being linked by a single process, another
one compiles with the tokens that are free, and the CPUs are never oversubscribed.

Protocol: "POSIX Jobserver Interaction" in the GNU make manual. It is a pipe, which every make
since 4.2 understands; newer ones offer a named pipe in addition.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.core.process import Stopped

TOKEN = b"+"
POLL_SECONDS = 0.2


class Jobserver:
    """A pool of tokens, one per CPU."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)  # as make 4.3 does with its end, which is the same
        os.write(self._write, TOKEN * tokens)
        self._stopped = threading.Event()

    @property
    def makeflags(self) -> str:
        """What a make needs in MAKEFLAGS, and `descriptors` open, to take part."""
        return f" -j{self.tokens} --jobserver-auth={self._read},{self._write}"

    @property
    def descriptors(self) -> tuple[int, int]:
        """File descriptors that a make must inherit."""
        return self._read, self._write

    @contextmanager
    def hold(self, wanted: int = 1) -> Iterator[int]:
        """Wait for one token and take up to `wanted` of those that are free; yields how many.

        Never waits for a second one while it holds the first: two waiters would lock each other out.

        Raises:
            Stopped: if the pool is closed meanwhile.
        """
        held = self._wait_for_one()
        try:
            while held < wanted and self._take():
                held += 1
            yield held
        finally:
            os.write(self._write, TOKEN * held)

    def _wait_for_one(self) -> int:
        while not self._stopped.is_set():
            select.select([self._read], [], [], POLL_SECONDS)
            if self._take():
                return 1
        raise Stopped

    def _take(self) -> bool:
        try:
            return bool(os.read(self._read, 1))
        except BlockingIOError:
            return False

    def stop(self) -> None:
        """Refuse all further tokens; waiting calls raise `Stopped`."""
        self._stopped.set()

    def close(self) -> None:
        """Close the pipe; call it when every make has ended."""
        os.close(self._read)
        os.close(self._write)
