# SPDX-License-Identifier: GPL-2.0-only
"""Base against series with real kernels: built from sources, booted under QEMU, judged."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from junitparser import Failure, JUnitXml

from harness.build.build_cache import BuildCache
from harness.build.guest.manifest import new_nonce
from harness.config.arch import ArchRecord
from harness.core.process import Children
from harness.core.shipped import CONFIGS
from harness.engine.boot import COMMON_CMDLINE
from harness.machines.base import BootFiles
from harness.machines.qemu.machine import Qemu
from harness.machines.watch import Limits, watch
from results.model.run import BootEnd
from tests.integration.conftest import SMALL_SERIES
from tests.program import Answer, Program

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parents[2] / "fixtures" / "series"
STAND_IN = CONFIGS / "series" / SMALL_SERIES
TESTS = 27
OF_TREE = 5
"""Tests whose program is the series' own; they have a boot of their own."""
SPLITS = "pmd_split."
"""In the names of tests that split a huge page; the others must not."""

RunSeries = Callable[[str], Answer]


@pytest.fixture(scope="module")
def run_series(
    thp_harness: Program, ab_run: Answer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Answer]:
    """Run with a fixture's patches on top of the stand-in series, so that little is built again."""

    def run(name: str) -> Answer:
        folder = tmp_path_factory.mktemp("series") / name
        shutil.copytree(STAND_IN, folder)
        shutil.copytree(FIXTURES / name, folder, dirs_exist_ok=True)
        suites = ("thp_pmd_split", "pmd_split", "small_pages")
        tests = [word for suite in suites for word in ("--tests", suite)]
        return thp_harness("run", "--arch", "x86_64", "--series", str(folder), *tests, "--json")

    return run


@pytest.fixture(scope="module")
def panicking_run(run_series: RunSeries) -> Answer:
    return run_series("panics-at-boot")


def arch_of(answer: Answer) -> Any:
    (arch,) = answer.json["arches"]
    return arch


def cells_of(answer: Answer) -> Mapping[str, Any]:
    return {cell["variant"]: cell for cell in answer.json["cells"]}


def ends(cell: Any) -> list[tuple[str, str]]:
    return [(boot["purpose"], boot["end"]) for boot in cell["boots"]]


def folder_of(answer: Answer) -> Path:
    return Path(answer.json["run_dir"])


# The stand-in series, which does nothing wrong


def test_a_harmless_series_is_found_harmless(ab_run: Answer) -> None:
    arch = arch_of(ab_run)
    assert (ab_run.code, ab_run.json["exit_code"], arch["verdict"]) == (0, 0, "unchanged")
    assert ab_run.json["headline"].startswith(f"No regression: {TESTS} of {TESTS} tests exercised")
    assert ab_run.json["complete"]
    assert arch["new_warnings"] == []
    assert arch["splats"] == []


def test_every_test_is_exercised_on_both_kernels(ab_run: Answer) -> None:
    tests = arch_of(ab_run)["tests"]
    assert len(tests) == TESTS
    for test in tests:
        for variant in ("base", "series"):
            tally = test[variant]
            moved = tally["counters"]["thp_split_pmd"]
            assert (tally["status"], tally["exercised"]) == ("PASS", True), test["name"]
            split = moved["after"] - moved["before"]
            assert split >= 1 if SPLITS in test["name"] else split == 0, test["name"]


def test_the_claim_of_the_series_is_measured(ab_run: Answer) -> None:
    (claim,) = arch_of(ab_run)["claims"]
    assert claim["claim"]["counter"] == "thp_split_pmd_failed"
    assert (claim["base_seen"], claim["series_seen"]) == ("absent", "0")
    assert claim["verdict"] == "unchanged"


def test_the_run_folder_has_everything(ab_run: Answer) -> None:
    folder = folder_of(ab_run)
    for name in ("events.jsonl", "results.json", "report.html", "junit.xml"):
        assert (folder / name).stat().st_size > 0, name
    logs = {path.name for path in (folder / "logs").iterdir()}
    assert {
        f"x86_64-{variant}-{what}.log" for variant in ("base", "series") for what in ("build", "1")
    } <= logs
    assert "bzImage is ready" in (folder / "logs" / "x86_64-base-build.log").read_text()
    assert not JUnitXml.fromfile(str(folder / "junit.xml")).failures


