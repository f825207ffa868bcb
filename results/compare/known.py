# SPDX-License-Identifier: GPL-2.0-only
"""Known gaps and known failures: what need not be exercised, and what may fail, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from results.compare.verdict import GAPS, is_exercised
from results.model.run import KnownFailure, KnownGap, Tally, TestComparison, Verdict

NO_LONGER_COMPILES = "no longer compiles with the series"
"""Output of the program that replaces a test which only base's tree can compile; no gap explains that."""
EXCUSED = (Verdict.FAILS_ON_BOTH, Verdict.FLAKY)
"""What a known failure may explain; what base passes and the series always fails is the series' own."""


def gap_of(name: str, verdict: Verdict, base: Tally, series: Tally, gaps: Sequence[KnownGap]) -> str:
    """Say why a test need not be exercised; empty if it must be, or if one kernel did."""
    if base.exercised or series.exercised or verdict not in GAPS or NO_LONGER_COMPILES in series.reason:
        return ""
    return next((gap.reason for gap in gaps if fnmatchcase(name, gap.tests)), "")


def excuse(test: str, leaf: str, reasons: Sequence[str], failures: Sequence[KnownFailure], day: str) -> str:
    """Say why a leaf of a test may fail for these reasons; empty if it may not.

    `leaf` is empty for the end of the test's process, `day` is the run's, as in `KnownFailure.expires`.
    """
    about = (entry for entry in failures if day <= entry.expires and fnmatchcase(test, entry.tests))
    return next((entry.reason for entry in about if _covers(entry, leaf, reasons)), "")


def _covers(entry: KnownFailure, leaf: str, reasons: Sequence[str]) -> bool:
    if leaf and any(leaf == pattern or fnmatchcase(leaf, pattern) for pattern in entry.subtests):
        return True
    return bool(entry.says and reasons) and all(re.search(entry.says, reason) for reason in reasons)


def entry_notes(
    failures: Sequence[KnownFailure], tests: Sequence[TestComparison], day: str
) -> tuple[str, ...]:
    """Say which entries have had their day, or explain nothing that fails."""
    return tuple(note for entry in failures for note in _note(entry, tests, day))


def _note(entry: KnownFailure, tests: Sequence[TestComparison], day: str) -> Iterator[str]:
    about = [test for test in tests if fnmatchcase(test.name, entry.tests) and is_exercised(test)]
    failing = [test for test in about if test.base.failures or test.series.failures]
    if about and not failing:
        yield f"known failure {entry.tests} passes now, remove the entry: {entry.reason}"
    elif failing and entry.expires < day:
        yield f"known failure {entry.tests} expired on {entry.expires} and does not count: {entry.reason}"
    elif failing and not any(_explains(entry, test) for test in failing):
        yield f"known failure {entry.tests} explains nothing that fails now: {entry.reason}"


def _explains(entry: KnownFailure, test: TestComparison) -> bool:
    return any(
        _covers(entry, leaf.name, [tally.reason for tally in (leaf.base, leaf.series) if tally.failures])
        for leaf in test.leaves
        if leaf.base.failures or leaf.series.failures
    )
