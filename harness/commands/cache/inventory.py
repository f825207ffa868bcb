# SPDX-License-Identifier: GPL-2.0-only
"""Everything that the cache folder holds, and what it takes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.build.build_cache import DRAFT, FORMAT, GONE, RECORD, read_record
from harness.build.kernel.origin import RECORD as ORIGIN
from harness.commands.cache.sharing import LOCK
from harness.commands.cache.size import disk_usage
from harness.sources.git.mirror import MIRROR
from results.text import abbrev

SIZES = "sizes.json"
REPLACEABLE = ("kernel", "objects", "ccache", "worktree", "programs", "package", "lists", "mails")
"""Kinds that are made or fetched again when they are missing."""
LEFTOVER = "leftover"
STALE_SECONDS = 86400.0
"""Another version of the program may share the cache: its kernels stay until they are a day old."""
_HOLDERS = ("builds", "objects", "programs", "worktrees", "debian", "lore")
"""Folders whose children are the items."""

_DRAFTS = (
    *(f"builds/*/{DRAFT}*", f"programs/{DRAFT}*", f"{GONE}*", f"*/{GONE}*", f"builds/*/{GONE}*"),
    *("lore/fetch-*", "debian/download-*", "mirror-*", "series/*.[0-9]*", "apt/*.[0-9]*", "*.new"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in the cache."""

    kind: str
    """kernel, objects, ccache, worktree, programs, package, lists, mails, mirror, leftover or other."""
    name: str
    path: Path
    size: int
    """Bytes on the disk."""
    created: float
    """Seconds since 1970, like `used`."""
    used: float
    arch: str = ""
    variant: str = ""
    commit: str = ""
    lock: Path | None = None
    """Lock of its present user."""


Measure = Callable[[Path, float], int]
"""Bytes of a folder that was used last at that time."""


def inventory(cache: Path, now: float, measure: Measure = lambda path, used: disk_usage(path)) -> list[Item]:
    """Every file of the cache as part of one item; of several versions' formats only ours are kernels."""
    known = [
        *_leftovers(cache, now),
        *_kernels(cache),
        *_objects(cache, measure),
        *_ccache(cache),
        *_worktrees(cache, measure),
        *_simple(cache, "programs", "programs/*"),
        *_simple(cache, "package", "debian/*"),
        *_simple(cache, "lists", "apt"),
        *_simple(cache, "mails", "lore/*"),
        *_simple(cache, "mails", "b4"),
        *_simple(cache, "mirror", MIRROR),
    ]
    items = list({item.path: item for item in reversed(known)}.values())[::-1]
    return [*items, *_others(cache, {item.path for item in items})]


def _leftovers(cache: Path, now: float) -> Iterator[Item]:
    """What a killed process, an older version of the program or a removed folder left behind."""
    for pattern in _DRAFTS:
        yield from _simple(cache, LEFTOVER, pattern)
    for folder in sorted(cache.glob("builds/*")):
        if folder.name != FORMAT:
            newest = max((_time(entry) for entry in (folder, *folder.glob("*"))), default=0.0)
            yield _item(
                LEFTOVER if now - newest > STALE_SECONDS else "other", f"builds/{folder.name}", folder
            )
    for lock in (*cache.glob("objects/*.lock"), *cache.glob("worktrees/.*.lock")):
        if not lock.with_name(lock.name.removeprefix(".").removesuffix(".lock")).exists():
            yield _item(LEFTOVER, str(lock.relative_to(cache)), lock, lock=lock)


def _kernels(cache: Path) -> Iterator[Item]:
    for entry in sorted(cache.glob(f"builds/{FORMAT}/*")):
        created = _time(entry / RECORD) or _time(entry)
        build = read_record(entry)
        if build is None:
            yield Item("kernel", f"{entry.name} (damaged)", entry, disk_usage(entry), created, _time(entry))
            continue
        yield Item(
            "kernel",
            f"{build.arch} {build.variant} {abbrev(build.commit)}",
            entry,
            disk_usage(entry),
            created,
            _time(entry),
            arch=build.arch,
            variant=build.variant,
            commit=build.commit,
        )


def _objects(cache: Path, measure: Measure) -> Iterator[Item]:
    for folder in sorted(cache.glob("objects/*")):
        if folder.suffix in (".lock", ORIGIN):
            continue
        arch = re.split(r"[+.]", folder.name)[0]
        used = _time(folder)  # every build renames its seal into it
        lock = folder.with_suffix(".lock")
        created = _time(lock) or used
        size = measure(folder, used)
        yield Item("objects", folder.name, folder, size, created, used, arch, lock=lock)


def _ccache(cache: Path) -> Iterator[Item]:
    for folder in cache.glob("ccache"):
        used = max(_time(path) for path in (folder, *folder.glob("*"), *folder.glob("*/stats")))
        yield Item("ccache", folder.name, folder, disk_usage(folder), _time(folder), used)


def _worktrees(cache: Path, measure: Measure) -> Iterator[Item]:
    for folder in sorted(cache.glob("worktrees/*")):
        if folder.name.endswith(".lock"):
            continue
        administration = _administration(folder)
        used = _time(administration / "index") or _time(folder)  # git writes it at every checkout
        lock = folder.with_name(f".{folder.name}.lock")
        size = measure(folder, used)
        commit = _first_line(administration / "HEAD")
        created = _time(administration / "commondir") or used
        yield Item("worktree", folder.name, folder, size, created, used, commit=commit, lock=lock)


def _administration(worktree: Path) -> Path:
    """Where git keeps what it knows of a worktree."""
    return Path(_first_line(worktree / ".git").removeprefix("gitdir: ") or worktree / "unknown")


def _first_line(path: Path) -> str:
    with suppress(OSError, ValueError, IndexError):
        return path.read_text().splitlines()[0]
    return ""


def _simple(cache: Path, kind: str, pattern: str) -> Iterator[Item]:
    for path in sorted(cache.glob(pattern)):
        yield _item(kind, path.name, path)


def _others(cache: Path, known: set[Path]) -> Iterator[Item]:
    """What belongs to no other item: locks, records of series, what is remembered of KVM, foreign files."""
    for path in sorted(cache.glob("*")):
        holder = path.name in _HOLDERS and path.is_dir()
        if path not in known and not holder and path.name != LOCK:
            yield _item("other", path.name, path)


def _item(kind: str, name: str, path: Path, lock: Path | None = None) -> Item:
    return Item(kind, name, path, disk_usage(path), _time(path), _time(path), lock=lock)


def _time(path: Path) -> float:
    """When a file or folder was changed last; 0 if it is gone."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


class SizeMemory:
    """Remembers the sizes of large folders, and measures only those that were used since."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._sizes: dict[str, tuple[float, int]] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            known: Mapping[str, list[float]] = json.loads((cache / SIZES).read_text())
            self._sizes = {name: (float(pair[0]), int(pair[1])) for name, pair in known.items()}

    def __call__(self, path: Path, used: float) -> int:
        """Bytes on the disk."""
        name = str(path.relative_to(self._cache))
        known = self._sizes.get(name)
        if known is None or known[0] != used:
            known = self._sizes[name] = (used, disk_usage(path))
        return known[1]

    def save(self) -> None:
        """Keep them for the next time; losing them costs a second."""
        draft = self._cache / f"{SIZES}.{os.getpid()}.new"
        with suppress(OSError):
            draft.write_text(json.dumps(self._sizes))
            draft.replace(self._cache / SIZES)
