# SPDX-License-Identifier: GPL-2.0-only
"""The facts of a run, appended as they happen: `events.jsonl`, one JSON object per line, each fsynced.

Everything else in a run folder is derived from these lines and the console logs (`results.journal.assemble`).
Each line ends in a sum over the rest of it, `"sum": "…"`: the first digits of its SHA-256. A line that a
crash cut off or a disk changed does not count. Journals of older versions have no sums.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from results.files import read_plain
from results.model.bisect import BisectScope
from results.model.configs import ConfigScope
from results.model.document import FolderKind
from results.model.reached import ChangedFile
from results.model.run import BootEnd, Claim, KnownFailure, KnownGap, PlannedTest, Subject

JOURNAL = "events.jsonl"
PLAN, RERUN, RESUME, END, INTERRUPTED = "plan", "rerun", "resume", "end", "interrupted"
"""Events that begin a journal (a rerun has no plan of its own), that continue one, and that end it."""
VERSION = 1
_SUM_DIGITS = 16
_SUM = re.compile(rb', "sum": "([0-9a-f]{16})"}$')
_OLD_KEYS = {"time", "event", "fact"}
_KEYS = {*_OLD_KEYS, "sum"}
_BOOT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@:-]{0,199}")
_NONCE = re.compile(r"[0-9A-Za-z]{0,64}")
_MOST_BYTES = 128 << 20
"""Of a journal: a fact has some KiB, and the longest rerun some thousand of them."""
VARIANTS = ("base", "series")
REACHED = "reached"
"""The series' kernel with counters of executed lines: built and booted, but not compared with base."""
_PATCH = "patch/"


def patch_variant(number: int) -> str:
    """Return the variant of a patch number; the base is number 0."""
    return f"{_PATCH}{number}"


def patch_number(variant: str) -> int:
    """Return the patch number of a variant."""
    return int(variant.removeprefix(_PATCH))


@dataclass(frozen=True, slots=True)
class WalkScope:
    """The patches of a walk."""

    numbers: tuple[int, ...]
    """Patch numbers in order; the first one is 0, the base."""
    kernels: tuple[int, ...]
    """For each patch the number of the patch with the same kernel sources: itself, or an earlier one."""
    boots: bool
    checks: int
    """Number of kernels of each architecture that are rebuilt from scratch."""
    seed: int

    @property
    def own(self) -> tuple[int, ...]:
        """The patches with their own kernel, in order."""
        return tuple(dict.fromkeys(self.kernels))

    def same_sources(self, number: int) -> tuple[int, ...]:
        """Return all patches with the kernel of this one, itself included."""
        return tuple(
            each for each, kernel in zip(self.numbers, self.kernels, strict=True) if kernel == number
        )

    def drawn(self, arch: str) -> tuple[int, ...]:
        """Return the kernels of an architecture that are rebuilt; the same ones for the same seed."""
        count = min(self.checks, len(self.own))
        return tuple(sorted(Random(f"{self.seed} {arch}").sample(self.own, count)))


Scope = WalkScope | BisectScope | ConfigScope
"""The scope of a walk, a bisection or a study of configurations; part of its plan."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tree comes from: a package, a URL or a path."""

    commit: str
    """Id of the base commit in the mirror; for trees from git, also that in the origin."""
    package: str = ""
    """Debian's source package."""
    version: str = ""
    """Version of the package."""
    url: str = ""
    """URL of a git server."""
    path: str = ""
    """Path of a local git repository."""


@dataclass(frozen=True, slots=True)
class ShardFact:
    """The part of a plan that a machine runs."""

    number: int
    """From 1."""
    plan: str
    """Digest of the whole plan, as `PlanFact.digest`: equal for all shards of a plan."""
    arches: tuple[str, ...]
    """Architectures of the whole plan, in its order."""
    parts: tuple[tuple[str, ...], ...]
    """The architectures of each shard, by number."""