def test_the_kernels_differ_and_are_fully_recorded(ab_run: Answer) -> None:
    base, series = (cells_of(ab_run)[variant]["build"] for variant in ("base", "series"))
    assert base["image_sha256"] != series["image_sha256"]
    for build in (base, series):
        assert build["ok"]
        assert build["text_bytes"] > 1_000_000
        assert build["symbols"] > 300
        assert any("olddefconfig" in command for command in build["commands"])


def test_nothing_is_built_twice_but_everything_is_booted_again(thp_harness: Program, ab_run: Answer) -> None:
    """And off JSON, the answer is a table that ends with the run's folder; a store that is down is told."""
    down = {"THP_HARNESS_STORE": "postgresql://nobody@127.0.0.1:9/results"}
    answer = thp_harness("run", "--arch", "x86_64", "--series", SMALL_SERIES, env=down)
    assert answer.code == 0
    assert f"Import it later: thp-harness results import {thp_harness.run_folders()[-1]}" in answer.stderr
    for variant in ("base", "series"):
        assert f"x86_64 {variant}: build: from the cache" in answer.stderr
        assert f"x86_64 {variant}: boot 1 on qemu, {TESTS - OF_TREE} tests (first): done" in answer.stderr
        assert f"x86_64 {variant}: boot 2 on qemu, {OF_TREE} tests (remaining): done" in answer.stderr
    *table, last = answer.stdout.splitlines()
    assert last == f"Run folder: {thp_harness.run_folders()[-1]}"
    assert last != f"Run folder: {folder_of(ab_run)}"
    assert any(line.split()[-1:] == ["unchanged"] for line in table)
    splits = sum(SPLITS in test["name"] for test in arch_of(ab_run)["tests"])
    (counters,) = [line for line in table if line.startswith("x86_64") and "thp_split_pmd +" in line]
    assert int(counters.partition("thp_split_pmd +")[2].split()[0]) >= splits


def test_reports_are_made_again_from_the_facts(thp_harness: Program, ab_run: Answer) -> None:
    folder = folder_of(ab_run)
    before = {name: (folder / name).read_text() for name in ("results.json", "report.html", "junit.xml")}
    for name in before:
        (folder / name).unlink()
    answer = thp_harness("report", folder.name, "--json")
    assert answer.code == 0
    assert answer.json == ab_run.json
    assert {name: (folder / name).read_text() for name in before} == before


def test_a_run_is_in_the_store_when_it_ends(thp_harness: Program, ab_run: Answer) -> None:
    listed = thp_harness("results", "list", "--json").json["folders"]
    assert (ab_run.json["id"], str(folder_of(ab_run))) in [(one["name"], one["path"]) for one in listed]


def test_a_plan_says_what_is_cached(thp_harness: Program, ab_run: Answer) -> None:
    answer = thp_harness("plan", "--arch", "x86_64", "--series", SMALL_SERIES, "--json")
    assert answer.code == 0
    assert [(cell["variant"], cell["cached"]) for cell in answer.json["cells"]] == [
        ("base", True),
        ("series", True),
    ]
    assert len(answer.json["tests"]) == TESTS


def test_the_same_sources_give_the_same_image(thp_harness: Program, ab_run: Answer) -> None:
    """Part of the objects is made again in another order; not one byte of the image may change."""
    cells = cells_of(ab_run)
    shutil.rmtree(BuildCache(thp_harness.cache).folder / cells["series"]["build"]["key"])
    objects = thp_harness.cache / "objects" / "x86_64"
    for name in ("mm/huge_memory.o", "init/version-timestamp.o", "vmlinux", "arch/x86/boot/bzImage"):
        (objects / name).unlink(missing_ok=True)
    again = cells_of(thp_harness("run", "--arch", "x86_64", "--series", SMALL_SERIES, "--json"))
    assert again["base"]["build"]["cached"]
    assert not again["series"]["build"]["cached"]
    assert again["series"]["build"]["image_sha256"] == cells["series"]["build"]["image_sha256"]


# Series that are wrong on purpose


def test_a_test_that_the_series_breaks(run_series: RunSeries) -> None:
    answer = run_series("breaks-mremap")
    arch = arch_of(answer)
    broken = {"thp_pmd_split.partial_mremap", "pmd_split.mremap"}
    assert (answer.code, arch["verdict"]) == (1, "regression")
    assert answer.json["headline"] == "Regression on x86_64: 2 tests fail with the series."
    assert all(any(reason.startswith(f"{name} ") for reason in arch["reasons"]) for name in broken)
    assert {test["name"] for test in arch["tests"] if test["verdict"] == "regression"} == broken
    assert sum(test["verdict"] == "unchanged" for test in arch["tests"]) == TESTS - len(broken)
    assert ends(cells_of(answer)["series"]) == [
        *(("first", "done"), ("remaining", "done")),
        *(("again", "done"), ("again", "done")),
    ]
    suites = JUnitXml.fromfile(str(folder_of(answer) / "junit.xml"))
    failed = {
        f"{case.classname}.{case.name}"
        for suite in suites
        for case in suite
        if any(isinstance(result, Failure) for result in case.result)
    }
    assert {f"x86_64.{name}" for name in broken} <= failed


