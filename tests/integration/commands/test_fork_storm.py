# SPDX-License-Identifier: GPL-2.0-only
"""The fork storm on a real kernel: what it shows, and that it never passes where it could not look."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.build.guest import initramfs
from harness.config.arch import ArchRecord
from harness.core.shipped import WRAPPERS
from harness.engine.boot import Bootable
from results.compare.measures.fork_storm import read_storms
from results.model.run import PlannedTest, Status
from tests.integration.one_boot import Results, run_tests

pytestmark = pytest.mark.slow

TROUBLE = Path(__file__).parents[2] / "guests" / "storm_trouble.c"
STORM = "/bin/fork_storm"
SMALL = ("16", "2", "2")
"""Forks, THPs, runs."""
TESTS = {
    "fine": (STORM, *SMALL),
    "low_reserve": (STORM, *SMALL, "4096"),
    "again": (STORM, *SMALL),
    "killed": ("/bin/storm_trouble", "killer", STORM, "64", "8", "1"),
    "many": (STORM, "100000", "1", "1"),
    "small_swap": ("/bin/storm_trouble", "small_swap", STORM, *SMALL),
    "no_zram": ("/bin/storm_trouble", "no_zram", STORM, *SMALL),
}
SMALL_GUEST_MB = 256


@pytest.fixture(scope="module")
def programs(x86_64: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The initramfs without a manifest."""
    folder, prefix = tmp_path_factory.mktemp("fork-storm"), x86_64.compiler.prefix
    make = ("make", "-s", "-C", str(WRAPPERS), f"CROSS_COMPILE={prefix}", f"O={folder}", "WERROR=1")
    subprocess.run([*make, "init", "fork_storm"], check=True)
    trouble = folder / "storm_trouble"
    subprocess.run([f"{prefix}gcc", "-static", "-O1", "-o", str(trouble), str(TROUBLE)], check=True)
    entries = {
        "init": initramfs.program(folder / "init"),
        "dev/console": initramfs.console(),
        **{f"bin/{name}": initramfs.program(folder / name) for name in ("fork_storm", "storm_trouble")},
    }
    packed = folder / "tests.cpio"
    packed.write_bytes(initramfs.archive(entries))
    return packed


def run(arch: ArchRecord, accelerator: str, kernel: Path, programs: Path, names: Sequence[str]) -> Results:
    """Run some of the tests in one boot."""
    folder = programs.with_name(f"{arch.qemu.memory_mb}-{'-'.join(names)}")
    planned = tuple(PlannedTest(name, TESTS[name], 60) for name in names)
    return run_tests(Bootable(arch, kernel, programs), accelerator, folder, planned)


@pytest.fixture(scope="module")
def results(x86_64: ArchRecord, accelerator: str, base_kernel: Path, programs: Path) -> Results:
    """All but the one that leaves swap behind."""
    return run(x86_64, accelerator, base_kernel, programs, [name for name in TESTS if name != "small_swap"])


@pytest.mark.parametrize("name", ["fine", "again"])
def test_every_sharers_pmd_is_split_in_reclaim(results: Results, name: str) -> None:
    result = results[name]
    assert (result.status, result.reason) == (Status.PASS, "")
    for storm in read_storms(result.output):
        assert (storm.forks, storm.thps, storm.reached, storm.oom_kills) == (16, 2, True, 0)
        assert storm.split == 17 * 2
        assert storm.swapped_pages >= storm.thp_pages_out >= storm.thp_pages * 0.9
        assert storm.ns > 0
    assert len(read_storms(result.output)) == 2


def test_the_reserve_is_lowered_and_put_back(results: Results) -> None:
    before, lowered, after = (
        read_storms(results[name].output)[0].reserve_pages for name in ("fine", "low_reserve", "again")
    )
    assert lowered == 1024 < before == after


def test_what_the_oom_killer_takes_is_a_failure_of_the_test(
    results: Results,
) -> None:
    result = results["killed"]
    assert result.status is Status.FAIL
    assert "the OOM killer took" in result.reason
    (storm,) = read_storms(result.output)
    assert storm.oom_kills >= 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [("many", "too little memory: "), ("no_zram", "no swap, and no /dev/zram0 to make some")],
)
def test_what_cannot_be_done_is_skipped_with_its_reason(results: Results, name: str, reason: str) -> None:
    assert results[name].status is Status.SKIP
    assert reason in results[name].reason


def test_swap_that_is_too_small_is_not_filled_up(
    x86_64: ArchRecord, accelerator: str, base_kernel: Path, programs: Path
) -> None:
    found = run(x86_64, accelerator, base_kernel, programs, ["small_swap"])["small_swap"]
    assert found.status is Status.SKIP
    assert "too little swap: " in found.reason


def test_a_guest_too_small_for_thps_says_so(
    x86_64: ArchRecord, accelerator: str, base_kernel: Path, programs: Path
) -> None:
    facts = x86_64.qemu.model_copy(update={"memory_mb": SMALL_GUEST_MB})
    small = x86_64.model_copy(update={"qemu": facts})
    found = run(small, accelerator, base_kernel, programs, ["fine"])["fine"]
    assert found.status is Status.SKIP
    assert "enabled is never" in found.reason
