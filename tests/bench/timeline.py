# SPDX-License-Identifier: GPL-2.0-only
"""When things happened in a run: from its journal, and from the progress that it told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from results.journal.journal import Event, patch_variant
from tests.bench.bench import BenchError

_REUSED = re.compile(
    r"^(?P<cell>\S+ \S+): build: from the cache \((?:(?P<minutes>\d+):)?(?P<seconds>[\d.]+) (?:s|min)\)$"
)


def first_verdict(events: Iterable[Event]) -> tuple[str, datetime]:
    """The architecture whose boots, of both kernels, were all done first; and when that was.

    Raises:
        BenchError: if nothing was booted.
    """
    last = {event.fact["arch"]: event.time for event in events if event.name in ("boot", "twin")}
    if not last:
        raise BenchError("the run has booted nothing")
    return min(last.items(), key=lambda item: item[1])


@dataclass(frozen=True, slots=True)
class AfterBase:
    """What a walk did after the last architecture had its kernel of base."""

    share: float
    """Of all kernels of patches, those that were built then."""
    seconds: float


def after_base(events: Iterable[Event]) -> AfterBase:
    """The part of a walk in which nothing was built from nothing.

    Raises:
        BenchError: if the walk ended before, or has built no patch.
    """
    events = list(events)
    builds = [(event.time, event.fact["variant"]) for event in events if event.name == "build"]
    bases = [time for time, variant in builds if variant == patch_variant(0)]
    patches = [time for time, variant in builds if variant != patch_variant(0)]
    if not bases or not patches or max(patches) < max(bases):
        raise BenchError("the walk has built no patch on top of base")
    later = sum(time > max(bases) for time in patches)
    return AfterBase(later / len(patches), (events[-1].time - max(bases)).total_seconds())


def boot_spans(events: Iterable[Event]) -> Sequence[tuple[datetime, datetime]]:
    """When each boot began and ended, in the order of their ends."""
    return [
        (event.time - timedelta(seconds=event.fact["seconds"]), event.time)
        for event in events
        if event.name == "boot"
    ]


def seconds_of(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds in which at least one of the spans was going on."""
    total = timedelta()
    until: datetime | None = None
    for begin, end in sorted(spans):
        if until is None or begin > until:
            until = begin
        if end > until:
            total += end - until
            until = end
    return total.total_seconds()


def reused_builds(progress: Iterable[str]) -> Mapping[str, float]:
    """Cell (`x86_64 base`) → seconds that it took to take its kernel from the cache.

    By the lines that the run told, to a tenth of a second: the journal has no beginnings of builds.
    """
    return {
        found["cell"]: 60 * int(found["minutes"] or 0) + float(found["seconds"])
        for line in progress
        if (found := _REUSED.match(line))
    }
