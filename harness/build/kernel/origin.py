# SPDX-License-Identifier: GPL-2.0-only
"""Keeps what a series wrote out of the kernels of all others.

A Makefile can write any object, and make believes it. So what a series leaves in the O= folder serves that
series only: before it begins, the objects of the tree are copied, and the tree, or another series, goes on
from the copy. Who wrote the folder stands in a file beside it, which no build can reach.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.build.build_cache import delete
from harness.core.errors import InfrastructureError

COPY, RECORD = ".base", ".origin"
_UNKNOWN = "?"
"""What a record says that a power cut has emptied."""


def claim_objects(folder: Path, origin: str) -> None:
    """Make a folder hold only objects of the tree, and of `origin` itself; empty for the tree.

    The caller has the folder's lock. Whoever is interrupted leaves a folder that is made again.

    Raises:
        InfrastructureError: if there is no room for the copy.
    """
    copy, record = folder.with_name(folder.name + COPY), folder.with_name(folder.name + RECORD)
    last = (record.read_text() or _UNKNOWN) if record.exists() else ""
    if last == origin:
        return
    if last:
        delete(folder)
        if copy.is_dir():
            _copy(copy, folder) if origin else copy.rename(folder)
    elif folder.is_dir():
        delete(copy)
        _copy(folder, copy)
    if origin:
        folder.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(origin)
    else:
        record.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy with time stamps; a file system that can share blocks does."""
    draft = target.with_name(f"{target.name}.new")
    delete(draft)
    done = subprocess.run(
        ("cp", "-a", "--reflink=auto", str(source), str(draft)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        delete(draft)
        raise InfrastructureError(f"{source} can't be copied: {done.stderr.strip()}")
    draft.rename(target)
