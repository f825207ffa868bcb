# SPDX-License-Identifier: GPL-2.0-only
"""The one bare repository that holds every commit under test."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError
from harness.core.locks import locked
from harness.sources.git.repository import GitError, Repository
from results.text import abbrev

MIRROR = "mirror.git"
"""Its name in the cache."""
LEFTOVERS = ("objects/pack/tmp_*", "fast_import_crash_*")
"""What an import that was killed leaves in the mirror."""

_MAKEFILE_ASSIGNMENT = re.compile(
    r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=[ \t]*(.*?)\s*$", re.MULTILINE
)


def open_mirror(cache: Path) -> Repository:
    """Return the mirror of a cache, made when there is none yet."""
    path = cache / MIRROR
    if not (path / "HEAD").is_file():
        _create(path)
    return Repository(path)


def _create(path: Path) -> None:
    """Make the mirror under another name first: a half-made one is never seen."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="mirror-", dir=path.parent))
    except OSError as error:
        raise InfrastructureError(
            f"can't write to the cache {path.parent}: {error.strerror}",
            hint="Name another folder for the cache.",
        ) from error
    try:
        Repository(fresh).run("init", "--quiet", "--bare", "--template=", "--initial-branch=none", ".")
        with suppress(OSError):  # somebody else was quicker, and theirs is as good
            fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def locked_mirror(cache: Path, log: Callable[[str], None]) -> Iterator[Repository]:
    """Hold the right to add trees to the mirror, one process at a time."""
    with locked(cache / "mirror.lock", lambda: log("waiting for another process that fills the mirror")):
        yield open_mirror(cache)


def remove_leftovers(mirror: Path, patterns: Iterable[str] = LEFTOVERS) -> None:
    """Remove leftovers of killed processes; no other process may use the mirror."""
    for pattern in patterns:
        for path in mirror.glob(pattern):
            path.unlink(missing_ok=True)


def forget_boundaries(mirror: Repository, commits: Iterable[str]) -> None:
    """Let the history go on below commits whose parents the mirror has got; the mirror must be locked."""
    shallow = mirror.path / "shallow"
    if not shallow.is_file():
        return
    whole = set(commits)
    lines = shallow.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.strip() not in whole]
    if not kept:
        shallow.unlink()
    elif len(kept) < len(lines):
        fresh = shallow.with_suffix(".new")
        fresh.write_text("".join(kept))
        fresh.replace(shallow)


def has_commit(mirror: Repository, commit: str) -> bool:
    """Whether the mirror holds this commit."""
    return mirror.succeeds("cat-file", "-e", f"{commit}^{{commit}}")


def read_ref(mirror: Repository, ref: str) -> str | None:
    """The commit that a ref names, or None."""
    try:
        return mirror.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    except GitError:
        return None


def tree_hash(cache: Path, commit: str) -> str:
    """Git's id of a commit's tree.

    Raises:
        GitError: for an unknown commit.
    """
    return open_mirror(cache).run("rev-parse", "--verify", f"{commit}^{{tree}}")


def path_hash(cache: Path, commit: str, path: str) -> str | None:
    """Git's id of a file or folder in a commit, or None where the commit has no such path."""
    try:
        return open_mirror(cache).run("rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    except GitError:
        return None


def kernel_version(cache: Path, commit: str) -> str:
    """The version in a commit's top Makefile, say `6.12.117` or `7.1.0-rc3`.

    Raises:
        UsageError: when the commit is no kernel tree.
    """
    return version_in(open_mirror(cache), commit)


def version_in(repository: Repository, commit: str) -> str:
    """Like `kernel_version`, for a commit of any repository."""
    try:
        makefile = repository.run("cat-file", "blob", f"{commit}:Makefile")
    except GitError:
        makefile = ""
    parts: dict[str, str] = dict(_MAKEFILE_ASSIGNMENT.findall(makefile))
    if not parts.get("VERSION") or not parts.get("PATCHLEVEL"):
        raise UsageError(
            f"commit {abbrev(commit)} of {repository.path} is not a Linux kernel tree: "
            "its top Makefile names no VERSION",
            hint="Name the top of a kernel tree.",
        )
    numbers = (parts["VERSION"], parts["PATCHLEVEL"], parts.get("SUBLEVEL", ""))
    return ".".join(number for number in numbers if number) + parts.get("EXTRAVERSION", "")
