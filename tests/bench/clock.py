# SPDX-License-Identifier: GPL-2.0-only
"""Clocks: what an action takes, and whether others used the machine meanwhile.

A ratio measured while somebody else compiles says nothing; so it is known how much of the
machine went to others, and pairs that were disturbed are left out as long as enough remain.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DISTURBED = 0.1
"""Share of all CPUs; the kernel's own threads take a few hundredths."""
ATTEMPTS = 2
"""So many times as many pairs as wanted are measured to find enough calm ones."""
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Span:
    """What an action took."""

    wall: float
    cpu: float
    """Seconds of CPU of ours and of our children; they hardly depend on what others do."""
    others: float
    """Seconds of CPU that everybody else used."""

    @property
    def disturbance(self) -> float:
        """Others' share of the machine's CPUs."""
        return self.others / (self.wall * (os.cpu_count() or 1))

    @property
    def cost(self) -> str:
        """In words: our CPU seconds, and what others took meanwhile."""
        return f"{self.cpu:.0f} s of CPU (others {self.disturbance:.0%})"

    def __add__(self, after: Span) -> Span:
        return Span(self.wall + after.wall, self.cpu + after.cpu, self.others + after.others)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Plain and harness in turn, and how many disturbed pairs were left out (or had to be used)."""

    spans: tuple[tuple[Span, Span], ...]
    left_out: int = 0
    busy: bool = False
    """Too few pairs were calm: these are all of them."""


def clocked(action: Callable[[], object]) -> Span:
    """Do it, and say what it took."""
    started, ours, busy = time.monotonic(), _our_cpu(), _machine_cpu()
    action()
    wall, cpu = time.monotonic() - started, _our_cpu() - ours
    return Span(wall, cpu, max(_machine_cpu() - busy - cpu, 0.0))


def _our_cpu() -> float:
    """Of this process and of all its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _machine_cpu() -> float:
    """Of all processes since the machine was started; see proc(5)."""
    user, nice, system, _idle, _wait, interrupts, soft = map(
        int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8]
    )
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def interleaved(count: int, plain: Callable[[], object], harness: Callable[[], object]) -> Pairs:
    """Plain and harness again and again, until `count` pairs were calm or patience ends."""
    calm: list[tuple[Span, Span]] = []
    every: list[tuple[Span, Span]] = []
    while len(calm) < count and len(every) < ATTEMPTS * count:
        pair = (clocked(plain), clocked(harness))
        every.append(pair)
        if all(span.disturbance < DISTURBED for span in pair):
            calm.append(pair)
    if len(calm) < min(count, FEWEST):
        return Pairs(tuple(every), busy=True)
    return Pairs(tuple(calm), left_out=len(every) - len(calm))
