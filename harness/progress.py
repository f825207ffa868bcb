"""Tells on stderr what is going on: a live line with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

REDRAW_SECONDS = 0.2


class Progress:
    """What the pipeline tells the user while it works."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._status: Status | None = None

    def say(self, text: str) -> None:
        """One line that stays."""
        if not self._quiet:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def activity(self, title: str, expected_seconds: float, expected_steps: int = 0) -> Iterator[Activity]:
        """Show one thing being done; it counts its steps, and leaves one line when it is over."""
        doing = Activity(title, expected_seconds, expected_steps, self._draw)
        if self._quiet or not self._console.is_terminal:
            self.say(f"{title} … (about {clock(expected_seconds)})")
            yield doing
        else:
            self._status = self._console.status(title)
            with self._status:
                yield doing
            self._status = None
        self.say(f"{title}: {doing.outcome} ({clock(doing.elapsed)})")

    def _draw(self, text: str) -> None:
        if self._status:
            self._status.update(text)


class Activity:
    """One thing being done: how far it is, how long it will take."""

    def __init__(self, title: str, seconds: float, steps: int, draw: Callable[[str], None]) -> None:
        self.title = title
        self.outcome = "done"
        self.steps = 0
        self._expected_seconds = seconds
        self._expected_steps = steps
        self._draw = draw
        self._started = time.monotonic()
        self._drawn = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def step(self, number: int) -> None:
        """Another step is done."""
        self.steps = number
        now = time.monotonic()
        if now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._draw(f"{self.title}: {self._describe()}")

    def _describe(self) -> str:
        of = max(self._expected_steps, self.steps)
        return f"{self.steps}/{of} steps, {clock(self.seconds_left)} left"

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