def test_a_series_that_does_not_compile(run_series: RunSeries) -> None:
    answer = run_series("does-not-compile")
    cells = cells_of(answer)
    build = cells["series"]["build"]
    assert (answer.code, arch_of(answer)["verdict"]) == (1, "regression")
    assert "the series does not build" in answer.json["headline"]
    assert "mm/huge_memory.c:" in answer.json["headline"]
    assert "error: expected" in answer.json["headline"]
    assert not build["ok"]
    assert not build["error_is_infrastructure"]
    assert "error: expected" in (folder_of(answer) / build["log"]).read_text()
    assert ends(cells["base"]) == [("first", "done"), ("remaining", "done")]
    assert cells["series"]["boots"] == []


def test_a_series_that_does_not_boot(panicking_run: Answer) -> None:
    arch, cells = arch_of(panicking_run), cells_of(panicking_run)
    assert (panicking_run.code, arch["verdict"]) == (1, "regression")
    assert panicking_run.json["headline"] == "Regression on x86_64: the series does not boot."
    assert "does not boot with the series (3 of 3 boots)" in arch["reasons"][0]
    assert "fixture refuses to boot" in arch["reasons"][0]
    assert {test["verdict"] for test in arch["tests"]} == {"not exercised"}
    assert ends(cells["base"]) == [("first", "done"), ("remaining", "done")]
    assert [end for _, end in ends(cells["series"])] == ["panic"] * 3
    (splat,) = arch["splats"]
    assert (splat["verdict"], len(splat["series_boots"])) == ("regression", 3)
    assert "fixture refuses to boot" in splat["title"]
    assert any("fixture_refuse" in line for line in splat["example"]["excerpt"])


def test_a_kernel_that_spins_at_boot_shows_where(
    thp_harness: Program, panicking_run: Answer, x86_64: ArchRecord, tmp_path: Path
) -> None:
    """The same kernel, told by a parameter to spin: its own detector ends it, long before our limits."""
    series = cells_of(panicking_run)["series"]
    found = BuildCache(thp_harness.cache).lookup(series["build"]["key"])
    assert found
    initramfs = folder_of(panicking_run) / "boots" / "x86_64-series-1.cpio"
    cmdline = (*x86_64.guest.cmdline, *COMMON_CMDLINE, "fixture_hang")
    files = BootFiles(found[1] / "image", initramfs, cmdline)
    machine = Qemu(x86_64.qemu, files, series["boots"][0]["accelerator"], Children())
    limits = Limits(total=240, boot_silence=120, test_silence=120)
    with (tmp_path / "console.log").open("wb") as log:
        outcome = asyncio.run(watch(machine, new_nonce(), limits, log))
    assert outcome.end is BootEnd.PANIC
    assert "softlockup" in outcome.detail
    assert b"fixture_refuse" in (tmp_path / "console.log").read_bytes()


def test_warnings_and_splats_are_regressions_though_every_test_passes(run_series: RunSeries) -> None:
    answer = run_series("warns")
    arch = arch_of(answer)
    assert (answer.code, arch["verdict"]) == (1, "regression")
    assert {test["verdict"] for test in arch["tests"]} == {"unchanged"}
    (warning,) = arch["new_warnings"]
    assert (warning["file"], warning["flag"]) == ("mm/huge_memory.c", "-Wunused-variable")
    assert "splits" in warning["text"]
    source = next(FIXTURES.glob("warns/*.patch")).read_text()
    assert warning["line"] == int(source.split("@@ -")[1].split("+")[1].split(",")[0]) + 3
    (splat,) = arch["splats"]
    assert (splat["verdict"], splat["base_boots"]) == ("regression", [])
    assert splat["series_boots"]
    assert "split_huge_pmd_locked" in splat["title"]
    assert any("-Wunused-variable" in reason for reason in arch["reasons"])
    assert any("split_huge_pmd_locked" in reason for reason in arch["reasons"])
