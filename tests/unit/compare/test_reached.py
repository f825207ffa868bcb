# SPDX-License-Identifier: GPL-2.0-only
"""The judgement of changed lines: ran, ran only with failures, did not run, not compiled."""

from __future__ import annotations

import pytest

from results.compare.reached.judge import CountedArch, counted_tests, judge_reached
from results.compare.verdict import run_verdict
from results.model.reached import BOOT, Reach, ReachedRun
from results.model.run import ICOUNT, PlannedTest, Verdict
from tests.samples.reached_lines import PLANNED, changed_files, counted, reached_run
from tests.samples.sample_parts import build_of
from tests.samples.sample_run import green_run, regression_run


def reaches(run: ReachedRun) -> dict[str, Reach]:
    return {f"{line.path}:{line.number}": line.reach for line in run.lines}


def test_each_line_of_code_gets_the_best_of_all_architectures() -> None:
    run = reached_run()
    assert reaches(run) == {
        "mm/huge_memory.c:11": Reach.REACHED,
        "mm/huge_memory.c:12": Reach.REACHED,
        "mm/huge_memory.c:13": Reach.FAULT_ONLY,
        "mm/huge_memory.c:14": Reach.NOT_REACHED,
        "fs/dax.c:12": Reach.NOT_COMPILED,
        "fs/dax.c:13": Reach.NOT_COMPILED,
    }
    assert (run.total.reached, run.total.lines, run.total.fault_only) == (3, 4, 1)
    assert [(share.name, share.reached, share.lines) for share in run.patches] == [("1", 3, 4), ("2", 0, 0)]
    assert [(each.share.name, each.share.reached) for each in run.kernels] == [("x86_64", 3), ("arm64", 1)]


def test_a_line_names_its_tests_in_the_order_of_the_plan() -> None:
    line = next(line for line in reached_run().lines if line.number == 12)
    x86_64, arm64 = line.arches
    assert x86_64.tests == ("pmd_split.munmap", "fault_sweep.munmap", "fault_sweep.munmap_unharmed")
    assert (arm64.reach, arm64.tests) == (Reach.NOT_REACHED, ())


def test_a_line_that_is_not_compiled_names_the_symbol() -> None:
    line = next(line for line in reached_run().lines if line.path == "fs/dax.c")
    assert line.arches[0].why == "CONFIG_FS_DAX is not set"


def test_a_line_of_one_architecture_counts_there_only() -> None:
    arches = (counted("x86_64", {BOOT: (11,)}), counted("arm64", {}, dax=True))
    run = judge_reached(changed_files(), PLANNED, arches)
    line = next(line for line in run.lines if (line.path, line.number) == ("fs/dax.c", 12))
    assert [each.reach for each in line.arches] == [Reach.NOT_COMPILED, Reach.NOT_REACHED]
    assert [each.share.lines for each in run.kernels] == [4, 6]
    assert run.lines[0].arches[0].tests == (BOOT,)


def test_paths_of_errors_come_first() -> None:
    lines = {"a.c": ("\tcount++;",), "b.c": ("\treturn -ENOMEM;",), "c.c": ("\tgoto err_unlock;",)}
    arch = counted("x86_64", {})
    arch.facts["x86_64-reached-1"].code.update(dict.fromkeys(lines, (11,)))
    run = judge_reached(changed_files(lines), PLANNED, (arch,))
    assert [line.path for line in run.unreached] == ["b.c", "c.c", "a.c"]


def test_what_two_boots_ran_is_added_up() -> None:
    first, second = counted("x86_64", {BOOT: (11,)}), counted("x86_64", {"pmd_split.munmap": (14,)})
    first.facts["x86_64-reached-2"] = second.facts["x86_64-reached-1"]
    assert judge_reached(changed_files(), PLANNED, (first,)).total.reached == 2


def test_an_architecture_whose_kernel_does_not_build_is_unknown() -> None:
    run = judge_reached(changed_files(), PLANNED, (CountedArch("x86_64", build_of("x86_64", "reached")),))
    assert run.lines == ()
    assert run.kernels[0].error == "no boot reported counters"
    assert judge_reached(changed_files(), PLANNED, (CountedArch("arm64"),)).kernels[0].error


@pytest.mark.parametrize(
    ("percent", "verdict", "code"), ((75.0, Verdict.UNCHANGED, 0), (76.0, Verdict.NOT_EXERCISED, 3))
)
def test_a_claimed_share_that_is_not_reached_is_no_regression(
    percent: float, verdict: Verdict, code: int
) -> None:
    found = run_verdict(green_run().arches, reached=reached_run(percent))
    assert (found.verdict, found.exit_code) == (verdict, code)
    assert ("claims 76 %" in found.headline) == bool(code)


def test_a_regression_stays_one_whatever_was_reached() -> None:
    assert run_verdict(regression_run().arches, reached=reached_run(100.0)).exit_code == 1


def test_a_kernel_with_counters_runs_each_test_once_and_sweeps_also_unharmed() -> None:
    counting = PlannedTest("cost.fault", ("/bin/cost",), 30.0, needs=(ICOUNT,))
    twice = PlannedTest("cost.boots", ("/bin/cost",), 30.0, boots=2)
    tests = counted_tests((*PLANNED, counting, twice))
    assert [(test.name, test.boots, test.argv[1:]) for test in tests] == [
        ("pmd_split.munmap", 1, ("munmap",)),
        ("fault_sweep.munmap", 1, ("munmap",)),
        ("fault_sweep.munmap_unharmed", 1, ("--unharmed", "munmap")),
        ("cost.boots", 1, ()),
    ]
