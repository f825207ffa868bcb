# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Element, Error, Failure, JUnitXml, Skipped, TestCase

from results.model.run import Boot, BootEnd, Cell, Run, Verdict
from results.reports.ci.junit import to_junit
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import TESTS
from tests.samples.sample_run import green_run, hostile_run, regression_run, troubled_run

ReadBack = Callable[[Run], JUnitXml]


@pytest.fixture
def read_back(tmp_path: Path) -> ReadBack:
    def write_and_read(run: Run) -> JUnitXml:
        (tmp_path / "junit.xml").write_text(to_junit(run), encoding="utf-8")
        return JUnitXml.fromfile(str(tmp_path / "junit.xml"))

    return write_and_read


def cases(report: JUnitXml, arch: str) -> dict[str, TestCase]:
    suite = next(suite for suite in report if suite.name == arch)
    return {f"{case.classname}/{case.name}": case for case in suite}


def outcome(case: TestCase) -> list[type[Element]]:
    return [type(result) for result in case.result]


def test_a_green_run_is_all_passes(read_back: ReadBack) -> None:
    report = read_back(green_run())
    assert [suite.name for suite in report] == ["run", "x86_64", "arm64"]
    assert (report.failures, report.errors) == (0, 0)
    assert all(case.is_passed for suite in report for case in suite)


def test_every_test_is_one_case_under_its_architecture_and_suite(read_back: ReadBack) -> None:
    found = cases(read_back(green_run()), "arm64")
    for name in TESTS:
        suite, case = name.split(".")
        assert f"arm64.{suite}/{case}" in found


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.UNCHANGED, []),
        (Verdict.FIXED, []),
        (Verdict.UNSUPPORTED, [Skipped]),
        (Verdict.NOT_EXERCISED, [Skipped]),
        (Verdict.FAILS_ON_BOTH, [Failure]),
        (Verdict.FLAKY, [Failure]),
        (Verdict.INFRASTRUCTURE, [Error]),
        (Verdict.REGRESSION, [Failure]),
    ],
)
def test_a_verdict_becomes_what_junit_has_for_it(
    read_back: ReadBack, verdict: Verdict, expected: list[type[Element]]
) -> None:
    run = green_run()
    arch = run.arches[0]
    judged = replace(arch.tests[0], verdict=verdict, reason="for this reason")
    report = read_back(replace(run, arches=(replace(arch, tests=(judged, *arch.tests[1:])),)))
    case = cases(report, "x86_64")["x86_64.thp_pmd_split/partial_munmap"]
    assert outcome(case) == expected
    if expected:
        assert case.result[0].message == f"{verdict}: for this reason"


def test_a_case_has_what_gitlab_and_jenkins_show(read_back: ReadBack, tmp_path: Path) -> None:
    found = cases(read_back(regression_run()), "arm64")
    case = found["arm64.thp_pmd_split/partial_mremap"]
    element = case._elem
    assert "logs/arm64-series-1.log:" in (case.system_out or "")
    assert float(element.get("time")) >= 0
    assert [child.tag for child in element] == ["failure", "system-out"]
    assert "expected 0x5a in the moved half" in case.result[0].text
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root.tag == "testsuites"
    assert {suite.tag for suite in root} == {"testsuite"}


ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "group", "time", "skipped"),
        *("timestamp", "hostname", "id", "package", "file", "log", "url"),
    },
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
    "system-err": set(),
}
"""What the schema of Jenkins' xunit plugin allows (junit-10.xsd)."""


@pytest.mark.parametrize(
    "run", [green_run(), regression_run(), hostile_run()], ids=["green", "bad", "hostile"]
)
def test_jenkins_takes_the_file(read_back: ReadBack, tmp_path: Path, run: Run) -> None:
    read_back(run)
    for element in ElementTree.parse(tmp_path / "junit.xml").iter():
        assert set(element.keys()) <= ATTRIBUTES[element.tag], element.tag
        if element.tag.startswith("testsuite"):
            assert re.fullmatch(r"[0-9]+\.[0-9]{3}", element.get("time", "0.000"))


def test_the_type_of_a_failure_is_its_verdict(read_back: ReadBack) -> None:
    found = cases(read_back(regression_run()), "arm64")
    assert found["arm64.thp_pmd_split/partial_mremap"].result[0].type == "regression"
    assert found["arm64.pmd_split/mlock"].result[0].type == "flaky"


