# SPDX-License-Identifier: GPL-2.0-only
"""Makes room in the cache: what is left over, what is too old, and then what was not used for longest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.build.build_cache import delete, set_aside
from harness.commands.cache.inventory import LEFTOVER, REPLACEABLE, Item, SizeMemory, inventory
from harness.commands.cache.mirror import Remembered, clear_leftovers, forget, remembered, tidy_mirror
from harness.commands.cache.sharing import Log, claim_alone
from harness.commands.cache.size import show_age, show_size
from harness.core.errors import InfrastructureError
from harness.core.locks import claim
from harness.sources.git.repository import GitError

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class TrimRequest:
    """How much room to make."""

    limit: int
    """The most bytes to keep."""
    older_than: float | None = None
    """Remove entries that were not used for this many seconds, even below the limit."""
    dry_run: bool = False


def choose(items: Sequence[Item], request: TrimRequest, now: float) -> list[Item]:
    """What has to go: leftovers, then the least recently used until the rest is small and young enough."""
    chosen = [item for item in items if item.kind == LEFTOVER]
    left = sum(item.size for item in items) - sum(item.size for item in chosen)
    for item in sorted(items, key=lambda item: item.used):
        if item.kind in REPLACEABLE and (left > request.limit or _too_old(item, request, now)):
            chosen.append(item)
            left -= item.size
    return chosen


def _too_old(thing: Item | Remembered, request: TrimRequest, now: float) -> bool:
    return request.older_than is not None and now - thing.used > request.older_than


def collect(cache: Path, request: TrimRequest, log: Log, lock: AbstractContextManager[object]) -> None:
    """Trim the cache, and log each removal and the remaining size.

    `lock` keeps everybody else out of the cache as long as it lasts; a dry run needs none. It does
    not last until the end: deleting the files may take a minute.

    Raises:
        InfrastructureError: if something could not be removed; everything else was.
    """
    with lock:
        now = time.time()
        items = inventory(cache, now)
        if request.dry_run:
            _rehearse(cache, items, request, now, log)
            return
        gone: list[Path] = []
        steps: list[tuple[str, Callable[[], None]]] = [
            ("the mirror", partial(clear_leftovers, cache)),
            ("the mirror", partial(_forget_old, cache, items, request, now, log)),
            *((item.name, partial(_remove, item, now, log, gone)) for item in choose(items, request, now)),
            ("the mirror", partial(tidy_mirror, cache, log)),
        ]
        failed = [_fails(name, step, log) for name, step in steps]
    failed += [_fails(str(path), partial(delete, path), log) for path in gone]
    left = sum(item.size for item in inventory(cache, time.time()))
    log(f"{show_size(left)} are left" + _over(left, request))
    if any(failed):
        raise InfrastructureError("not everything could be removed", hint="The lines above say why.")


def _rehearse(cache: Path, items: Sequence[Item], request: TrimRequest, now: float, log: Log) -> None:
    for tree in _old_trees(cache, items, request, now):
        log(f"would forget {_described(tree, now)}")
    chosen = choose(items, request, now)
    for item in chosen:
        log(f"would remove {_described(item, now)}")
    left = sum(item.size for item in items) - sum(item.size for item in chosen)
    log(f"{show_size(left)} would be left" + _over(left, request))


def _over(left: int, request: TrimRequest) -> str:
    if left <= request.limit:
        return ""
    return f", more than {show_size(request.limit)}: what is in use stays, and so does the mirror"


def _fails(name: str, step: Callable[[], None], log: Log) -> bool:
    """Whether a step failed, which keeps no other from being done."""
    try:
        step()
    except GitError as error:
        log(f"{name}: {error}\n  `thp-harness cache verify` finds out whether it is damaged")
    except (InfrastructureError, OSError) as error:
        log(f"{name}: {error}")
    else:
        return False
    return True


def _old_trees(cache: Path, items: Sequence[Item], request: TrimRequest, now: float) -> list[Remembered]:
    kernels = {item.commit: item.used for item in sorted(items, key=lambda item: item.used) if item.commit}
    return [tree for tree in remembered(cache, kernels) if _too_old(tree, request, now)]


def _forget_old(cache: Path, items: Sequence[Item], request: TrimRequest, now: float, log: Log) -> None:
    for tree in _old_trees(cache, items, request, now):
        forget(cache, tree)
        log(f"forgot {_described(tree, now)}")


def _remove(item: Item, now: float, log: Log, gone: list[Path]) -> None:
    with ExitStack() as held:
        if item.lock and item.lock.exists():
            lock = claim(item.lock)
            if lock is None:
                log(f"{item.kind} {item.name} stays: it is in use")
                return
            held.enter_context(lock)
        gone.append(set_aside(item.path))
        if item.lock:
            item.lock.unlink(missing_ok=True)
    log(f"removed {_described(item, now)}")


def _described(thing: Item | Remembered, now: float) -> str:
    what = f"{thing.kind} {thing.name}, {show_size(thing.size)}" if isinstance(thing, Item) else thing.name
    age = show_age(now - thing.used)
    return f"{what}, last used {'just now' if age == 'now' else f'{age} ago'}"


def trim(cache: Path, limit: int, log: Log) -> None:
    """Trim the cache after a run if it is over its limit and unused; else do nothing."""
    try:
        lock = claim_alone(cache)
        if lock is None:
            return
        with lock:
            request, sizes = TrimRequest(limit), SizeMemory(cache)
            items = inventory(cache, time.time(), sizes)
            sizes.save()
            if choose(items, request, time.time()):
                collect(cache, request, log, lock)
    except (OSError, InfrastructureError) as error:  # the run has come to its end whatever becomes of this
        log(f"the cache could not be trimmed: {error}")
