# SPDX-License-Identifier: GPL-2.0-only
"""Finds the processes that a test has started, however far they have gone from it."""

from __future__ import annotations

import os
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Marker:
    """A word in the environment that children inherit; also those that get a cleaned environment."""

    word: str = field(default_factory=lambda: f"thp-test-{uuid.uuid4().hex}")

    @property
    def environment(self) -> dict[str, str]:
        return {"USER": self.word}

    def processes(self, command: str = "") -> dict[int, str]:
        """Living processes with the word and with `command` in their command line, by id."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    marked = self.word.encode() in (folder / "environ").read_bytes()
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if marked and command in line:
                    found[int(folder.name)] = line
        return found

    def kill(self, command: str, number: signal.Signals) -> None:
        """Send a signal to the processes that run a command."""
        for process in self.processes(command):
            os.kill(process, number)

    def left_after(self, seconds: float) -> dict[int, str]:
        """What is still there after a while; returns at once when nothing is."""
        until = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        return left
