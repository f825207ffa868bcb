# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own lines of a console log, kept within limits that no flood can break."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from results.splats.rules import LONGEST_REPORT, hints_at_report

LONGEST_KERNEL_LINE = 1024
"""printk's own limit."""
PLAIN_LINES = 50_000
"""Number of lines that are kept whole; after them only the surroundings of possible kernel reports."""
MOST_LINES = 100_000
_LINES_BEFORE = 3


@dataclass(frozen=True, slots=True)
class KernelLine:
    """A line of the console that is not the guest program's."""

    number: int
    """In the console log, from 1."""
    text: str
    test: str | None
    """The test that was running."""


@dataclass(slots=True)
class KernelLog:
    """Collects the lines that `results.splats.find` needs, however many there are."""

    kept: list[KernelLine] = field(default_factory=list)
    dropped: int = 0
    unseen: int = 0
    """How many of the dropped lines came when the log was full, so that nothing looked at them."""
    _recent: deque[tuple[int, str, str | None]] = field(default_factory=lambda: deque(maxlen=_LINES_BEFORE))
    _still_to_keep: int = 0

    def add(self, number: int, text: str, test: str | None) -> None:
        """Take the next line."""
        if len(self.kept) < PLAIN_LINES:
            self.kept.append(KernelLine(number, text[:LONGEST_KERNEL_LINE], test))
        else:
            self._add_to_full_log(number, text[:LONGEST_KERNEL_LINE], test)

    def _add_to_full_log(self, number: int, text: str, test: str | None) -> None:
        if len(self.kept) + _LINES_BEFORE >= MOST_LINES:
            self.dropped += 1
            self.unseen += 1
            return
        if hints_at_report(text):
            self._still_to_keep = LONGEST_REPORT
        if self._still_to_keep:
            self.dropped -= len(self._recent)
            self.kept += [KernelLine(*line) for line in (*self._recent, (number, text, test))]
            self._recent.clear()
            self._still_to_keep -= 1
        else:
            self._recent.append((number, text, test))
            self.dropped += 1

    def missing(self) -> str:
        """Say what the reader of the kept lines must know; empty where nothing is missing."""
        if not self.unseen:
            return ""
        return f"the log has too many kernel reports: its last {self.unseen} lines were not looked at"
