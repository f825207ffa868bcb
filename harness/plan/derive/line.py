# SPDX-License-Identifier: GPL-2.0-only
"""One line of a derived plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.plan.plan import Plan
from harness.sources.series.changes import Changes, FileChange

Kind = Literal["suite", "selftest", "counter", "sysfs", "config", "architecture", "kunit", "host test"]


@dataclass(frozen=True, slots=True)
class DerivedLine:
    """Something that the changed lines of a series ask for."""

    kind: Kind
    name: str
    taken: bool
    """Whether the run has it."""
    reason: str
    """Why; or why not."""

    @property
    def text(self) -> str:
        """The line for people: `+` for what the run has, `-` for what it has not."""
        return f"{'+' if self.taken else '-'} {self.kind} {self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A plan and the diff of its series."""

    plan: Plan
    changes: Changes
    has: Callable[[str], bool]
    """Whether the sources with the series have a file."""


def first_of(paths: Sequence[str]) -> str:
    """Name the first of some files, and the number of the others."""
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def most_changed(files: Iterable[FileChange]) -> list[str]:
    """Paths of files, those with the most changed lines first."""
    return [file.path for file in sorted(files, key=lambda file: -len(file.lines))]
