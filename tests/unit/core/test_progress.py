# SPDX-License-Identifier: GPL-2.0-only
"""What is told on stderr: plain lines off a terminal, a live line on one, nothing when quiet."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import harness.core.progress
from harness.core.progress import Activity, Progress, clock


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(harness.core.progress, "time", fake)
    return fake


def plain() -> tuple[Console, io.StringIO]:
    output = io.StringIO()
    return Console(file=output, width=40), output


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (60, "1:00 min"), (3599.6, "60:00 min")],
)
def test_times_as_people_say_them(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_time_never_reads_60_seconds() -> None:
    assert clock(59.7) == "1:00 min"


def test_off_a_terminal_an_activity_is_two_lines(time: Clock) -> None:
    console, output = plain()
    with Progress(console) as progress, progress.activity("x86_64 base", "build", 125) as doing:
        doing.step(1)
        time.now += 130
        doing.outcome = "FAILED: [red]not markup[/red], and longer than the console is wide"
    assert output.getvalue().splitlines() == [
        "x86_64 base: build … (about 2:05 min)",
        "x86_64 base: build: FAILED: [red]not markup[/red], and longer than the console is wide (2:10 min)",
    ]


def test_what_was_stopped_has_no_outcome(time: Clock) -> None:
    console, output = plain()
    with (
        pytest.raises(KeyboardInterrupt),
        Progress(console) as progress,
        progress.activity("x86_64 base", "build", 125),
    ):
        raise KeyboardInterrupt
    assert output.getvalue().splitlines() == ["x86_64 base: build … (about 2:05 min)"]


def test_quiet_says_nothing() -> None:
    console, output = plain()
    with Progress(console, quiet=True) as progress:
        progress.log("hello")
        with progress.activity("x86_64 base", "build", 5):
            pass
    assert output.getvalue() == ""


def terminal() -> tuple[Console, io.StringIO]:
    output = io.StringIO()
    return Console(file=output, force_terminal=True, width=80), output


def test_on_a_terminal_every_cell_has_a_line(time: Clock) -> None:
    console, output = terminal()
    with Progress(console) as progress:
        progress.await_turn("x86_64 base")
        progress.await_turn("arm64 base")
        with progress.activity("x86_64 base", "build", 100, 200) as doing:
            time.now += 10
            doing.step(50)
            console.print(progress._draw())
        console.print(progress._draw())
    shown = output.getvalue()
    assert "build: 50/200 steps, 30 s left" in shown
    assert "waiting" in shown
    assert "x86_64 base: build: done (10 s)" in shown


def test_an_interrupt_leaves_no_live_view_behind() -> None:
    console, _ = terminal()
    with (
        pytest.raises(KeyboardInterrupt),
        Progress(console) as progress,
        progress.activity("x86_64 base", "build", 100),
    ):
        raise KeyboardInterrupt
    assert not console._live_stack
    with Progress(console) as again, again.activity("x86_64 base", "boot", 5):
        pass


def test_time_left_goes_by_the_past_until_there_is_a_pace(time: Clock) -> None:
    doing = Activity("build", 100, 200)
    time.now += 10
    doing.step(10)
    assert doing.seconds_left == 90
    doing.step(50)
    assert doing.seconds_left == pytest.approx(30)
    time.now += 300
    doing.step(250)
    assert 0 < doing.seconds_left < 10
    assert doing.describe().startswith("250/250 steps, ")


def test_time_left_is_never_negative(time: Clock) -> None:
    doing = Activity("boot", 5, 0)
    time.now += 60
    assert doing.seconds_left == 0
    assert doing.describe() == "longer than last time"
