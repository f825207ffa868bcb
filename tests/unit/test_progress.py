"""What is told on stderr: plain lines off a terminal, a live line on one, nothing when quiet."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import harness.progress
from harness.progress import Activity, Progress, clock


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(harness.progress, "time", fake)
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
    with Progress(console).activity("x86_64 base: build", 125) as doing:
        doing.step(1)
        time.now += 130
        doing.outcome = "FAILED: [red]not markup[/red], and longer than the console is wide"
    assert output.getvalue().splitlines() == [
        "x86_64 base: build … (about 2:05 min)",
        "x86_64 base: build: FAILED: [red]not markup[/red], and longer than the console is wide (2:10 min)",
    ]


def test_quiet_says_nothing() -> None:
    console, output = plain()
    progress = Progress(console, quiet=True)
    progress.say("hello")
    with progress.activity("build", 5):
        pass
    assert output.getvalue() == ""


def test_on_a_terminal_the_live_line_has_steps_and_time_left(time: Clock) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80)
    with Progress(console).activity("build", 100, 200) as doing:
        time.now += 10
        doing.step(50)
        assert console._live_stack, "no live line"
    assert "build: done (10 s)" in output.getvalue()


def test_an_activity_that_is_interrupted_leaves_no_live_line() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    progress = Progress(console)
    with pytest.raises(KeyboardInterrupt), progress.activity("build", 100):
        raise KeyboardInterrupt
    progress._draw("a late step")
    with progress.activity("boot", 5):
        pass


def test_time_left_goes_by_the_past_until_there_is_a_pace(time: Clock) -> None:
    drawn: list[str] = []
    doing = Activity("build", 100, 200, drawn.append)
    time.now += 10
    doing.step(10)
    assert doing.seconds_left == 90
    doing.step(50)
    assert doing.seconds_left == pytest.approx(30)
    time.now += 300
    doing.step(250)
    assert 0 < doing.seconds_left < 10
    assert drawn[-1].startswith("build: 250/250 steps, ")


def test_time_left_is_never_negative(time: Clock) -> None:
    doing = Activity("boot", 5, 0, lambda text: None)
    time.now += 60
    assert doing.seconds_left == 0


def test_the_live_line_is_not_redrawn_for_every_step(time: Clock) -> None:
    drawn: list[str] = []
    doing = Activity("build", 100, 1000, drawn.append)
    for number in range(100):
        time.now += 0.01
        doing.step(number)
    assert 4 <= len(drawn) <= 7
