# SPDX-License-Identifier: GPL-2.0-only
"""A finding of one architecture: a verdict and its words."""

from __future__ import annotations

from dataclasses import dataclass

from results.model.run import Verdict

SURE = 2
"""Failing boots that make a regression; fewer make a flaky test."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that can be said of an architecture."""

    verdict: Verdict
    text: str
