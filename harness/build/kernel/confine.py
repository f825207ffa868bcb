# SPDX-License-Identifier: GPL-2.0-only
"""What kbuild may touch, and what it may leave behind: a Makefile is a program of whoever wrote the patch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.build.ccache import Ccache
from harness.core.sandbox import Sandbox, installed
from harness.sources.git.repository import GitError, Repository


def sandbox_of(compiler: str, tree: Path, objects: Path, ccache: Ccache | None, *, trusted: bool) -> Sandbox:
    """Return the sandbox of a make in `tree` with O=`objects`; `trusted` ones fill the compiler cache."""
    compilers = (*installed(compiler), *installed("ccache"))
    cached = (ccache.folder,) if ccache else ()
    return Sandbox(
        readable=(tree, *_git_folder(tree), *compilers, *cached),
        writable=(objects, *(cached if trusted else ())),
    )


def _git_folder(tree: Path) -> tuple[Path, ...]:
    """The repository of a worktree: scripts/setlocalversion asks it, and the answer gets into the kernel."""
    try:
        return (Path(Repository(tree).run("rev-parse", "--path-format=absolute", "--git-common-dir")),)
    except GitError:
        return ()


def way_out(objects: Path, tree: Path) -> str:
    """Return the first file in `objects` that is none, or a link to a place outside; empty if there is none.

    Whoever opens such a file outside of the sandbox opens something else, or waits for ever.
    """
    inside = (objects.resolve(), tree.resolve())
    return next((str(path.relative_to(objects)) for path in _strange(objects, inside)), "")


def _strange(folder: Path, inside: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                if not any(path.resolve().is_relative_to(place) for place in inside):
                    found.append(path)
            elif entry.is_dir():
                found += _strange(path, inside)
            elif not entry.is_file():
                found.append(path)
    return found
