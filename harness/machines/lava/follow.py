# SPDX-License-Identifier: GPL-2.0-only
"""Follows a job from outside: its state, and its console as far as the lab's log has it."""

from __future__ import annotations

import threading
import time

from harness.machines.lava.log import JobLog
from harness.machines.lava.server import JobState, LabError, LabServer, LabSilent

DEAF_POLLS = 2
"""Failed polls of a job in a row before it counts as out of sight."""


class Follower:
    """Polls a job in a separate thread until it has ended or is lost."""

    def __init__(self, server: LabServer, job: int) -> None:
        self.state = JobState("Submitted", "Unknown", "", "")
        self.trouble = ""
        """Why nothing more will come, if not because the job is over."""
        self.talks = False
        """Whether anything was seen on the console."""
        self._server = server
        self._job = job
        self._limits = server.record.limits
        self._log = JobLog()
        self._console = b""
        self._failed = 0
        self._why = ""
        self._heard = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling."""
        self._ended.set()

    @property
    def over(self) -> bool:
        """Whether nothing more will come; what has come may still have to be taken."""
        return self._ended.is_set()

    @property
    def out_of_sight(self) -> str:
        """Why it can't be known just now what the board does; empty if it can."""
        return self._why if self._failed >= DEAF_POLLS else ""

    @property
    def damaged(self) -> int:
        """Number of unreadable lines of the log."""
        return self._log.damaged

    def take(self) -> bytes:
        """What has come on the console since the last time."""
        with self._lock:
            taken, self._console = self._console, b""
        return taken

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
                self._failed, self._heard = 0, time.monotonic()
            except LabSilent as error:
                self._failed, self._why = self._failed + 1, str(error)
                if time.monotonic() - self._heard > self._limits.silent_seconds:
                    self.trouble = f"{error}, and no answer for {self._limits.silent_seconds:.0f} s"
                    self._ended.set()
            except LabError as error:
                self.trouble = str(error)
                self._ended.set()
            self._ended.wait(self._limits.poll_seconds)

    def _look(self) -> None:
        """Take all that there is now."""
        while True:
            over, piece = self._server.log(self._job, self._log.lines)
            before = self._log.lines
            console = self._log.take(piece, last=over)
            with self._lock:
                self._console += console
            self.talks = self.talks or bool(console)
            if self._log.lines == before:
                break
        self.state = self._server.state(self._job)
        if over and self.state.over:
            self._ended.set()
