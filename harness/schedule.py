"""Works off tasks on several threads, in an order that gives the first complete verdict early.

A task may make other tasks possible when it is done. The order is pure (`urgency`); the rest
makes sure that whatever ends the program, no task is left running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import IntEnum


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


def work_off(tasks: Sequence[Task], workers: int, stop: Callable[[], None]) -> None:
    """Do all tasks and what follows from them, at most `workers` at a time.

    `stop` must make running tasks end soon; it is called when a task raises or we are
    interrupted, and this returns (by that exception) only when no task is running any more.
    """
    first = first_arch(tasks)
    waiting = list(tasks)
    running: set[Future[Sequence[Task]]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix="cell") as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    task = min(waiting, key=lambda task: urgency(task, first))
                    waiting.remove(task)
                    running.add(pool.submit(task.action))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    waiting += future.result()
        except BaseException:
            stop()
            raise
