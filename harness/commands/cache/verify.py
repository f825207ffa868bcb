# SPDX-License-Identifier: GPL-2.0-only
"""Reads everything in the cache that can be checked, and removes what is damaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.build.build_cache import BuildCache, damaged_files, discard
from harness.build.guest.programs import ARCHIVE
from harness.commands.cache.inventory import Item, inventory
from harness.commands.cache.mirror import is_whole, worktree_is_whole
from harness.commands.cache.sharing import Log
from harness.core.errors import InfrastructureError

_Check = Callable[[Item], str]
"""Says what is damaged of an item; nothing if it is whole."""


def verify(cache: Path, log: Log) -> int:
    """Check kernels, guest programs, worktrees and the mirror; returns how many were damaged.

    A damaged one is named and removed, so that it is made again. The cache must be ours alone.

    Raises:
        InfrastructureError: if a damaged one can't be removed.
    """
    checks: Mapping[str, _Check] = {
        "kernel": lambda item: ", ".join(BuildCache(cache).damaged(item.path.name)),
        "programs": lambda item: ", ".join(damaged_files(item.path, (ARCHIVE,))),
        "worktree": lambda item: "" if worktree_is_whole(item.path) else "git can't read it",
        "mirror": lambda item: "" if is_whole(item.path) else "objects are missing or changed",
    }
    items = [item for item in inventory(cache, time.time(), lambda path, used: 0) if item.kind in checks]
    damaged = 0
    for item in sorted(items, key=lambda item: list(checks).index(item.kind)):
        if trouble := checks[item.kind](item):
            damaged += 1
            _remove(item)
            log(f"{item.kind} {item.name} is damaged: {trouble}; removed, to be made again when needed")
    log(f"{len(items) - damaged} of {len(items)} are whole: kernels, programs, worktrees and the mirror")
    return damaged


def _remove(item: Item) -> None:
    try:
        discard(item.path)
    except OSError as error:
        raise InfrastructureError(f"{item.path} is damaged, and can't be removed: {error.strerror}") from None
