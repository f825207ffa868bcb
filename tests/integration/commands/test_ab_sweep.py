# SPDX-License-Identifier: GPL-2.0-only
"""Series that sweeps find, in the order of their objects.

The first goes on with those of test_ab and test_ab_killed, the second with a kernel that test_arches needs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.shipped import CONFIGS
from tests.integration.commands.test_ab import FIXTURES, STAND_IN, arch_of, folder_of
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LAZY = CONFIGS / "series" / "thp-lazy-pgtable-standin"


MINCORE = """\
name: {suite}
about: mincore()
program:
  name: fault_sweep
  wrapper: true
needs: [thp]
evidence: {{thp_fault_alloc: 1}}
timeout_seconds: 90
cases:
  mincore: {{args: [{options}mincore]}}
"""


def test_a_retry_without_end_is_found_only_by_failures_that_last(
    thp_harness: Program, ab_run: Answer, tmp_path: Path
) -> None:
    """One failure does it no harm; while all allocations fail, SIGKILL does not end it.

    The call takes a CPU for good. Either the sweep says so, or the kernel's soft lockup detector comes first.
    """
    suites = []
    for suite, options in (("fault_sweep", ""), ("fault_sweep_lasting", "--lasting, ")):
        record = tmp_path / f"{suite}.yaml"
        record.write_text(MINCORE.format(suite=suite, options=options), encoding="utf-8")
        suites += ["--tests", str(record)]
    folder = tmp_path / "retries-without-end"
    shutil.copytree(STAND_IN, folder)
    shutil.copytree(FIXTURES / "retries-without-end", folder, dirs_exist_ok=True)
    answer = thp_harness("run", "--arch", "x86_64", "--series", str(folder), *suites, "--json", timeout=1800)
    arch = arch_of(answer)
    verdicts = {test["name"]: test["verdict"] for test in arch["tests"]}
    assert answer.code == 1
    assert verdicts == {"fault_sweep.mincore": "unchanged", "fault_sweep_lasting.mincore": "regression"}
    (sweep,) = [sweep for sweep in arch["measurements"] if sweep["verdict"] == "regression"]
    assert "mincore breaks at n = 1" in answer.json["headline"]
    log = (folder_of(answer) / "logs" / "x86_64-series-1.log").read_text(encoding="utf-8")
    rows = [(row["n"], row["result"], row["why"]) for row in sweep["series"]["rows"]]
    if rows:
        assert rows == [(1, "unending", "cannot_be_killed"), (2, "ok", "")]
        backtraces = log.partition("sysrq: Show backtrace of all active CPUs")[2]
    else:
        assert "the test was cut short" in sweep["reason"]
        backtraces = log.partition("BUG: soft lockup")[2]
    assert "sys_mincore+0x" in backtraces


@pytest.fixture
def lazy_kernel(thp_harness: Program, ab_run: Answer) -> None:
    """The stand-in's kernel, whose objects a fixture on top of it goes on with."""
    answer = thp_harness("run", "--arch", "x86_64", "--series", LAZY.name, "--tests", "small_pages")
    assert answer.code == 0, answer.stderr


def test_a_failed_split_that_is_ignored_is_found_by_the_sweep(
    thp_harness: Program, lazy_kernel: None, tmp_path: Path
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
