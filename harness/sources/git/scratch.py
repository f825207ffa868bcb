# SPDX-License-Identifier: GPL-2.0-only
"""Throw-away repositories that read, and may write, the objects of another one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.core.sandbox import Sandbox
from harness.sources.git.repository import Repository


@contextmanager
def scratch_repository(owner: Repository) -> Iterator[Repository]:
    """An empty repository whose objects are those of another; new ones are written there, too.

    Its HEAD, index and half-done `git am` vanish with it, whatever happens.
    """
    with tempfile.TemporaryDirectory(prefix="thp-harness-series-") as folder:
        common = _common(owner)
        _make(Path(folder), common)
        yield Repository(Path(folder), {"GIT_OBJECT_DIRECTORY": str(common / "objects")})


@contextmanager
def borrowing_repository(*owners: Repository) -> Iterator[Repository]:
    """An empty repository that reads the objects of others and writes none there.

    Histories end where those of the first one do.
    """
    with tempfile.TemporaryDirectory(prefix="thp-harness-history-") as folder:
        common = [_common(owner) for owner in owners]
        _make(Path(folder), common[0])
        objects = ":".join(_quoted(place / "objects") for place in common)
        yield Repository(Path(folder), {"GIT_ALTERNATE_OBJECT_DIRECTORIES": objects})


@contextmanager
def reading_repository(owner: Repository, head: str) -> Iterator[Repository]:
    """Like `borrowing_repository`, of one repository, with HEAD at a commit, named by its full id."""
    with borrowing_repository(owner) as scratch:
        _detach(scratch, head)
        yield scratch


def confined(scratch: Repository, owner: Repository) -> Repository:
    """Return a scratch repository whose commands run in a sandbox: for what reads patches of strangers."""
    common = _common(owner)
    sandbox = Sandbox((common, *_alternates(common)), (scratch.path, common / "objects"))
    return replace(scratch, sandbox=sandbox)


def _alternates(common: Path) -> Iterator[Path]:
    """Other places of objects (gitrepository-layout(5))."""
    listed = common / "objects" / "info" / "alternates"
    for line in listed.read_text().splitlines() if listed.is_file() else ():
        if line and not line.startswith("#"):
            yield (common / "objects" / line).resolve()


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _make(folder: Path, common: Path) -> None:
    """Write the files that `git init` would (gitrepository-layout(5)), which takes no process."""
    git = folder / ".git"
    for name in ("objects", "refs"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/series\n")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    if (common / "shallow").is_file():
        shutil.copy(common / "shallow", git)


def _detach(scratch: Repository, commit: str) -> None:
    (scratch.path / ".git" / "HEAD").write_text(f"{commit}\n")


def _common(owner: Repository) -> Path:
    """Where a repository has its objects and the ends of its history, those of its worktrees included."""
    for git in (owner.path / ".git", owner.path):  # a worktree has its objects elsewhere
        if (git / "HEAD").is_file() and (git / "objects").is_dir():
            return git.absolute()
    return Path(owner.run("rev-parse", "--path-format=absolute", "--git-common-dir"))


def check_out_only(repository: Repository, commit: str, paths: Iterable[str]) -> None:
    """Put HEAD and the whole index at a commit, by its full id, but only the named paths into the folder."""
    patterns = ["/" + _literal(path) for path in sorted({*paths, "Makefile"})]
    sparse = repository.path / ".git" / "info" / "sparse-checkout"
    sparse.parent.mkdir(exist_ok=True)
    sparse.write_text("\n".join(patterns) + "\n")
    with (repository.path / ".git" / "config").open("a") as config:
        config.write("\tsparseCheckout = true\n")
    _detach(repository, commit)
    repository.run("read-tree", "-mu", "HEAD")


def _literal(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[]! #" else letter for letter in path)
