# SPDX-License-Identifier: GPL-2.0-only
"""Which defconfigs a kernel tree has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import UsageError, did_you_mean
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import Repository

_FILE = re.compile(r"^arch/[^/]+/configs/([^/]+_defconfig)$")


def require_defconfigs(cache: Path, commit: str, names: Iterable[str]) -> None:
    """See that a tree has these targets, on whatever architecture; plain `defconfig` is always there.

    Raises:
        UsageError: naming the nearest that there is.
    """
    wanted = set(names) - {"defconfig"}
    if not wanted:
        return
    mirror = open_mirror(cache)
    files = mirror.run("ls-tree", "-r", "--name-only", commit, "arch/").splitlines()
    known = {match[1] for match in map(_FILE.match, files) if match}
    for name in sorted(wanted - known):
        if _is_made(mirror, commit, name):
            continue
        raise UsageError(
            f"the tree has no {name}.{did_you_mean(name, known)}",
            hint="Those of an architecture are in its arch/*/configs/.",
        )


def _is_made(mirror: Repository, commit: str, name: str) -> bool:
    """Whether an architecture's Makefile puts a defconfig together of several files."""
    return mirror.succeeds("grep", "--quiet", "--fixed-strings", f"{name}:", commit, "--", "arch/*/Makefile")