def test_output_of_both_kernels_is_kept_and_capped(read_back: ReadBack) -> None:
    run = green_run()
    cell = run.cells[1]
    boot = cell.boots[0]
    loud = replace(boot.tests[0], output=tuple(f"line {n}" for n in range(10_000)))
    cell = replace(cell, boots=(replace(boot, tests=(loud, *boot.tests[1:])),))
    report = read_back(replace(run, cells=(run.cells[0], cell, *run.cells[2:])))
    output = cases(report, "x86_64")["x86_64.thp_pmd_split/partial_munmap"].system_out
    assert "=== base: PASS (logs/x86_64-base-1.log:31-35) ===\nTAP version 13" in output
    assert "=== series: PASS" in output
    assert "lines left out" in output
    assert output.endswith("line 9999")
    assert len(output) < 20_000


def test_the_kernel_has_cases_too(read_back: ReadBack) -> None:
    found = cases(read_back(troubled_run()), "x86_64")
    assert outcome(found["x86_64.kernel/base builds"]) == []
    assert outcome(found["x86_64.kernel/base boots"]) == []
    assert found["x86_64.kernel/series boots"].result[0].type == "panic"
    splat = found["x86_64.kernel/splat bug:mm/huge_memory.c:__split_huge_pmd_locked"]
    assert "logs/x86_64-series-1.log:31-38" in splat.result[0].text
    assert "RIP: 0010:__split_huge_pmd_locked" in splat.result[0].text


def test_a_build_that_could_not_be_done_is_an_error_and_leaves_the_rest_skipped(read_back: ReadBack) -> None:
    found = cases(read_back(troubled_run()), "arm64")
    assert outcome(found["arm64.kernel/series builds"]) == [Error]
    assert outcome(found["arm64.kernel/series boots"]) == [Skipped]
    assert outcome(found["arm64.kernel/no new compiler warnings"]) == [Skipped]


def test_new_warnings_and_broken_claims_fail(read_back: ReadBack) -> None:
    found = cases(read_back(regression_run()), "arm64")
    warnings = found["arm64.kernel/no new compiler warnings"].result[0]
    assert "mm/huge_memory.c:2871: unused variable" in warnings.text
    assert outcome(found["arm64.kernel/claim thp_split_pmd_failed"]) == []
    assert outcome(found["arm64.kernel/claim thp_split_page"]) == [Failure]


def test_a_retried_machine_fault_is_no_error(read_back: ReadBack) -> None:
    run = green_run()
    good = run.cells[0].boots[0]
    lost = replace(good, end=BootEnd.MACHINE, detail="QEMU died", tests=())
    assert outcome(boots_case(read_back, run, (lost, good))) == []
    assert outcome(boots_case(read_back, run, (lost,))) == [Error]


def boots_case(read_back: ReadBack, run: Run, boots: tuple[Boot, ...]) -> TestCase:
    cell = run.cells[0]
    report = read_back(replace(run, cells=(Cell(cell.arch, cell.variant, cell.build, boots), *run.cells[1:])))
    return cases(report, "x86_64")["x86_64.kernel/base boots"]


def test_an_incomplete_run_never_looks_green(read_back: ReadBack) -> None:
    report = read_back(replace(green_run(), complete=False, arches=()))
    assert report.errors == 1


def test_the_stand_in_is_marked(read_back: ReadBack) -> None:
    suite = next(suite for suite in read_back(green_run()) if suite.name == "arm64")
    properties = {item.name: item.value for item in suite.properties()}
    assert properties["series"] == "[PATCH v3 0/4] mm: let PMD splits fail [stand-in]"


def test_hostile_text_does_not_break_the_file(read_back: ReadBack, tmp_path: Path) -> None:
    report = read_back(hostile_run())
    assert sum(1 for suite in report for _ in suite) > 2 * len(TESTS)
    text = (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>" not in text
    assert "\\x1b[31mred" in text


def test_a_test_is_judged_by_its_numbers_if_they_are_worse(read_back: ReadBack) -> None:
    found = cases(read_back(measured_run()), "x86_64")
    assert outcome(found["x86_64.fault_sweep/mincore"]) == [Skipped]
    assert "none could be made to fail" in found["x86_64.fault_sweep/mincore"].result[0].message
    assert "mremap_move breaks at n = 3" in found["x86_64.fault_sweep/mremap_move"].result[0].text
    assert found["x86_64.pgtable_cost/cost"].is_passed
    assert outcome(found["x86_64.fault_sweep/mbind"]) == [Skipped]
    assert found["x86_64.fault_sweep/mbind"].result[0].message.startswith("not exercised: ")
