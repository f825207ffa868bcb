# SPDX-License-Identifier: GPL-2.0-only
"""What the suites of a plan take from the tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.build_cache import digest
from harness.build.guest.programs import build_programs
from harness.build.toolchain import Compiler
from harness.config.suite import SuiteRecord
from harness.sources.git.mirror import open_mirror, path_hash
from harness.sources.git.scratch import check_out_only, scratch_repository

TOOLS = "tools"


@dataclass(frozen=True, slots=True)
class Selftests:
    """The sources of some suites in one commit of the mirror."""

    suites: tuple[SuiteRecord, ...]
    commit: str
    base: str = ""
    """The commit that tells whether a program that does not compile ever did."""

    def programs(self, compiler: Compiler, cache: Path) -> Path:
        """The initramfs with all of them, as `build_programs`."""
        base = replace(self, commit=self.base, base="") if self.base else None
        return build_programs(
            compiler,
            self.suites,
            lambda: self._checked_out(cache),
            self._id(cache) + (base._id(cache) if base else ""),
            cache,
            (lambda: base._checked_out(cache)) if base else None,
        )

    @contextmanager
    def _checked_out(self, cache: Path) -> Iterator[Path]:
        """Only what the suites take from the tree; a worktree may be another run's for a long time."""
        with scratch_repository(open_mirror(cache)) as scratch:
            check_out_only(scratch, self.commit, self._wanted())
            yield scratch.path

    def _id(self, cache: Path) -> str:
        """Content address of what the suites take from the tree, and of all else in tools/."""
        outside = {path for path in self._wanted() if not path.startswith(f"{TOOLS}/")}
        return digest({path: path_hash(cache, self.commit, path) for path in (TOOLS, *sorted(outside))})

    def _wanted(self) -> set[str]:
        programs = [program for suite in self.suites for program in suite.programs]
        return {
            path
            for program in programs
            for path in (*program.tree_sources, *program.tree_includes, *program.tree_also)
        }
