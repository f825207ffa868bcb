# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of a series ran, on a real kernel with counters."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.shipped import CONFIGS
from tests.integration.conftest import SMALL_SERIES
from tests.program import Answer, Program

pytestmark = pytest.mark.nightly  # a kernel with counters is compiled from nothing

FIXTURE = Path(__file__).parents[2] / "fixtures" / "series" / "unreached-error"


@pytest.fixture(scope="module")
def reached_run(thp_harness: Program, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    folder = tmp_path_factory.mktemp("series") / "unreached-error"
    shutil.copytree(CONFIGS / "series" / SMALL_SERIES, folder)
    shutil.copytree(FIXTURE, folder, dirs_exist_ok=True)
    tests = ("--tests", "pmd_split")
    return thp_harness("run", "--arch", "x86_64", "--series", str(folder), *tests, "--reached", "--json")


@pytest.fixture(scope="module")
def lines(reached_run: Answer) -> dict[str, Any]:
    """The lines of the fixture's patch, by their text."""
    found = reached_run.json["reached"]["lines"]
    return {line["text"].strip(): line for line in found if line["patch"] == 3}


def test_a_line_on_the_way_of_each_split_ran_in_the_tests_that_split(lines: dict[str, Any]) -> None:
    check = lines["if (address & 1) {"]
    (x86_64,) = check["arches"]
    assert check["reach"] == "reached"
    assert "pmd_split.munmap" in x86_64["tests"]


def test_the_path_of_an_error_that_never_happens_is_told_first(
    reached_run: Answer, lines: dict[str, Any]
) -> None:
    assert lines["return -EFAULT;"]["reach"] == "not reached"
    assert lines["return -EFAULT;"]["on_error"]
    assert "changed lines ran nowhere" in (Path(reached_run.json["run_dir"]) / "report.html").read_text()


def test_code_of_the_start_ran_in_no_test(lines: dict[str, Any]) -> None:
    assert lines['pr_info("fixture: started\\n");']["arches"][0]["tests"] == ["boot"]


def test_a_macro_counts_where_it_is_used(lines: dict[str, Any]) -> None:
    assert lines["FIXTURE_REFUSE(!address);"]["reach"] == "reached"
    assert "return -EINVAL;			\\" not in lines


def test_no_line_of_a_comparison_depends_on_the_kernel_with_counters(reached_run: Answer) -> None:
    assert {cell["variant"] for cell in reached_run.json["cells"]} == {"base", "series"}
    assert reached_run.json["exit_code"] in (0, 3)
