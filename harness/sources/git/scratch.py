# SPDX-License-Identifier: GPL-2.0-only
"""Throw-away repositories that read, and may write, the objects of another one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.sources.git.repository import Repository


@contextmanager
def scratch_repository(owner: Repository) -> Iterator[Repository]:
    """An empty repository whose objects are those of another; new ones are written there, too.

    Its HEAD, index and half-done `git am` vanish with it, whatever happens.
    """
    with tempfile.TemporaryDirectory(prefix="thp-harness-series-") as folder:
        Repository(Path(folder)).run("init", "--quiet", "--template=", "--initial-branch=series")
        common = _common(owner)
        _copy_shallow(common, folder)
        yield Repository(Path(folder), {"GIT_OBJECT_DIRECTORY": str(common / "objects")})


@contextmanager
def borrowing_repository(*owners: Repository) -> Iterator[Repository]:
    """An empty repository that reads the objects of others and writes none there.

    Histories end where those of the first one do.
    """
    with tempfile.TemporaryDirectory(prefix="thp-harness-history-") as folder:
        Repository(Path(folder)).run("init", "--quiet", "--template=", "--initial-branch=none")
        common = [_common(owner) for owner in owners]
        _copy_shallow(common[0], folder)
        objects = ":".join(_quoted(place / "objects") for place in common)
        yield Repository(Path(folder), {"GIT_ALTERNATE_OBJECT_DIRECTORIES": objects})


@contextmanager
def reading_repository(owner: Repository, head: str) -> Iterator[Repository]:
    """Like `borrowing_repository`, of one repository, with HEAD at a commit."""
    with borrowing_repository(owner) as scratch:
        scratch.run("update-ref", "--no-deref", "HEAD", head)
        yield scratch


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _copy_shallow(common: Path, folder: str) -> None:
    if (common / "shallow").is_file():
        shutil.copy(common / "shallow", Path(folder) / ".git")


def _common(owner: Repository) -> Path:
    """Where a repository has its objects and the ends of its history, those of its worktrees included."""
    return Path(owner.run("rev-parse", "--path-format=absolute", "--git-common-dir"))


def check_out_only(repository: Repository, commit: str, paths: Iterable[str]) -> None:
    """Put HEAD and the whole index at a commit, but only the named paths into the folder."""
    patterns = ["/" + _literal(path) for path in sorted({*paths, "Makefile"})]
    sparse = repository.path / ".git" / "info" / "sparse-checkout"
    sparse.parent.mkdir(exist_ok=True)
    sparse.write_text("\n".join(patterns) + "\n")
    repository.run("config", "core.sparseCheckout", "true")
    repository.run("update-ref", "--no-deref", "HEAD", commit)
    repository.run("read-tree", "-mu", "HEAD")


def _literal(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[]! #" else letter for letter in path)
