# SPDX-License-Identifier: GPL-2.0-only
"""A series that forgets a failed split; it comes before test_arches, which goes on with its objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.shipped import CONFIGS
from tests.integration.commands.test_ab import FIXTURES, arch_of
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LAZY = CONFIGS / "series" / "thp-lazy-pgtable-standin"


def test_a_failed_split_that_is_ignored_is_found_by_the_sweep(
    thp_harness: Program, ab_run: Answer, tmp_path: Path
) -> None:
    """The operation and the allocation are named; without a failing allocation nothing is wrong."""
    folder = tmp_path / "ignores-failed-split"
    shutil.copytree(LAZY, folder)
    shutil.copytree(FIXTURES / "ignores-failed-split", folder, dirs_exist_ok=True)
    suites = ("--tests", "pmd_split", "--tests", "fault_sweep")
    answer = thp_harness("run", "--arch", "x86_64", "--series", str(folder), *suites, "--json", timeout=1800)
    arch = arch_of(answer)
    assert (answer.code, arch["verdict"]) == (1, "regression")
    bad = {test["name"]: test["reason"] for test in arch["tests"] if test["verdict"] == "regression"}
    assert list(bad) == ["fault_sweep.madv_dontneed"]
    (sweep,) = [sweep for sweep in arch["measurements"] if sweep["verdict"] == "regression"]
    assert sweep["subject"] == "madv_dontneed"
    wrong = [row["n"] for row in sweep["series"]["rows"] if row["why"]]
    assert wrong == [1]
    assert "madv_dontneed" in answer.json["headline"]
