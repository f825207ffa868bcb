# SPDX-License-Identifier: GPL-2.0-only
"""Locks of the cache: runs share it, a removal has it alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from harness.build.build_cache import FORMAT
from harness.core.errors import InfrastructureError
from harness.core.locks import claim, locked
from harness.sources.git.mirror import MIRROR

LOCK = "in-use.lock"
FOLDERS = (
    *("builds", f"builds/{FORMAT}", "objects", "programs", "worktrees"),
    *(MIRROR, "series", "debian", "apt", "lore"),
)
_ELSEWHERE = "Choose another folder with XDG_CACHE_HOME."

Log = Callable[[str], None]


@contextmanager
def in_use(cache: Path, log: Log) -> Iterator[None]:
    """Keep everything in the cache from being removed; any number of processes may do so at once.

    Raises:
        InfrastructureError: if the cache can't be written.
    """
    with _held(cache, lambda: log("waiting for `thp-harness cache`, which makes room"), shared=True):
        yield


@contextmanager
def alone(cache: Path, log: Log) -> Iterator[None]:
    """Have the cache to oneself, if there is one; waits for those that use it.

    Raises:
        InfrastructureError: if the cache can't be written.
    """
    if not os.path.lexists(cache):
        yield
        return
    with _held(cache, lambda: log("waiting until no run uses the cache"), shared=False):
        yield


def claim_alone(cache: Path) -> IO[str] | None:
    """Have the cache to oneself until the file is closed; None if anybody uses it."""
    return claim(cache / LOCK)


@contextmanager
def _held(cache: Path, busy: Callable[[], None], *, shared: bool) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(cache / LOCK, busy, shared=shared))
        except OSError as error:
            raise InfrastructureError(
                f"{cache} can't be written: {error.strerror}", hint=_ELSEWHERE
            ) from None
        for name in FOLDERS:
            _require_folder(cache / name)
        yield


def _require_folder(folder: Path) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InfrastructureError(
            f"{folder} is in the way: a folder should be there", hint=f"Remove it. {_ELSEWHERE}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InfrastructureError(
            f"{folder} can't be written", hint=f"Does it belong to another user? {_ELSEWHERE}"
        )