@dataclass(frozen=True, slots=True)
class PlanFact:
    """The first fact of a run: its plan."""

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
    """Digest of everything that decides the outcome: a run with the same digest may be resumed."""
    known_gaps: tuple[KnownGap, ...] = ()
    known_failures: tuple[KnownFailure, ...] = ()
    day: str = ""
    """Date of the beginning, `2027-03-31`; known failures that expired before it do not count."""
    version: int = VERSION
    walk: WalkScope | None = None
    """None for a run of base against series."""
    origin: Origin | None = None
    """None in runs of older versions."""
    bisect: BisectScope | None = None
    """None for a run or a walk."""
    shard: ShardFact | None = None
    """None for a run of the whole plan."""
    kind: FolderKind = FolderKind.RUN
    """Read it with `read_plan`: folders of older versions have none."""
    gone_tests: tuple[str, ...] = ()
    """Tests of the suites that base's tree has and the series' tree lacks; not planned."""
    new_tests: tuple[str, ...] = ()
    """Tests, or whole suites, that only the series' tree has."""
    config: ConfigScope | None = None
    """None unless objects are compiled in many configurations."""
    changed: tuple[ChangedFile, ...] | None = None
    """The code of the series, if it is to be told which lines ran."""
    reached_percent: float | None = None
    """The share of it that the record of the series claims."""

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants to build on each architecture; empty for a bisection, and where none is built."""
        if self.bisect or self.config:
            return ()
        return tuple(map(patch_variant, self.walk.own)) if self.walk else VARIANTS


@dataclass(frozen=True, slots=True)
class BootFact:
    """One boot as the machine observed it, without its console log."""

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
    signals: dict[str, str] = field(default_factory=dict)
    """Number → name of the signals that its architecture numbers in another way than most."""

    def __post_init__(self) -> None:
        """Refuse an id or a nonce that is no part of a file's name: the journal may come from elsewhere."""
        if not _BOOT_ID.fullmatch(self.id):
            raise ValueError(f"{self.id[:80]!r} is no id of a boot")
        if not _NONCE.fullmatch(self.nonce):
            raise ValueError(f"{self.nonce[:80]!r} is no nonce of a boot")


@dataclass(frozen=True, slots=True)
class TwinFact:
    """A cell that shares the boots of another variant, since both kernels are the same image."""

    arch: str
    variant: str
    twin: str


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """An attempt at a step on another machine; results of earlier attempts are ignored."""

    step: str
    number: int


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal."""

    time: datetime
    name: str
    """plan, resume, join, attempt, build, boot, twin, reached, check, found, end or interrupted."""
    fact: dict[str, Any]
    after_damage: bool = False
    """The line before it is damaged, so a fact may be lost."""
    before_damage: bool = False
    """It is the last one, and what comes after it is damaged."""


class JournalError(ValueError):
    """The journal of a folder can't be read: it is missing, or of another version."""


@contextmanager
def contradictions_told(run_dir: Path) -> Iterator[None]:
    """Tell of facts that can be read but not all be true, as those of a stranger's folder may be.

    Raises:
        JournalError: for anything that they lead to.
    """
    try:
        yield
    except JournalError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        words = f"{type(error).__name__}: {error}"[:200]
        raise JournalError(f"the facts of {run_dir} contradict each other ({words})") from error


