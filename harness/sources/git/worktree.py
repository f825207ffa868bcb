# SPDX-License-Identifier: GPL-2.0-only
"""Long-lived worktrees: one folder of files that moves from commit to commit.

Moving touches only the files that differ, so that an incremental `make` rebuilds only what they reach.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.locks import locked
from harness.sources.git.mirror import locked_mirror, open_mirror
from harness.sources.git.repository import GitError, Repository

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _ignore(_: str) -> None:
    pass


@contextmanager
def worktree(
    cache: Path,
    name: str,
    commit: str,
    log: Callable[[str], None] = _ignore,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Path]:
    """Hold the worktree `name` of a cache at `commit`, exactly: no changed and no left-over files.

    It is locked until the end of the `with` block; another process that wants it waits, and
    `check` may raise to end its waiting. A damaged or deleted one is made again.

    Raises:
        GitError: for an unknown commit, or a full disk.
        UsageError: for a name that can't be a folder's.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of a worktree", hint="Use letters, digits, '.', '_', '-'."
        )
    path = cache.absolute() / "worktrees" / name
    lock = path.with_name(f".{name}.lock")
    busy = f"waiting for another process that uses the worktree {name}"
    with locked(lock, lambda: log(busy), check):
        _put_at(cache, path, commit, log)
        yield path


def is_untouched(cache: Path, name: str, commit: str) -> bool:
    """Whether the worktree `name` is at `commit`, with no changed and no left-over files.

    For the caller that has just used it: another process may have changed or deleted it meanwhile.
    """
    tree = Repository(cache.absolute() / "worktrees" / name)
    try:
        changes = tree.run("status", "--porcelain", "--untracked-files=all")
        return not changes and tree.run("rev-parse", "HEAD") == commit
    except (GitError, OSError):
        return False


def _put_at(cache: Path, path: Path, commit: str, log: Callable[[str], None]) -> None:
    mirror = open_mirror(cache)
    commit = mirror.run("rev-parse", "--verify", f"{commit}^{{commit}}")
    if _belongs_to(mirror, path):
        try:
            administration = _administration(path)
            if not _is_of_the_future(administration):
                _move(path, administration, commit)
                return
            log(f"the worktree {path} is newer than the clock and is made again")
        except GitError:
            log(f"the worktree {path} is damaged and is made again")
    _recreate(cache, path, commit, log)
    _move(path, _administration(path), commit)


def _belongs_to(mirror: Repository, path: Path) -> bool:
    """Whether `path` is a worktree of this mirror, and not of one that the cache was copied from."""
    if not (path / ".git").is_file():
        return False
    try:
        common = Repository(path).run("rev-parse", "--path-format=absolute", "--git-common-dir")
    except GitError:
        return False
    return Path(common).resolve() == mirror.path.resolve()


def _is_of_the_future(administration: Path) -> bool:
    """Whether the clock was set back since files were written: git writes its index after them."""
    try:
        return (administration / "index").stat().st_mtime > time.time()
    except FileNotFoundError:
        return False


def _administration(path: Path) -> Path:
    return Path(Repository(path).run("rev-parse", "--path-format=absolute", "--git-dir"))


def _move(path: Path, administration: Path, commit: str) -> None:
    tree = Repository(path)
    (administration / "index.lock").unlink(
        missing_ok=True
    )  # ours is the only process here: it is a dead one's
    # Files that only look changed (touched, copied) keep their time stamps if git looks inside first.
    tree.succeeds("update-index", "-q", "--refresh")
    tree.run("checkout", "--quiet", "--detach", "--force", commit)
    tree.run("clean", "-ffdxq")


def _recreate(cache: Path, path: Path, commit: str, log: Callable[[str], None]) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    with locked_mirror(cache, log) as mirror:
        mirror.run("worktree", "prune")
        mirror.run("worktree", "add", "--quiet", "--force", "--detach", "--no-checkout", str(path), commit)
