# SPDX-License-Identifier: GPL-2.0-only
"""A run's facts, appended as they happen: one JSON object a line in `events.jsonl`, each fsynced.

Everything else in a run folder is derived from these lines and the raw logs, and can be made
again (`results.journal.assemble`). A line that was cut by a crash is the last one, and is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from results.model.bisect import BisectScope
from results.model.run import BootEnd, Claim, KnownFailure, KnownGap, PlannedTest, Subject

JOURNAL = "events.jsonl"
VERSION = 1
VARIANTS = ("base", "series")
_PATCH = "patch/"


def patch_variant(number: int) -> str:
    """The variant of a series up to a patch; base is number 0."""
    return f"{_PATCH}{number}"


def patch_number(variant: str) -> int:
    """The number of a patch's variant."""
    return int(variant.removeprefix(_PATCH))


@dataclass(frozen=True, slots=True)
class WalkScope:
    """Which patches a walk goes through."""

    numbers: tuple[int, ...]
    """In order; the first one is 0, base."""
    kernels: tuple[int, ...]
    """For each of them the one whose kernel it has: its own, or an earlier one's with the same sources."""
    boots: bool
    checks: int
    """So many kernels of each architecture are built once more from nothing."""
    seed: int

    @property
    def own(self) -> tuple[int, ...]:
        """The patches with a kernel of their own, in order."""
        return tuple(dict.fromkeys(self.kernels))

    def same_sources(self, number: int) -> tuple[int, ...]:
        """All patches that have the kernel of this one, itself included."""
        return tuple(
            each for each, kernel in zip(self.numbers, self.kernels, strict=True) if kernel == number
        )

    def drawn(self, arch: str) -> tuple[int, ...]:
        """The kernels of an architecture that are built once more; the same ones for the same seed."""
        count = min(self.checks, len(self.own))
        return tuple(sorted(Random(f"{self.seed} {arch}").sample(self.own, count)))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tree came from, so that anybody can get the same sources; one of the three is given."""

    commit: str
    """In the mirror, before any patch of ours; also elsewhere, if it is from a git repository."""
    package: str = ""
    """Debian's source package."""
    version: str = ""
    """That of the package."""
    url: str = ""
    """Of a git server."""
    path: str = ""
    """Of a local git repository."""


@dataclass(frozen=True, slots=True)
class ShardFact:
    """Which part of a plan a machine took."""

    number: int
    """From 1."""
    plan: str
    """Of the whole plan, as `PlanFact.digest`: what shards of one plan have in common."""
    arches: tuple[str, ...]
    """Of the whole plan, in its order."""
    parts: tuple[tuple[str, ...], ...]
    """The architectures of each shard, by number."""


@dataclass(frozen=True, slots=True)
class PlanFact:
    """The first fact of a run: what it set out to do."""

    id: str
    harness: str
    host: dict[str, str]
    command: tuple[str, ...]
    subject: Subject
    planned: tuple[PlannedTest, ...]
    arches: tuple[str, ...]
    claims: tuple[Claim, ...]
    allow_unexercised: tuple[str, ...]
    digest: str
    """Of everything that decides the outcome: a run with the same digest may be resumed."""
    known_gaps: tuple[KnownGap, ...] = ()
    known_failures: tuple[KnownFailure, ...] = ()
    day: str = ""
    """When it began, `2027-03-31`: what has expired by then counts no more."""
    version: int = VERSION
    walk: WalkScope | None = None
    """None for a run of base against series."""
    origin: Origin | None = None
    """None in runs of older versions of the program."""
    bisect: BisectScope | None = None
    """None for whatever is no bisection."""
    shard: ShardFact | None = None
    """None for a run of everything that was asked for."""

    @property
    def variants(self) -> tuple[str, ...]:
        """What is built on each architecture; a bisection finds out only as it goes on."""
        if self.bisect:
            return ()
        return tuple(map(patch_variant, self.walk.own)) if self.walk else VARIANTS


@dataclass(frozen=True, slots=True)
class BootFact:
    """One boot as the machine saw it; its console log says the rest."""

    id: str
    arch: str
    variant: str
    purpose: str
    nonce: str
    tests: tuple[str, ...]
    """Names of the planned tests in its manifest, in order."""
    machine: str
    accelerator: str
    end: BootEnd
    detail: str
    seconds: float
    log: str
    command: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TwinFact:
    """A cell whose kernel is the same bytes as another variant's, so that this one's boots speak for both."""

    arch: str
    variant: str
    twin: str


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """A step was given to another machine; what an earlier attempt comes to is of no interest any more."""

    step: str
    number: int


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal."""

    time: datetime
    name: str
    """plan, resume, join, attempt, build, boot, twin, check, found, end or interrupted."""
    fact: dict[str, Any]


class JournalError(ValueError):
    """A folder whose journal can't be read: not a run, or one of another version."""


class Journal:
    """Appends facts to a run folder."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / JOURNAL

    def append(self, name: str, fact: Any = None) -> None:
        """Write one fact and wait until it is on the disk.

        Raises:
            OSError: if it can't be written.
        """
        event = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": name,
            "fact": asdict(fact) if fact is not None else {},
        }
        line = json.dumps(event).encode() + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(handle, self._repair() + line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _repair(self) -> bytes:
        """A line end, if a crash left the last line without one."""
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return b""
            file.seek(size - 1)
            return b"" if file.read(1) == b"\n" else b"\n"


def read_events(run_dir: Path) -> Iterator[Event]:
    """All facts of a run, in order; torn lines are passed over.

    Raises:
        JournalError: if there is no journal.
    """
    try:
        lines = (run_dir / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise JournalError(f"{run_dir} is not a run folder: {JOURNAL}: {error.strerror}") from None
    for line in lines:
        try:
            event = json.loads(line)
            yield Event(datetime.fromisoformat(event["time"]), event["event"], event["fact"])
        except (ValueError, KeyError, TypeError):
            continue


Fact = TypeVar("Fact")


def decode(model: type[Fact], event: Event) -> Fact:
    """Turn an event's fact back into its value.

    Raises:
        JournalError: if the fact is of another version of the program.
    """
    from pydantic import ValidationError

    kind: Any = model  # mypy can't see that a class is hashable
    try:
        fact: Fact = _adapter(kind).validate_python(event.fact)
        return fact
    except ValidationError as error:
        raise JournalError(f"a '{event.name}' fact can't be read: {error.errors()[0]['msg']}") from None


@cache  # making one takes longer than reading many facts
def _adapter(model: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(model)