class Journal:
    """Appends facts to a run folder."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / JOURNAL

    def append(self, name: str, fact: Any = None, files: Iterable[Path] = ()) -> None:
        """Write one fact and wait until it is on the disk, and before it `files`, which it is about.

        Raises:
            OSError: if it can't be written; then the journal is as it was.
        """
        for file in files:
            _sync(file)
        line = journal_line(datetime.now(UTC), name, asdict(fact) if fact is not None else {})
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # a line may take several writes
            size = os.fstat(handle).st_size
            try:
                _write_all(handle, _line_end_lacking(handle, size) + line)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if not size:
            _sync(self._path.parent)


def _line_end_lacking(handle: int, size: int) -> bytes:
    """Return a line end if a crash left the last line without one."""
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def _write_all(handle: int, content: bytes) -> None:
    """Write everything: write(2) may write less, of which a full disk is one reason."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def _sync(path: Path) -> None:
    """Have a file or a folder on the disk; a file may not exist."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def journal_line(time: datetime, name: str, fact: Mapping[str, Any]) -> bytes:
    """Return a fact as a line of a journal, which ends in a sum over the rest of it."""
    event = {"time": time.isoformat(timespec="milliseconds"), "event": name, "fact": fact}
    text = json.dumps(event).encode()
    return text[:-1] + b', "sum": "%s"}\n' % _sum(text)


def _sum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_SUM_DIGITS].encode()


def read_events(run_dir: Path) -> Iterator[Event]:
    """Yield all facts of a run in order, without damaged lines.

    Raises:
        JournalError: if there is no journal.
    """
    last, is_damaged = None, False
    for _, event in _read_lines(run_dir):
        if event:
            if last:
                yield last
            last = replace(event, after_damage=is_damaged)
        is_damaged = event is None
    if last:
        yield replace(last, before_damage=is_damaged)


def damaged_lines(run_dir: Path) -> tuple[int, ...]:
    """Return the numbers of the lines that are no facts: a crash cut them off, or a disk changed them.

    Raises:
        JournalError: if there is no journal.
    """
    return tuple(number for number, event in _read_lines(run_dir) if event is None)


def lacks_facts(events: Sequence[Event]) -> bool:
    """Tell whether facts were lost since the work was begun or resumed: who resumes it does them again."""
    last_part = takewhile(lambda event: event.name != RESUME, reversed(events))
    return events[-1].before_damage or any(event.after_damage for event in last_part)


def is_complete(events: Sequence[Event]) -> bool:
    """Tell whether a journal has its end and lacks no facts."""
    return bool(events) and events[-1].name == END and not lacks_facts(events)


def _read_lines(run_dir: Path) -> Iterator[tuple[int, Event | None]]:
    """Yield each line that is not empty, with its number; None for a damaged one."""
    try:
        lines = read_plain(run_dir / JOURNAL, _MOST_BYTES, below=run_dir).split(b"\n")
    except OSError as error:
        raise JournalError(f"{run_dir} is not a run folder: {JOURNAL}: {error.strerror}") from None
    has_sums = False  # older journals have none
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = _SUM.search(line)
            has_sums = has_sums or bool(found)
            whole = not has_sums or (found and _sum(line[: found.start()] + b"}") == found[1])
            yield number, _read_line(line, _KEYS if found else _OLD_KEYS) if whole else None


def _read_line(line: bytes, keys: Set[str]) -> Event | None:
    try:
        event = json.loads(line)
        time, name, fact = datetime.fromisoformat(event["time"]), event["event"], event["fact"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_whole = time.tzinfo and isinstance(name, str) and isinstance(fact, dict)
    return Event(time, name, fact) if is_whole and event.keys() == keys else None


def folder_kind(events: Iterable[Event]) -> FolderKind:
    """Return the kind of folder that a journal is of; older journals show it by their scope only.

    Raises:
        JournalError: if the journal has no beginning, or is of a kind that this program does not know.
    """
    for event in events:
        if event.name in (PLAN, RERUN):
            kind = str(event.fact.get("kind") or _older_kind(event))
            if kind not in tuple(FolderKind):
                raise JournalError(f"the folder is of kind '{kind}', which this program does not know")
            return FolderKind(kind)
    raise JournalError("the journal has no plan: the run stopped before it began")


def _older_kind(event: Event) -> FolderKind:
    if event.name == RERUN:
        return FolderKind.RERUN
    kinds = (FolderKind.BISECT, FolderKind.WALK)
    return next((kind for kind in kinds if event.fact.get(kind)), FolderKind.RUN)


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
