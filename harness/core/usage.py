# SPDX-License-Identifier: GPL-2.0-only
"""What a command takes of the machine, with all that it started: processes and memory (proc(5))."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processes, and the bytes that are theirs alone: neither files nor shared memory."""

    processes: int
    memory: int


def usage_of(process: int, most: int) -> Usage:
    """Look at a process and its descendants; after `most` processes no further one is looked at.

    In a PID namespace a process whose parent ended becomes a child of the first one, so none gets away.
    A kernel without CONFIG_PROC_CHILDREN shows the process alone.
    """
    waiting, processes, memory = [str(process)], 0, 0
    while waiting and processes <= most:
        each = waiting.pop()
        processes += 1
        try:
            memory += _private_pages(each) * _PAGE
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                waiting += children.read_text().split()
        except (OSError, ValueError):
            continue  # it has just ended
    return Usage(processes, memory)


def _private_pages(process: str) -> int:
    resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    return int(resident) - int(shared)


def within_limit(kind: int, wanted: int) -> int:
    """Return what may be asked of a resource (`resource.RLIMIT_…`): only root can raise a hard limit."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def machine_memory() -> int:
    """Return the bytes of memory of this machine."""
    return _PAGE * os.sysconf("SC_PHYS_PAGES")
