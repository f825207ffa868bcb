# SPDX-License-Identifier: GPL-2.0-only
"""Locks between processes, let go of by the kernel even when their holder is killed."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.1


def claim(path: Path, *, shared: bool = False) -> IO[str] | None:
    """Take the lock file `path` until the returned file is closed; None if another process has it.

    Any number of processes may hold it `shared` at once, but then none holds it alone.
    """
    file = path.open("a+")
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def locked(
    path: Path,
    busy: Callable[[], None],
    check: Callable[[], None] = lambda: None,
    *,
    shared: bool = False,
) -> Iterator[None]:
    """Hold the lock file `path`; call `busy` once if another process has it, then wait.

    `check` is called while waiting, and may raise to end it: a thread can't be interrupted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = claim(path, shared=shared)
    if file is None:
        busy()
    while file is None:
        check()
        time.sleep(POLL_SECONDS)
        file = claim(path, shared=shared)
    with file:
        yield


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock file `path`, without taking it (proc_locks(5))."""
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in locks)
