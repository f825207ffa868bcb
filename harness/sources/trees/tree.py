# SPDX-License-Identifier: GPL-2.0-only
"""Trees: where kernel source comes from, and the commit in the mirror that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.sources.git.mirror import kernel_version
from harness.sources.trees.debian import prepare_package
from harness.sources.trees.remote import (
    fetch_local,
    fetch_remote,
    fetch_revision,
    split_revision,
    split_url,
)
from results.text import abbrev


@dataclass(frozen=True, slots=True)
class DebianSource:
    """A Debian kernel source package, in the given version or else the newest known one."""

    package: str
    """Its name, or a shell pattern whose highest match is meant."""
    version: str | None = None
    suite: str = ""
    """Of another Debian than the system's, as `unstable`."""


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A commit of a git server, or else the tip of a branch."""

    url: str
    branch: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class GitRevision:
    """A branch, a tag or a commit of a git server."""

    url: str
    revision: str = "HEAD"

    @classmethod
    def from_text(cls, text: str) -> GitRevision:
        """Read `URL` or `URL@REVISION`."""
        return cls(*split_url(text))


@dataclass(frozen=True, slots=True)
class LocalTree:
    """A commit of a local git checkout; what is not committed does not count."""

    path: Path
    revision: str = "HEAD"

    @classmethod
    def from_text(cls, text: str) -> LocalTree:
        """Read `PATH` or `PATH@REVISION`; a folder whose name has an @ comes first."""
        if Path(text).expanduser().exists():
            return cls(Path(text))
        known, revision = split_revision(text)
        if known:
            return cls(known, revision or "HEAD")
        path, at, revision = text.partition("@")
        return cls(Path(path), revision or "HEAD") if at else cls(Path(text))


TreeSource = DebianSource | GitRemote | GitRevision | LocalTree


@dataclass(frozen=True, slots=True)
class TreeCommit:
    """A commit of the mirror, ready to be checked out."""

    commit: str
    version: str
    """Of the kernel, by its Makefile: `6.12.117`."""
    description: str
    """Where it comes from, for people."""
    notes: tuple[str, ...] = ()
    """What the reader must know: changes left out, an answer that apt did not give."""


def prepare_tree(
    source: TreeSource,
    cache: Path,
    log: Callable[[str], None],
    *,
    refresh: bool = False,
    reference: Path | None = None,
) -> TreeCommit:
    """Make a tree's commit available in the cache's mirror.

    `refresh` asks Debian's archive for a newer version even if one is imported already; commits of
    git servers that the local repository `reference` has are copied from there.

    Raises:
        UsageError: for a tree that does not exist as asked.
        InfrastructureError: when something could not be reached or written.
    """
    notes: tuple[str, ...] = ()
    match source:
        case DebianSource(package, version, suite):
            commit, description, notes = prepare_package(package, version, cache, log, refresh, suite)
        case GitRemote(url, branch, wanted):
            commit = fetch_remote(url, branch, wanted, cache, log, reference)
            description = f"{url} {branch} {abbrev(commit)}"
        case GitRevision(url, revision):
            commit = fetch_revision(url, revision, cache, log, reference)
            description = f"{url} {revision} {abbrev(commit)}"
        case LocalTree(path, revision):
            commit, notes = fetch_local(path, revision, cache, log)
            description = (
                f"{path} {revision} {abbrev(commit)}" if revision != commit else f"{path} {abbrev(commit)}"
            )
    return TreeCommit(commit, kernel_version(cache, commit), description, notes)
