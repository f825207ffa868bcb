# SPDX-License-Identifier: GPL-2.0-only
"""Recorded runs, and what the exports are expected to make of them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from results.journal.assemble import assemble
from results.model.run import Run

RUNS = Path(__file__).parents[1] / "golden" / "runs"
NAMES = tuple(sorted(path.name for path in RUNS.iterdir() if path.is_dir()))
WRITE = "THP_HARNESS_WRITE_GOLDEN"


@cache
def golden_run(name: str) -> Run:
    return assemble(RUNS / name)


def check_golden(name: str, kind: str, text: str) -> None:
    """Compare with what was expected; or expect it from now on, if the developer says so."""
    path = RUNS / name / "expected" / kind
    if os.environ.get(WRITE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} is out of date; see its README"
