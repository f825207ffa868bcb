# SPDX-License-Identifier: GPL-2.0-only
"""Works off tasks on several threads, in an order that gives the first complete verdict early.

A task may make other tasks possible when it is done. The order is pure (`urgency`); the rest
makes sure that whatever ends the program, no task is left running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import IntEnum

MOST_AT_ONCE = 1000
"""Of tasks, most of which wait for other machines then."""
LOOK_SECONDS = 5.0
"""So often a number of workers that changes is looked at."""


class Kind(IntEnum):
    """What a task does; a boot is short and completes a verdict, so it goes first."""

    BOOT = 0
    BUILD = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do."""

    arch: str
    kind: Kind
    seconds: float
    """How long it is expected to take."""
    action: Callable[[], Sequence[Task]]
    """Does it; returns what has become possible."""


def first_arch(tasks: Iterable[Task]) -> str:
    """The architecture whose verdict can be had first: the one with the least to do."""
    total: dict[str, float] = {}
    for task in tasks:
        total[task.arch] = total.get(task.arch, 0.0) + task.seconds
    return min(total, key=total.__getitem__, default="")


def urgency(task: Task, first: str) -> tuple[int, bool, float]:
    """Sort key: boots, then all of the first architecture, then the longest."""
    return task.kind, task.arch != first, -task.seconds


def may_begin(task: Task, first: str, unfinished: Iterable[Task]) -> bool:
    """Whether a task is no build that would take time from those of the first architecture."""
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
    """Do all tasks and what follows from them, as many at a time as `workers` says whenever it is asked.

    With `first_alone` all builds of the first architecture come before any other one.
    `stop` must make running tasks end soon; it is called when a task raises or we are
    interrupted, and this returns (by that exception) only when no task is running any more.
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
