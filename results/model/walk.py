# SPDX-License-Identifier: GPL-2.0-only
"""What a walk through a series found, as plain values; `walk.json` is a `Walk`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from results.model.run import BootEnd, CompilerWarning, Head, LineRange


class PatchState(StrEnum):
    """What is said of one patch on one architecture; ordered from harmless to serious."""

    OK = "ok"
    BUILDS = "builds"
    """Without new warnings; booting it was not asked for."""
    NOT_EXERCISED = "not exercised"
    FAILS_ON_BASE = "fails on base too"
    FLAKY = "flaky"
    INFRASTRUCTURE = "infrastructure"
    NEW_WARNINGS = "builds with new warnings"
    NEW_SPLAT = "new splat"
    REGRESSION = "regression"
    DOES_NOT_BOOT = "does not boot"
    DOES_NOT_BUILD = "does not build"


class Safe(StrEnum):
    """Whether a bisection may land on a patch."""

    YES = "yes"
    UNKNOWN = "unknown"
    INHERITS = "inherits"
    """No, but by the fault of an earlier patch."""
    NO = "no"


class Same(StrEnum):
    """Why a kernel was not booted on its own account."""

    IMAGE = "image"
    """Its image is the same bytes as an earlier one's."""
    SOURCES = "sources"
    """The patches since an earlier one touch nothing that a kernel is built from."""


class FaultKind(StrEnum):
    """What is wrong; ordered from harmless to serious."""

    WARNING = "warning"
    SPLAT = "splat"
    OTHER = "other"
    MEASURE = "measure"
    """A number that a test measures, although the test itself does not fail."""
    TEST = "test"
    BOOT = "boot"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that base does not do wrong and this kernel does."""

    kind: FaultKind
    name: str
    """The test, the splat's signature, the warning: what makes it the same fault in two kernels."""
    text: str
    since: int
    """The first patch of the walk that shows it."""
    after: int
    """The last patch before that one which is known not to; `since - 1` if the culprit is certain."""
    log: str = ""
    """Where to read of it, relative to the walk's folder."""
    lines: LineRange | None = None

    @property
    def culprit(self) -> str:
        """Who did it, as far as is known: `patch 7`, or `one of patches 5 to 7`."""
        if self.after >= self.since - 1:
            return f"patch {self.since}"
        return f"one of patches {self.after + 1} to {self.since}"


@dataclass(frozen=True, slots=True)
class SizeChange:
    """Bytes more than with the patch before."""

    text: int
    data: int
    bss: int
    image: int
    symbols: int | None
    """Of all functions and variables; the sections are padded to whole pages. None if unknown."""


@dataclass(frozen=True, slots=True)
class BuildNote:
    """One build, without what all builds have in common."""

    ok: bool
    cached: bool
    seconds: float
    commit: str
    """What was built; the patch's own commit, or one whose sources differ in nothing that matters."""
    image_sha256: str
    text_bytes: int
    warnings: int
    error: str
    log: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BootNote:
    """One boot; its log says the rest."""

    id: str
    purpose: str
    machine: str
    end: BootEnd
    detail: str
    seconds: float
    log: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PatchResult:
    """One patch on one architecture."""

    number: int
    """0 is base."""
    state: PatchState
    words: str
    """The state in one line: what it is about, and why."""
    inherited: bool
    """All of its faults are those of an earlier patch."""
    faults: tuple[Fault, ...]
    """What base does not do wrong, the most serious first."""
    reasons: tuple[str, ...]
    """What else is to be said: what is not known, and why."""
    same: Same | None
    same_as: int | None
    exercised: int
    """Tests that ran and proved something on both kernels."""
    build: BuildNote | None
    boots: tuple[BootNote, ...]
    size: SizeChange | None
    new_warnings: tuple[CompilerWarning, ...]
    """That the patch before did not have."""


@dataclass(frozen=True, slots=True)
class RebuildCheck:
    """A kernel that was built once more from nothing, to see whether the one that grew is the same."""

    arch: str
    number: int
    ok: bool | None
    """None if nothing can be said."""
    words: str
    seconds: float
    log: str


@dataclass(frozen=True, slots=True)
class ArchColumn:
    """One architecture's way through the series."""

    arch: str
    steps: tuple[PatchResult, ...]
    first_bad: int | None
    """The first patch with a fault of its own."""
    words: str
    """The result of the architecture, in one line."""


@dataclass(frozen=True, slots=True)
class WalkRow:
    """One patch on all architectures."""

    number: int
    subject: str
    commit: str
    safe: Safe
    because: str
    fuzzed: int
    """Hunks that `patch` placed with fuzz."""


@dataclass(frozen=True, slots=True)
class Walk(Head):
    """Everything that `walk.json` says."""

    boots: bool
    """False if the kernels were only to be built."""
    rows: tuple[WalkRow, ...]
    columns: tuple[ArchColumn, ...]
    checks: tuple[RebuildCheck, ...]
    seed: int
    """What the kernels to check were drawn with."""
    safe: Safe
    headline: str
    """The answer in one sentence."""
    exit_code: int
    """0 every patch is safe, 1 a patch is bad, 3 not everything could be said."""
    complete: bool
