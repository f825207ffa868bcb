# SPDX-License-Identifier: GPL-2.0-only
"""Counters as evidence: what a test must have moved for its PASS to mean something, and totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from results.model.run import CounterChange, Evidence


def unmet_evidence(counters: Mapping[str, CounterChange], evidence: Iterable[Evidence]) -> str | None:
    """Say which evidence is missing, or None if the test has really exercised what it is for."""
    for wanted in evidence:
        reason = _unmet(counters.get(wanted.counter), wanted)
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
