# SPDX-License-Identifier: GPL-2.0-only
"""What the leaves of a test mean for the test: its verdict is never better than theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from results.compare.known import EXCUSED
from results.compare.leaves import GONE, NOT_REACHED
from results.compare.verdict import GREEN, most_serious
from results.model.run import SEVERITY, LeafComparison, Status, TestComparison, Verdict
from results.text import amount

_NAMES_SHOWN = 3


def roll_up(test: TestComparison) -> TestComparison:
    """Take the leaves of a test into its verdict and reason, but for those that are known to fail."""
    rest = [leaf for leaf in test.leaves if not leaf.known_failure]
    worst = most_serious([leaf.verdict for leaf in rest])
    if test.verdict in EXCUSED and (known := _known(test.leaves)):
        if worst in GREEN:
            return replace(test, known_failure=known)
        return replace(test, verdict=worst, reason=f"{_words(rest, worst)}; known failure: {known}")
    if SEVERITY[worst] > SEVERITY[test.verdict]:
        return replace(
            test, verdict=worst, reason="; ".join(filter(None, (_words(rest, worst), test.reason)))
        )
    if test.verdict is Verdict.FAILS_ON_BOTH and (also := _words(rest, Verdict.NOT_EXERCISED)):
        return replace(test, reason=f"{test.reason}; {also}")
    return test


def _known(leaves: Sequence[LeafComparison]) -> str:
    """Say why all that fails may fail; empty if something does that may not."""
    failing = [leaf for leaf in leaves if leaf.verdict is not Verdict.FIXED and _fails(leaf)]
    if not all(leaf.known_failure for leaf in failing):
        return ""
    return "; ".join(dict.fromkeys(leaf.known_failure for leaf in failing))


def _fails(leaf: LeafComparison) -> bool:
    return bool(leaf.base.failures or leaf.series.failures)


def _words(leaves: Sequence[LeafComparison], verdict: Verdict) -> str:
    """Put the leaves with a verdict in words: how many, which, and why the first."""
    groups: dict[str, list[LeafComparison]] = {}
    for leaf in leaves:
        if leaf.verdict is verdict:
            groups.setdefault(_what_happened(leaf), []).append(leaf)
    return "; ".join(_sentence(what, group) for what, group in groups.items())


def _what_happened(leaf: LeafComparison) -> str:
    match leaf.verdict:
        case Verdict.REGRESSION:
            return "failing only with the series"
        case Verdict.FLAKY:
            return "failing now and then"
        case Verdict.FAILS_ON_BOTH:
            return "failing on both kernels"
    if leaf.series.reason in (GONE, NOT_REACHED):
        return leaf.series.reason
    if leaf.series.failures:
        return "failing with the series, not exercised on base"
    return (
        "skipped with the series" if leaf.series.status is Status.SKIP else "without a result with the series"
    )


def _sentence(what: str, leaves: Sequence[LeafComparison]) -> str:
    first = leaves[0]
    why = "" if first.series.reason in (GONE, NOT_REACHED) else first.series.reason or first.base.reason
    named = [leaf.name for leaf in leaves if leaf.name]
    if not named:
        return f"the test itself {what}: {why}"
    shown = ", ".join(named[:_NAMES_SHOWN])
    more = f" and {len(named) - _NAMES_SHOWN} more" if len(named) > _NAMES_SHOWN else ""
    subtests = amount(len(named), "subtest")
    return f"{subtests} {what}: {shown}{more}" + (f" ({why})" if why else "")
