# SPDX-License-Identifier: GPL-2.0-only
"""A finding of one architecture: a verdict and its words."""

from __future__ import annotations

from dataclasses import dataclass

from results.model.run import SEVERITY, Measured, TestComparison, Verdict

SURE = 2
"""Failing boots that make a regression; fewer make a flaky test."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that can be said of an architecture."""

    verdict: Verdict
    text: str


def says_more(measured: Measured, test: TestComparison) -> bool:
    """Tell whether what a test measured is worth a finding next to the test's own result."""
    if measured.reason == test.reason or test.known_gap:
        return False
    return measured.verdict is Verdict.REGRESSION or SEVERITY[measured.verdict] > SEVERITY[test.verdict]
