# SPDX-License-Identifier: GPL-2.0-only
"""Which of the changed lines ran: the series as a diff, and what each architecture ran of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BOOT = "boot"
"""In place of a test: the kernel's start, before the first one."""


class Reach(StrEnum):
    """What is known of a changed line; ordered from good to bad."""

    REACHED = "reached"
    FAULT_ONLY = "only when an allocation fails"
    """By no test but those that let allocations fail."""
    NOT_REACHED = "not reached"
    NOT_COMPILED = "not compiled"


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line of a hunk."""

    mark: str
    """`+`, `-`, or a space for context."""
    text: str
    number: int = 0
    """In the file with the series, from 1; 0 for a removed line."""
    patch: int = 0
    """Number of the patch that an added line comes from; 0 for other lines."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A C file or header of the kernel that a series changes, all patches together."""

    path: str
    hunks: tuple[tuple[DiffRow, ...], ...]

    @property
    def added(self) -> tuple[DiffRow, ...]:
        """The added lines."""
        return tuple(row for hunk in self.hunks for row in hunk if row.mark == "+")


@dataclass(frozen=True, slots=True)
class LinesOfTest:
    """The changed lines that one test ran."""

    test: str
    """Its name, or `BOOT`."""
    lines: dict[str, tuple[int, ...]]
    """By path."""


@dataclass(frozen=True, slots=True)
class ReachedFact:
    """What one boot of the kernel with counters ran; a fact of the journal."""

    arch: str
    boot: str
    code: dict[str, tuple[int, ...]]
    """Changed lines that the compiler made code of, by path."""
    kept_out: dict[str, dict[int, str]]
    """Changed lines that the configuration keeps out, with the symbol: `CONFIG_FS_DAX is not set`."""
    tests: tuple[LinesOfTest, ...]
    problems: tuple[str, ...] = ()
    """What is not known, in words."""


@dataclass(frozen=True, slots=True)
class LineReach:
    """A changed line on one architecture."""

    arch: str
    reach: Reach
    tests: tuple[str, ...] = ()
    """Those that ran it, in the order of the plan; `BOOT` is the start."""
    why: str = ""
    """Why it is not compiled."""


@dataclass(frozen=True, slots=True)
class ReachedLine:
    """A changed line that is code on at least one architecture, or would be."""

    path: str
    number: int
    text: str
    patch: int
    reach: Reach
    """The best of all architectures."""
    on_error: bool
    """It looks like the path of an error: it returns one, or jumps to where that is done."""
    arches: tuple[LineReach, ...]


@dataclass(frozen=True, slots=True)
class ReachedShare:
    """How many of some changed lines ran."""

    name: str
    """An architecture, a path, or the number of a patch."""
    reached: int
    """Without and with failing allocations."""
    lines: int
    """Those that are compiled."""
    fault_only: int = 0
    """Of the reached ones, those that only a failing allocation reaches."""

    @property
    def percent(self) -> float | None:
        """None without lines."""
        return 100 * self.reached / self.lines if self.lines else None


@dataclass(frozen=True, slots=True)
class ReachedKernel:
    """The kernel with counters of one architecture."""

    share: ReachedShare
    build_seconds: float
    build_cached: bool
    error: str = ""
    """Why it was not built or not booted."""
    boots: tuple[str, ...] = ()
    """Console logs, relative to the run folder."""
    boot_seconds: float = 0.0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReachedRun:
    """Which of the changed lines ran, on all architectures."""

    total: ReachedShare
    kernels: tuple[ReachedKernel, ...]
    patches: tuple[ReachedShare, ...]
    """By number; patches without lines of code are left out."""
    files: tuple[ReachedShare, ...]
    lines: tuple[ReachedLine, ...]
    """Lines that are code, by file."""
    diff: tuple[ChangedFile, ...]
    claimed_percent: float | None = None
    """The share that the record of the series claims."""

    @property
    def unreached(self) -> tuple[ReachedLine, ...]:
        """Lines that are compiled and ran nowhere, paths of errors first."""
        found = (line for line in self.lines if line.reach is Reach.NOT_REACHED)
        return tuple(sorted(found, key=lambda line: (not line.on_error, line.path, line.number)))

    @property
    def breaks_claim(self) -> bool:
        """Whether less is reached than the record of the series claims."""
        percent = self.total.percent
        return self.claimed_percent is not None and (percent is None or percent < self.claimed_percent)
