# SPDX-License-Identifier: GPL-2.0-only
"""What is running now, from the journals of folders that have no end yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.dashboard.site import SCRIPTS, STYLES, environment
from results.journal.assemble import read_plan
from results.journal.journal import (
    END,
    INTERRUPTED,
    JOURNAL,
    BootFact,
    Event,
    JournalError,
    PlanFact,
    decode,
    read_events,
)
from results.model.run import Build
from results.reports.html.web_page import page_values

_MOST_RUNS = 5
_ENDS = (END, INTERRUPTED)


@dataclass(frozen=True, slots=True)
class LiveCell:
    """One kernel on one architecture, as far as it has come."""

    arch: str
    variant: str
    build: Build | None
    boots: Sequence[BootFact]

    @property
    def words(self) -> str:
        """How far it has come."""
        if self.build is None:
            return "not built yet"
        if not self.build.ok:
            return "does not build"
        if not self.boots:
            return "built from the cache" if self.build.cached else "built"
        return ", ".join(f"{boot.purpose} boot: {boot.end}" for boot in self.boots)


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run in progress."""

    plan: PlanFact
    began: str
    last: str
    cells: Sequence[LiveCell]


def live_page(folders: Iterable[Path]) -> str:
    """Render the page of runs in progress; it reloads itself every few seconds."""
    running = [run for run in map(_look, folders) if run][-_MOST_RUNS:]
    made = environment()
    return made.get_template("live.html").render(runs=running[::-1], **page_values(made, STYLES, SCRIPTS))


def _look(folder: Path) -> LiveRun | None:
    if not (folder / JOURNAL).is_file():
        return None
    try:
        events = list(read_events(folder))
        plan = read_plan(events)
        if events[-1].name in _ENDS:
            return None
        return LiveRun(plan, _clock(events[0]), _clock(events[-1]), _cells(plan, events))
    except JournalError:
        return None


def _clock(event: Event) -> str:
    return event.time.strftime("%Y-%m-%d %H:%M:%S UTC")


def _cells(plan: PlanFact, events: Sequence[Event]) -> list[LiveCell]:
    found: dict[tuple[str, str], tuple[Build | None, list[BootFact]]] = {
        (arch, variant): (None, []) for arch in plan.arches for variant in plan.variants
    }
    for event in events:
        if event.name == "build":
            build = decode(Build, event)
            found[build.arch, build.variant] = (build, found.get((build.arch, build.variant), (None, []))[1])
        elif event.name == "boot":
            boot = decode(BootFact, event)
            found.setdefault((boot.arch, boot.variant), (None, []))[1].append(boot)
    return [LiveCell(arch, variant, build, boots) for (arch, variant), (build, boots) in found.items()]
