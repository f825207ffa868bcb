# SPDX-License-Identifier: GPL-2.0-only
"""What came of compiling the objects of a series in many configurations; `configs.json` is a `Configs`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from results.model.run import CompilerWarning, Head

CONFIGURATION, DIAGNOSTICS = "configuration", "diagnostics"
"""Events of a journal: a `ConfigResult` each, and one `DiagnosticsFact` before the end."""


class Toolchain(StrEnum):
    """What compiles."""

    GCC = "gcc"
    LLVM = "llvm"


class Check(StrEnum):
    """What is looked for."""

    BUILD = "build"
    """What a plain make prints."""
    W1 = "W=1"
    """make W=1 (Documentation/kbuild/kbuild.rst)."""
    SPARSE = "sparse"
    """make C=2 (Documentation/dev-tools/sparse.rst)."""
    KERNEL_DOC = "kernel-doc"
    """scripts/kernel-doc of the tree."""
    CHECKPATCH = "checkpatch"
    """scripts/checkpatch.pl of the tree; its advice is no part of the verdict."""


class Severity(StrEnum):
    """What make does then."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ConfigScope:
    """What is compiled where; part of the plan."""

    arches: tuple[str, ...]
    toolchains: tuple[Toolchain, ...]
    configurations: tuple[str, ...]
    randconfigs: int
    seed: int
    files: tuple[str, ...] = ()
    """Sources to compile, instead of all that the series reaches."""


class ConfigState(StrEnum):
    """What became of a configuration."""

    COMPILED = "compiled"
    NOTHING_NEW = "nothing new"
    """All that its symbols decide on has been compiled in another one."""
    NOT_HERE = "not here"
    """The architecture has no such configuration; `reason` names the symbol."""
    BASE_FAILS = "base fails"
    """An object does not compile without the series either: nothing is said of that."""
    INFRASTRUCTURE = "infrastructure"
    """No compiler, no room, a compiler that crashed."""


@dataclass(frozen=True, slots=True)
class ConfigResult:
    """One configuration of one architecture."""

    arch: str
    toolchain: Toolchain
    name: str
    asked: tuple[str, ...]
    """The make target of its base, and the symbols on top of it: `CONFIG_NUMA=n`."""
    state: ConfigState
    reason: str
    objects: tuple[str, ...]
    """Those that were compiled with the series."""
    equal: int
    """Objects left out: another configuration gives them the same symbols."""
    seconds: float
    log: str
    """Of make, in the folder; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a diagnostic was seen."""

    arch: str
    toolchain: Toolchain
    configuration: str


@dataclass(frozen=True, slots=True)
class NewDiagnostic:
    """Something that a compiler or checker says of the series, and not of base."""

    check: Check
    severity: Severity
    diagnostic: CompilerWarning
    object: str
    places: tuple[Place, ...]
    """All in which it was seen, the one that reproduces it first."""
    patch: int | None
    """Number of the patch that brings it; None if that could not be found."""
    asked: tuple[str, ...]
    """Configuration of the first place, as `ConfigResult.asked`."""
    commands: tuple[str, ...]
    """Plain commands that show it, in a checkout of the series."""
    log: str
    said: tuple[str, ...] = ()
    """Further lines of the compiler on the same object."""


@dataclass(frozen=True, slots=True)
class UnreachedLine:
    """A changed line that no configuration compiled."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class DiagnosticsFact:
    """What a study of configurations found, all configurations together."""

    found: tuple[NewDiagnostic, ...]
    lines: int
    unreached: tuple[UnreachedLine, ...]
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configs(Head):
    """Everything that `configs.json` says."""

    scope: ConfigScope
    configurations: tuple[ConfigResult, ...]
    found: tuple[NewDiagnostic, ...]
    lines: int
    """Changed lines of C and assembler."""
    unreached: tuple[UnreachedLine, ...]
    about: tuple[str, ...]
    """Which files were left out or sampled, and why."""
    headline: str
    exit_code: int
    """0 nothing new, 1 the series brings an error or a warning, 3 nothing or not everything could be said."""
    complete: bool
