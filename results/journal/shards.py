# SPDX-License-Identifier: GPL-2.0-only
"""Joins the shards of a plan into one run: a folder with the facts of all of them.

Cells of a missing shard are recorded as not built, so that an incomplete join is never taken for complete.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from results.files import copy_tree
from results.journal.assemble import commit_of, never_built, read_plan
from results.journal.journal import (
    END,
    INTERRUPTED,
    JOURNAL,
    VARIANTS,
    Event,
    JournalError,
    PlanFact,
    ShardFact,
    is_complete,
    journal_line,
    lacks_facts,
    read_events,
)
from results.model.run import Build

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}[A-Za-z0-9_.+@:-]*")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_MOST_BYTES = 4 << 30
"""Of the console logs, and of the initramfs, of one shard."""
KEPT = ("build", "boot", "twin")
FOLDERS = ("logs", "boots")
JOIN = "join"
"""Event that names the runs of the shards."""
JOINED = "joined "
"""Prefix of the digest of a joined plan: its folder is never resumed."""


class ShardsError(ValueError):
    """The folders are not shards of one run."""


@dataclass(frozen=True, slots=True)
class PastShard:
    """The run of one shard."""

    folder: Path
    events: tuple[Event, ...]
    plan: PlanFact
    shard: ShardFact

    @property
    def ended(self) -> bool:
        """Whether the run is complete."""
        return is_complete(self.events)


def read_shards(folders: Iterable[Path]) -> tuple[PastShard, ...]:
    """Read the shards in some run folders; returns them by number.

    Raises:
        ShardsError: without a shard, for different plans, or for a shard that is given twice.
    """
    shards = sorted(map(_read, folders), key=lambda past: past.shard.number)
    if not shards:
        raise ShardsError("there is no run folder")
    first = shards[0]
    for past in shards:
        if past.shard.plan != first.shard.plan:
            raise ShardsError(
                f"{first.folder} and {past.folder} are shards of different plans: sources, tests, "
                "configuration, architectures, the number of shards, or the versions of the program differ"
            )
    for one, other in pairwise(shards):
        if one.shard.number == other.shard.number:
            raise ShardsError(f"{one.folder} and {other.folder} are both shard {_called(one.shard)}")
    return tuple(shards)


def _read(folder: Path) -> PastShard:
    try:
        events = tuple(read_events(folder))
        plan = read_plan(events)
    except JournalError as error:
        raise ShardsError(f"{folder}: {error}") from None
    if plan.shard is None:
        raise ShardsError(f"{folder} is no shard: it was run without --shard")
    shard = plan.shard
    if not (_RUN_ID.fullmatch(plan.id) and _DIGEST.fullmatch(shard.plan)):
        raise ShardsError(f"{folder} is no shard: {plan.id[:80]!r} of plan {shard.plan[:80]!r}")
    if not 1 <= shard.number <= len(shard.parts):
        raise ShardsError(f"{folder} is no shard: it is number {shard.number} of {len(shard.parts)}")
    if lacks_facts(events):
        raise ShardsError(
            f"{folder}: a line of {JOURNAL} is damaged: run the shard again, which does what is lost again"
        )
    return PastShard(folder, events, plan, shard)


def _called(shard: ShardFact) -> str:
    return f"{shard.number}/{len(shard.parts)}"


def missing(shards: Sequence[PastShard]) -> tuple[ShardFact, ...]:
    """Return the shards of the plan that are missing."""
    first, present = shards[0].shard, {past.shard.number for past in shards}
    numbers = range(1, len(first.parts) + 1)
    return tuple(replace(first, number=number) for number in numbers if number not in present)


def is_joined_of(run_dir: Path, shards: Sequence[PastShard]) -> bool:
    """Return whether a folder is an earlier join of some of these shards."""
    try:
        events = list(read_events(run_dir))
    except JournalError:
        return False
    ours = {past.plan.id for past in shards}
    return any(event.name == JOIN and ours & set(map(str, event.fact.get("runs") or ())) for event in events)


def write_joined(shards: Sequence[PastShard], run_dir: Path) -> None:
    """Write the folder of the joined run; it must be empty.

    Raises:
        OSError: if it can't be written.
    """
    begun = min(past.events[0].time for past in shards)
    over = max(past.events[-1].time for past in shards)
    lines = [journal_line(begun, "plan", asdict(_plan(shards, run_dir.name)))]
    lines.append(journal_line(begun, JOIN, {"runs": [past.plan.id for past in shards]}))
    for past in shards:
        lines += [journal_line(each.time, each.name, each.fact) for each in past.events if each.name in KEPT]
        for name in FOLDERS:
            copy_tree(past.folder / name, run_dir / name, _MOST_BYTES)
    lines += [journal_line(over, "build", asdict(build)) for build in _never_built(shards)]
    lines.append(journal_line(over, END if all(past.ended for past in shards) else INTERRUPTED, {}))
    (run_dir / JOURNAL).write_bytes(b"".join(lines))


def _plan(shards: Sequence[PastShard], name: str) -> PlanFact:
    """Return the joined plan, with the facts of all machines."""
    plans = [past.plan for past in shards]
    first, shard = plans[0], shards[0].shard
    return replace(
        first,
        id=name,
        arches=shard.arches,
        command=_without_shard(first.command),
        host=_hosts(shards),
        allow_unexercised=_all(plan.allow_unexercised for plan in plans),
        known_gaps=_all(plan.known_gaps for plan in plans),
        known_failures=_all(plan.known_failures for plan in plans),
        day=max(plan.day for plan in plans),
        digest=JOINED + shard.plan,
        shard=None,
    )


def _all(parts: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(each for part in parts for each in part))


def _without_shard(command: Sequence[str]) -> tuple[str, ...]:
    words, kept = iter(command), []
    for word in words:
        if word == "--shard":
            next(words, None)
        elif not word.startswith("--shard="):
            kept.append(word)
    return tuple(kept)


def _hosts(shards: Sequence[PastShard]) -> dict[str, str]:
    """Return the facts of the machines, with the number of machines where they differ."""
    facts: dict[str, Counter[str]] = {}
    for past in shards:
        for key, value in past.plan.host.items():
            facts.setdefault(key, Counter())[value] += 1
    said = {
        key: next(iter(values)) if len(values) == 1 else ", ".join(f"{n} × {v}" for v, n in values.items())
        for key, values in facts.items()
    }
    return {"machines": str(len(shards)), **said}


def _never_built(shards: Sequence[PastShard]) -> list[Build]:
    """Return the builds of missing shards, as failed."""
    plan = shards[0].plan
    return [
        never_built(arch, variant, commit_of(plan, variant), f"shard {_called(lost)} is missing")
        for lost in missing(shards)
        for arch in lost.parts[lost.number - 1]
        for variant in VARIANTS
    ]
