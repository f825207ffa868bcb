# SPDX-License-Identifier: GPL-2.0-only
"""How much memory a program takes at its peak, as seen from outside."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 0.05
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class PeakMemory:
    """Follows one process; its children, which have a memory of their own, do not count.

    The kernel keeps the peak (VmHWM in proc(5)) as long as the process lives, and it never falls: only
    what is added in the last moment before the end could be missed. getrusage(2) is of no use here: it
    counts children that were waited for, and what the parent had before exec.
    """

    def __init__(self) -> None:
        self.kib = 0

    @property
    def mib(self) -> float:
        """The peak so far."""
        return self.kib / 1024

    @contextmanager
    def follow(self, process: int) -> Iterator[None]:
        """Look again and again as long as the context lasts."""
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(process, ended))
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _watch(self, process: int, ended: threading.Event) -> None:
        while True:
            self._look(process)
            if ended.wait(LOOK_SECONDS):
                return

    def _look(self, process: int) -> None:
        try:
            found = _PEAK.search(Path(f"/proc/{process}/status").read_text())
        except OSError:  # it has ended
            return
        if found:
            self.kib = max(self.kib, int(found[1]))
