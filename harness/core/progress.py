# SPDX-License-Identifier: GPL-2.0-only
"""Tells on stderr what is going on: live lines on a terminal, plain ones elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

REDRAWS_PER_SECOND = 4


class Progress:
    """What the pipeline tells the user while it works; may be used by several threads.

    As a context manager it shows the live view, if stderr is a terminal.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._lock = threading.Lock()
        self._board: dict[str, Activity | str] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=REDRAWS_PER_SECOND,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def log(self, text: str) -> None:
        """Print one line that stays."""
        if not self._quiet:
            with self._lock:
                self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def await_turn(self, cell: str) -> None:
        """Put a cell on the board that has not begun."""
        self._board[cell] = "waiting"

    def forget(self, cell: str) -> None:
        """Take a cell off the board, which has room for a few dozens only."""
        self._board.pop(cell, None)

    @contextmanager
    def activity(self, cell: str, what: str, seconds: float, steps: int = 0) -> Iterator[Activity]:
        """Show what is being done for a cell; it counts its steps, and leaves a line unless it is stopped."""
        doing = Activity(what, seconds, steps)
        self._board[cell] = doing
        if not self._live:
            self.log(f"{cell}: {what} … (about {clock(seconds)})")
        try:
            yield doing
        except BaseException:
            self._board[cell] = f"{what}: stopped"
            raise
        self._board[cell] = f"{what}: {doing.outcome}"
        self.log(f"{cell}: {what}: {doing.outcome} ({clock(doing.elapsed)})")

    def _draw(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for cell, state in list(self._board.items()):
            words = state if isinstance(state, str) else f"{state.what}: {state.describe()}"
            table.add_row(Text(cell), Text(words, style="dim" if isinstance(state, str) else ""))
        return table


class Activity:
    """One thing being done: how far it is, how long it will take."""

    def __init__(self, what: str, seconds: float, steps: int) -> None:
        self.what = what
        self.outcome = "done"
        self.steps = 0
        self._expected_seconds = seconds
        self._expected_steps = steps
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def step(self, number: int) -> None:
        """Another step is done."""
        self.steps = number

    def describe(self) -> str:
        """How far it is, for people."""
        left = f"{clock(self.seconds_left)} left" if self.seconds_left else "longer than last time"
        if not self._expected_steps:
            return left
        return f"{self.steps}/{max(self._expected_steps, self.steps)} steps, {left}"

    @property
    def seconds_left(self) -> float:
        """By the share of steps done and the pace so far, once there is a pace; else by the last time."""
        if self._expected_steps and self.steps > self._expected_steps // 10:
            share = min(self.steps / self._expected_steps, 0.99)
            return self.elapsed * (1 - share) / share
        return max(self._expected_seconds - self.elapsed, 0.0)


def clock(seconds: float) -> str:
    """Seconds as a person says them: `42 s`, `3:07 min`."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
