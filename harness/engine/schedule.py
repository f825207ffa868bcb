# SPDX-License-Identifier: GPL-2.0-only
"""Runs tasks on several threads, in an order that gives the first complete verdict early.

A finished task may return further tasks. The order is pure (`urgency`). No task is left running when the
program is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import IntEnum

MOST_AT_ONCE = 1000
"""Number of threads; with a cluster, most of them wait for other machines."""
LOOK_SECONDS = 5.0
"""Interval in which the number of workers is read again."""


class Kind(IntEnum):
    """What a task does; boots come first: they are short, and complete a verdict."""

    BOOT = 0
    BUILD = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A build, or the boots of a kernel."""

    arch: str
    kind: Kind
    seconds: float
    """Expected duration."""
    action: Callable[[], Sequence[Task]]
    """Carries out the task; returns the tasks that follow."""


def first_arch(tasks: Iterable[Task]) -> str:
    """Return the architecture with the least expected work: its verdict is the first."""
    total: dict[str, float] = {}
    for task in tasks:
        total[task.arch] = total.get(task.arch, 0.0) + task.seconds
    return min(total, key=total.__getitem__, default="")


def urgency(task: Task, first: str) -> tuple[int, bool, float]:
    """Return the sort key: boots, then tasks of the first architecture, then the longest."""
    return task.kind, task.arch != first, -task.seconds


def may_begin(task: Task, first: str, unfinished: Iterable[Task]) -> bool:
    """Return whether a task may start: builds of other architectures wait for those of the first one."""
    return (
        task.kind is not Kind.BUILD
        or task.arch == first
        or not any(each.arch == first and each.kind is Kind.BUILD for each in unfinished)
    )


def work_off(
    tasks: Sequence[Task],
    workers: Callable[[], int],
    stop: Callable[[], None],
    *,
    first_alone: bool = False,
) -> None:
    """Run all tasks and those that follow, at most `workers()` at a time.

    With `first_alone` all builds of the first architecture come before other builds. `stop` must make
    running tasks end soon; it is called if a task raises or the program is interrupted. The exception is
    raised again when no task is running.
    """
    first = first_arch(tasks)
    waiting = list(tasks)
    running: dict[Future[Sequence[Task]], Task] = {}

    def choose() -> Task | None:
        unfinished = (*waiting, *running.values())
        ready = [task for task in waiting if not first_alone or may_begin(task, first, unfinished)]
        return min(ready, key=lambda task: urgency(task, first), default=None)

    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="cell") as pool:
        try:
            while waiting or running:
                while len(running) < workers() and (task := choose()):
                    waiting.remove(task)
                    running[pool.submit(task.action)] = task
                look = LOOK_SECONDS if waiting else None
                for future in wait(running, look, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    waiting += future.result()
        except BaseException:
            stop()
            raise
