# SPDX-License-Identifier: GPL-2.0-only
"""The architectures of the default plan, with real kernels on every kind of emulator.

Each change is tested on two of them, which differ in all that the harness knows: built natively and across,
booted by QEMU and by Hercules. Each night has them all: a kernel takes minutes to build.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.series import PlanRecord
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

DEFAULT = find(PlanRecord, "default").arches
SPLITS = ("thp_pmd_split", "pmd_split")
NEED_HUGE_PAGES = (*SPLITS, "fault_sweep", "pgtable_cost")
DEPOSITS = ("powerpc-hash",)
"""Architectures that keep a page table next to each huge page, with the series too."""
EACH_CHANGE = ("x86_64", "s390")
QUICK = tuple(word for suite in (*SPLITS, "small_pages") for word in ("--tests", suite))


@dataclass(frozen=True)
class Matrix:
    """A run on some architectures."""

    names: Sequence[str]
    options: Sequence[str]
    answer: Answer


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(EACH_CHANGE, id="each change"),
        pytest.param(DEFAULT, id="each night", marks=pytest.mark.nightly),
    ],
)
def matrix(request: pytest.FixtureRequest, thp_harness: Program, ab_run: Answer) -> Matrix:
    """The whole default plan is a bare `run`; two of its kernels are in the cache already."""
    names = request.param
    options = () if names == DEFAULT else tuple(word for name in names for word in ("--arch", name))
    return Matrix(names, options, thp_harness("run", *options, "--json", timeout=3000))


@pytest.fixture
def commands_without(tmp_path: Path) -> Any:
    """Makes an environment in which everything can be called that can be here, but for one command."""

    def make(hidden: str) -> Mapping[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for directory in reversed(os.environ["PATH"].split(os.pathsep)):
            for command in Path(directory).glob("*"):
                link = folder / command.name
                link.unlink(missing_ok=True)
                link.symlink_to(command)
        (folder / hidden).unlink()
        return {"PATH": str(folder)}

    return make


def arch_of(answer: Answer, name: str) -> Any:
    return next(arch for arch in answer.json["arches"] if arch["arch"] == name)


def measured(answer: Answer, name: str, measure: str) -> list[Any]:
    return [item for item in arch_of(answer, name)["measurements"] if item["measure"] == measure]


def boots_of(answer: Answer, name: str) -> list[Any]:
    return [boot for cell in answer.json["cells"] if cell["arch"] == name for boot in cell["boots"]]


def verdicts(arch: Any) -> dict[str, str]:
    return {test["name"]: test["verdict"] for test in arch["tests"]}


def test_every_architecture_is_exercised_or_says_why_not(matrix: Matrix) -> None:
    answer = matrix.answer
    assert answer.code == 0, answer.stderr
    assert tuple(arch["arch"] for arch in answer.json["arches"]) == matrix.names
    for arch in answer.json["arches"]:
        assert arch["verdict"] == "unchanged", arch["reasons"]
        for test in arch["tests"]:
            exercised = test["base"]["exercised"] and test["series"]["exercised"]
            assert exercised or test["known_gap"], (arch["arch"], test["name"], test["reason"])


def test_huge_pages_are_really_split_everywhere(matrix: Matrix) -> None:
    for name in matrix.names:
        for test in arch_of(matrix.answer, name)["tests"]:
            if test["name"].startswith("pmd_split.") and not test["known_gap"]:
                for kernel in ("base", "series"):
                    split = test[kernel]["counters"]["thp_split_pmd"]
                    assert split["after"] > split["before"], (name, test["name"], kernel)


def test_a_huge_page_costs_a_page_table_less_where_none_is_deposited(matrix: Matrix) -> None:
    for name in matrix.names:
        (cost,) = measured(matrix.answer, name, "pgtable_cost")
        per_thp = {
            kernel: (cost[kernel]["mapped_bytes"] - cost[kernel]["start_bytes"]) / cost[kernel]["thps"]
            for kernel in ("base", "series")
        }
        if name in DEPOSITS:
            assert per_thp["series"] == pytest.approx(per_thp["base"], rel=0.1)
            assert per_thp["base"] > 0
        else:
            assert per_thp["base"] >= cost["base"]["page_bytes"], name
            assert per_thp["series"] < per_thp["base"] / 10, name
        assert cost["verdict"] == "unchanged", name


def test_splits_really_fail_in_the_sweep_and_every_failure_is_handled(matrix: Matrix) -> None:
    for name in matrix.names:
        sweeps = [sweep for sweep in measured(matrix.answer, name, "fault_sweep") if sweep["base"]["rows"]]
        assert {sweep["verdict"] for sweep in sweeps} <= {"unchanged", "unsupported"}, name
        failed = {
            sweep["subject"]: sum(row["split_failed"] or 0 for row in sweep["series"]["rows"])
            for sweep in sweeps
        }
        if name in DEPOSITS:
            assert sum(failed.values()) == 0
        else:
            assert all(
                failed[operation] for operation in ("munmap", "mprotect_ro", "mremap_move", "madv_dontneed")
            ), name


def test_the_table_and_the_page_have_every_architecture_and_its_machines(
    thp_harness: Program, matrix: Matrix
) -> None:
    table = thp_harness("report", "latest").stdout
    page = (Path(matrix.answer.json["run_dir"]) / "report.html").read_text()
    for name in matrix.names:
        assert any(line.startswith(name) and "exercised" in line for line in table.splitlines())
        assert f">{name}</a>" in page
    assert "hercules, interpreter" in page
    assert "not the TLB of the hardware" in page


def test_hercules_splits_the_huge_pages_that_emulated_s390_lacks(matrix: Matrix) -> None:
    machine_of = {
        test["name"]: boot["machine"] for boot in boots_of(matrix.answer, "s390") for test in boot["tests"]
    }
    for name, machine in machine_of.items():
        assert machine == ("hercules" if name.startswith(NEED_HUGE_PAGES) else "qemu"), name
    assert set(machine_of.values()) == {"qemu", "hercules"}


def test_without_hercules_s390_is_unsupported_for_its_reason_and_booted_all_the_same(
    thp_harness: Program, matrix: Matrix, commands_without: Any
) -> None:
    answer = thp_harness("run", "--arch", "s390", *QUICK, "--json", env=commands_without("hercules"))
    assert answer.code == 3
    s390 = arch_of(answer, "s390")
    assert s390["verdict"] == "unsupported"
    assert "no EDAT-1" in s390["reasons"][0]
    for name, verdict in verdicts(s390).items():
        if name.startswith(SPLITS):
            assert verdict == "unsupported"
        elif not name.endswith("pagemap_scan"):
            assert verdict == "unchanged"
    assert {boot["machine"] for boot in boots_of(answer, "s390")} == {"qemu"}
    assert any("hercules is not installed" in note for note in boots_of(answer, "s390")[0]["notes"])


def test_one_broken_toolchain_leaves_the_other_architectures_alone(
    thp_harness: Program, matrix: Matrix, commands_without: Any
) -> None:
    broken = matrix.names[1]
    prefix = find(ArchRecord, broken).compiler.prefix
    environment = commands_without(f"{prefix}gcc")
    (Path(environment["PATH"]) / f"{prefix}gcc").write_text("#!/bin/sh\nexit 1\n")
    (Path(environment["PATH"]) / f"{prefix}gcc").chmod(0o755)
    answer = thp_harness("run", *matrix.options, *QUICK, "--json", env=environment)
    assert answer.code == 3
    assert f"{prefix}gcc is missing or does not run" in arch_of(answer, broken)["reasons"][0]
    for name in matrix.names:
        expected = "infrastructure" if name == broken else "unchanged"
        assert arch_of(answer, name)["verdict"] == expected
    assert all(cell["build"]["cached"] for cell in answer.json["cells"] if cell["arch"] != broken)
