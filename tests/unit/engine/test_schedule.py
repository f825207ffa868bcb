# SPDX-License-Identifier: GPL-2.0-only
"""The first verdict comes early, nothing is lost, and nothing runs on after a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from harness.engine.schedule import Kind, Task, first_arch, urgency, work_off

SOON = 0.1


def task(arch: str, kind: Kind, seconds: float, action: Callable[[], Sequence[Task]] = lambda: []) -> Task:
    return Task(arch, kind, seconds, action)


def test_the_first_architecture_is_the_quickest() -> None:
    tasks = [
        task("slow", Kind.BUILD, 100),
        task("quick", Kind.BUILD, 30),
        task("quick", Kind.BUILD, 30),
        task("slow", Kind.BUILD, 1),
    ]
    assert first_arch(tasks) == "quick"
    assert first_arch([]) == ""


def test_boots_come_first_then_the_first_architecture_then_the_longest() -> None:
    tasks = [
        task("long", Kind.BUILD, 300),
        task("longer", Kind.BUILD, 400),
        task("first", Kind.BUILD, 10),
        task("long", Kind.BOOT, 5),
    ]
    order = sorted(tasks, key=lambda each: urgency(each, "first"))
    assert [(each.arch, each.kind) for each in order] == [
        ("long", Kind.BOOT),
        ("first", Kind.BUILD),
        ("longer", Kind.BUILD),
        ("long", Kind.BUILD),
    ]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_everything_is_done_once_and_boots_follow_their_builds(workers: int) -> None:
    log: list[str] = []
    lock = threading.Lock()

    def note(words: str) -> None:
        with lock:
            log.append(words)

    def build(name: str) -> Task:
        def boot() -> Sequence[Task]:
            note(f"boot {name}")
            return []

        def action() -> Sequence[Task]:
            note(f"build {name}")
            return [task(name, Kind.BOOT, 1, boot)]

        return task(name, Kind.BUILD, 1, action)

    names = ["a", "b", "c", "d"]
    work_off([build(name) for name in names], lambda: workers, lambda: None)
    assert sorted(log) == sorted([f"{what} {name}" for name in names for what in ("build", "boot")])
    assert all(log.index(f"build {name}") < log.index(f"boot {name}") for name in names)


def test_one_worker_finishes_the_first_architecture_before_it_turns_to_others() -> None:
    log: list[str] = []

    def build(name: str, seconds: float) -> Task:
        def action() -> Sequence[Task]:
            log.append(name)
            return []

        return task(name, Kind.BUILD, seconds, action)

    work_off([build("big", 50), build("small", 20), build("small", 20)], lambda: 1, lambda: None)
    assert log == ["small", "small", "big"]


def test_the_first_architecture_is_built_alone_and_boots_wait_for_nobody() -> None:
    """Builds of the others begin when the last one of the first has ended, however many workers there are."""
    log: list[str] = []
    lock, boots = threading.Lock(), threading.Event()

    def step(arch: str, what: str, kind: Kind, *then: Task) -> Task:
        def action() -> Sequence[Task]:
            with lock:
                log.append(f"{arch} {what}")
            if kind is Kind.BOOT:
                boots.set()
            if what == "series":
                boots.wait(60)
            time.sleep(SOON)
            with lock:
                log.append(f"{arch} {what} done")
            return then

        return task(arch, kind, 10 if arch == "first" else 90, action)

    series = step("first", "series", Kind.BUILD)
    base = step("first", "base", Kind.BUILD, step("first", "boot", Kind.BOOT), series)
    work_off([step("other", "base", Kind.BUILD), base], lambda: 4, lambda: None, first_alone=True)
    assert log[0] == "first base"
    assert log.index("first series done") < log.index("other base")
    assert log.index("first boot") < log.index("first series done")


def test_a_failure_stops_the_rest_and_waits_for_what_runs() -> None:
    stopped = threading.Event()
    ended: list[str] = []

    def endless() -> Sequence[Task]:
        assert stopped.wait(60), "nobody told it to stop"
        ended.append("endless")
        return []

    def fail() -> Sequence[Task]:
        raise OSError(28, "No space left on device")

    tasks = [task("a", Kind.BUILD, 1, endless), task("b", Kind.BUILD, 1, fail)]
    with pytest.raises(OSError, match="No space left"):
        work_off(tasks, lambda: 2, stopped.set)
    assert ended == ["endless"]


def test_more_workers_are_used_as_soon_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.engine.schedule.LOOK_SECONDS", 0.01)
    both, workers = threading.Barrier(2), 1

    def first() -> Sequence[Task]:
        nonlocal workers
        workers = 2
        both.wait(60)
        return []

    def second() -> Sequence[Task]:
        both.wait(60)
        return []

    tasks = [task("a", Kind.BUILD, 2, first), task("a", Kind.BUILD, 1, second)]
    work_off(tasks, lambda: workers, lambda: None)
    assert workers == 2
