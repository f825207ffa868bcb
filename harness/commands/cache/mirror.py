# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the mirror small and whole. All of this takes having the cache to oneself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.commands.cache.sharing import Log
from harness.sources.git.mirror import LEFTOVERS, MIRROR, locked_mirror, remove_leftovers
from harness.sources.git.repository import GitError, Repository

_LOCKS = ("*.lock", "refs/**/*.lock", "worktrees/*/*.lock")
_DRAFTS = (*LEFTOVERS, "objects/pack/.tmp-*")
_PACKS = ("objects/pack/*.pack", "objects/pack/*.idx")
_SERIES = "refs/series/"
_SUM_BYTES = 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Remembered:
    """A tree or an applied series, which a ref of the mirror keeps."""

    ref: str
    commit: str
    used: float
    """Seconds since 1970: when it was made, or a kernel of it was last used."""

    @property
    def name(self) -> str:
        """For people."""
        return self.ref.removeprefix("refs/")


def remembered(cache: Path, kernels: Mapping[str, float]) -> list[Remembered]:
    """All trees and series; `kernels` says by commit when a kernel was last used.

    Raises:
        GitError: if the mirror can't be read.
    """
    mirror = _mirror(cache)
    if not mirror:
        return []
    lines = mirror.run("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    refs = [line.split(" ", 1) for line in lines]
    return [
        Remembered(ref, commit, max(_made(mirror.path, ref), kernels.get(commit, 0.0)))
        for commit, ref in refs
    ]


def _mirror(cache: Path) -> Repository | None:
    path = cache / MIRROR
    return Repository(path) if (path / "HEAD").is_file() else None


def _made(mirror: Path, ref: str) -> float:
    for path in (mirror / ref, mirror / "packed-refs"):
        if path.is_file():
            return path.stat().st_mtime
    return 0.0


def clear_leftovers(cache: Path) -> None:
    """Remove what killed git commands left behind: half packs, and locks that would hold up others."""
    remove_leftovers(cache / MIRROR, (*_LOCKS, *_DRAFTS))


def forget(cache: Path, tree: Remembered) -> None:
    """Let go of a tree or series; its commits go when the mirror is tidied.

    Raises:
        GitError: if the mirror can't be written.
    """
    if tree.ref.startswith(_SERIES):
        (cache / "series" / f"{tree.ref.removeprefix(_SERIES)}.json").unlink(missing_ok=True)
    Repository(cache / MIRROR).run("update-ref", "-d", tree.ref)


def tidy_mirror(cache: Path, log: Log) -> None:
    """Drop what no tree, series or worktree needs.

    Raises:
        GitError: if git can't do it: a damaged mirror, a full disk.
    """
    if not _mirror(cache):
        return
    with locked_mirror(cache, log) as mirror:
        mirror.run("worktree", "prune")
        mirror.run("reflog", "expire", "--expire=now", "--all")
        if _stored(mirror) > _needed(mirror):
            # Nothing is packed better than it was: that takes minutes, and saves little.
            mirror.run("repack", "--quiet", "-a", "-d", "--window=0")
            mirror.run("prune", "--expire=now")


def _stored(mirror: Repository) -> int:
    """Objects in the mirror; those in several packs count more than once."""
    counts = dict(line.split(": ", 1) for line in mirror.run("count-objects", "-v").splitlines())
    return int(counts["count"]) + int(counts["in-pack"])


def _needed(mirror: Repository) -> int:
    """Objects that a ref, a worktree's HEAD or its index needs."""
    walk = ("rev-list", "--objects", "--no-object-names", "--all", "--indexed-objects")
    return mirror.run_bytes(*walk).count(b"\n")


def is_whole(mirror: Path) -> bool:
    """Whether a mirror's packs have the sums that they end with, and nothing that its refs need is missing.

    Raises:
        GitError: if git was killed while it looked.
    """
    packs = [path for pattern in _PACKS for path in mirror.glob(pattern)]
    if not all(map(_ends_with_its_sum, packs)):
        return False
    try:
        Repository(mirror).run("worktree", "prune")  # of one that is gone, git would still read the HEAD
        Repository(mirror).run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitError as error:
        if error.returncode < 0:
            raise
        return False
    return True


def _ends_with_its_sum(path: Path) -> bool:
    """Packs and their indexes end with the SHA-1 of all that stands before (gitformat-pack(5))."""
    try:
        left = path.stat().st_size - _SUM_BYTES
        total = hashlib.sha1(usedforsecurity=False)
        with path.open("rb") as file:
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                total.update(block)
                left -= len(block)
            return file.read() == total.digest()
    except OSError:
        return False


def worktree_is_whole(worktree: Path) -> bool:
    """Whether git can read a worktree's HEAD and index; its files are compared whenever it is used."""
    tree = Repository(worktree)
    return tree.succeeds("rev-parse", "--verify", "HEAD^{commit}") and tree.succeeds("ls-files", "--stage")
