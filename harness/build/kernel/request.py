# SPDX-License-Identifier: GPL-2.0-only
"""What is to be built, and the means for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.kernel.recipe import Recipe, with_counters
from harness.build.toolchain import Compiler
from harness.config.arch import ArchRecord, BuildRecord
from harness.core.jobserver import Jobserver
from harness.core.process import Children


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What is compiled, and how it is configured."""

    arch: BuildRecord
    variant: str
    commit: str
    tree: str
    """Git tree id of the commit: the sources' content address."""
    compiler: Compiler
    recipe: Recipe
    origin: str = ""
    """Whose code it is: no other series may go on with the objects. Empty for the tree's own commit."""
    profiled: tuple[str, ...] = ()
    """Objects with counters of executed lines: `mm/memory.o`, …"""


@dataclass(frozen=True, slots=True)
class KernelRequest(BuildRequest):
    """A kernel to build."""

    arch: ArchRecord

    def with_counters(self, objects: tuple[str, ...]) -> KernelRequest:
        """Return the request for the same kernel with counters of executed lines in some objects."""
        return replace(self, recipe=with_counters(self.recipe), profiled=objects)


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Folders, callbacks and limits of a build."""

    cache: Path
    log_file: Path
    """Build log of this cell in the run's folder."""
    log: Callable[[str], None]
    step: Callable[[int], None]
    """Called with the number of make steps done so far."""
    children: Children
    jobserver: Jobserver
    sources: Callable[[], AbstractContextManager[Path]]
    """Makes the worktree, locked while the context lasts; not called for a cached build."""
