# SPDX-License-Identifier: GPL-2.0-only
"""Counters as evidence: what a test must have moved for its PASS to mean something, and totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from results.model.run import CounterChange, Evidence, PlannedTest

WATCHED = ("thp_", "nr_page_table_pages", "meminfo.PageTables")
"""How the names of the counters begin that are read before and after every test."""
MEMINFO = "meminfo."
_READABLE = re.compile(
    r"[a-z][a-z0-9_]*|meminfo\.[A-Za-z][A-Za-z0-9_()]*|/(?:proc|sys)/[\w.+/-]+(?::[\w.()-]+)?", re.ASCII
)


def is_watched(counter: str, watch: Iterable[str] = ()) -> bool:
    """Tell whether the guest program reads a counter; absent is only what was looked for."""
    return counter.startswith(WATCHED) or (counter in watch and is_readable(counter))


def is_readable(counter: str) -> bool:
    """Tell whether a name can be one of /proc/vmstat, of `meminfo.FIELD`, or of `FILE[:NAME]`."""
    return bool(_READABLE.fullmatch(counter))


def unmet_evidence(counters: Mapping[str, CounterChange], test: PlannedTest) -> str | None:
    """Say which evidence is missing, or None if the test has really exercised what it is for."""
    for wanted in test.evidence:
        reason = _unmet(counters.get(wanted.counter), wanted)
        if reason and wanted.counter not in counters and not is_watched(wanted.counter, test.watch):
            return f"{wanted.counter} was not watched"
        if reason:
            return reason
    return None


def _unmet(change: CounterChange | None, wanted: Evidence) -> str | None:
    if change is None or change.delta is None:
        return f"{wanted.counter} is absent"
    if change.delta < wanted.at_least:
        return f"{wanted.counter} rose by {change.delta}, at least {wanted.at_least} was expected"
    return None


def total_change(changes: Iterable[Mapping[str, CounterChange]], counter: str) -> int | None:
    """Add up a counter's change over several tests; None if no test saw the counter."""
    deltas = [
        change.delta
        for counters in changes
        if (change := counters.get(counter)) is not None and change.delta is not None
    ]
    return sum(deltas) if deltas else None


def is_level(counter: str) -> bool:
    """Whether a name of /proc/vmstat is a level, which moves with all that runs, not with the test alone."""
    return counter.startswith("nr_")
