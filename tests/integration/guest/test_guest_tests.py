# SPDX-License-Identifier: GPL-2.0-only
"""Our own guest tests on a real kernel, and on one that lies: what they print, and what they find."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build.guest import initramfs
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.suite import SuiteRecord
from harness.core.shipped import WRAPPERS
from harness.engine.boot import Bootable
from harness.plan.plan import PlanRequest, make_plan
from results.compare.measures.data_lines import DataLine, parse_data_lines
from results.compare.measures.sweep_rows import SweepRun, read_sweep
from results.model.run import PlannedTest, Status, TestResult
from tests.integration.one_boot import Results, run_tests

pytestmark = pytest.mark.slow

GUESTS = Path(__file__).parents[2] / "guests"
LIES, NO_DEBUGFS, BLIND_SMAPS = (
    GUESTS / f"{name}.c" for name in ("lying_calls", "no_debugfs", "blind_smaps")
)
WRAPPED = ("madvise", "munmap", "mprotect", "mlock", "munlock", "mremap")
SUITES = ("fault_sweep", "pgtable_cost", "timing")
SWEPT = (
    "munmap",
    "mremap_move",
    "madv_pageout",
    "madv_collapse",
    "fork_cow_child",
    "process_vm_readv",
    "mincore",
    "exit_half",
    "exec_half",
)
SWEEPS = tuple(PlannedTest(f"fault_sweep.{name}", ("/bin/fault_sweep", name), 30) for name in SWEPT)
LASTING = tuple(
    PlannedTest(f"fault_sweep_lasting.{name}", ("/bin/fault_sweep", "--lasting", name), 60)
    for name in ("munmap", "fork_cow_child", "mincore", "exit_half")
)
FILES = (
    "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
    "/proc/vmstat:thp_split_pmd",
    "/proc/meminfo:MemTotal",
    "/proc/vmstat:thp_split_pm",
    "/sys/kernel/mm/nothing",
)
MEASUREMENTS = (
    PlannedTest("pgtable_cost.cost", ("/bin/pgtable_cost",), 60, watch=FILES),
    PlannedTest("timing.fault", ("/bin/timing", "fault"), 60),
)
LYING = {
    "madv_dontneed": ("success_without_effect", "ok", "none"),
    "munmap": ("failure_with_effect", "ENOMEM", "full"),
    "mprotect_ro": ("outside_changed", "ENOMEM", "none"),
    "mlock": ("wrong_errno", "EINVAL", "none"),
    "munlock": ("retry_failed", "ENOMEM", "none"),
    "mremap_move": ("died", "SIGBUS", "none"),
    "mremap_grow": ("left_behind", "ok", "full"),
}
"""What the sweep must say of each bug of lying_calls.c: the reason, the result, the effect."""
BLIND = PlannedTest("blind.munmap", ("/bin/no_debugfs", "/bin/fault_sweep", "munmap"), 30)
BLIND_SWEEPS = {"mlock": "smaps_locked", "munlock": "smaps_locked", "madv_collapse": "smaps_anonhugepages"}
"""The instrument that does not work in blind_smaps.c."""
UNENDING = PlannedTest("lying_lasting.madv_cold", ("/bin/lying_sweep", "--lasting", "madv_cold"), 60)
LYING_SWEEPS = tuple(PlannedTest(f"lying.{name}", ("/bin/lying_sweep", name), 30) for name in LYING)


@pytest.fixture(scope="module")
def folder(x86_64: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, and as `lying/fault_sweep` one whose system calls have bugs."""
    folder, prefix = tmp_path_factory.mktemp("guest-tests"), x86_64.compiler.prefix
    make(prefix, folder, "init", *SUITES)
    lies = folder / "lies.o"
    subprocess.run([f"{prefix}gcc", "-O1", "-c", "-o", str(lies), str(LIES)], check=True)
    blind = folder / "no_debugfs"
    subprocess.run(
        [f"{prefix}gcc", "-static", "-O1", "-D_GNU_SOURCE", "-o", str(blind), str(NO_DEBUGFS)], check=True
    )
    wraps = " ".join(f"-Wl,--wrap={call}" for call in WRAPPED)
    make(prefix, folder / "lying", "fault_sweep", f"LDFLAGS={lies} {wraps}")
    no_smaps = folder / "blind_smaps.o"
    subprocess.run([f"{prefix}gcc", "-O1", "-c", "-o", str(no_smaps), str(BLIND_SMAPS)], check=True)
    make(prefix, folder / "blind", "fault_sweep", f"LDFLAGS={no_smaps} -Wl,--wrap=smaps_bytes")
    return folder


def make(prefix: str, folder: Path, *goals: str) -> None:
    make = ("make", "-s", "-j2", "-C", str(WRAPPERS), f"CROSS_COMPILE={prefix}", f"O={folder}", "WERROR=1")
    subprocess.run([*make, *goals], check=True)


@pytest.fixture(scope="module")
def initramfs_of_all(folder: Path) -> Path:
    entries = {
        "init": initramfs.program(folder / "init"),
        "dev/console": initramfs.console(),
        "bin/lying_sweep": initramfs.program(folder / "lying" / "fault_sweep"),
        "bin/blind_sweep": initramfs.program(folder / "blind" / "fault_sweep"),
        **{f"bin/{name}": initramfs.program(folder / name) for name in (*SUITES, "no_debugfs")},
    }
    packed = folder / "tests.cpio"
    packed.write_bytes(initramfs.archive(entries))
    return packed


@pytest.fixture(scope="module")
def results(initramfs_of_all: Path, x86_64: ArchRecord, base_kernel: Path, accelerator: str) -> Results:
    bootable = Bootable(x86_64, base_kernel, initramfs_of_all)
    blind = tuple(PlannedTest(f"blind.{name}", ("/bin/blind_sweep", name), 30) for name in BLIND_SWEEPS)
    planned = (*SWEEPS, *LASTING, *MEASUREMENTS, *LYING_SWEEPS, UNENDING, BLIND, *blind)
    return run_tests(bootable, accelerator, initramfs_of_all.parent / "all", planned)


@pytest.fixture
def sweep(results: Results) -> Callable[[str], SweepRun]:
    return lambda operation: read_sweep(operation, results[f"fault_sweep.{operation}"])


def data(result: TestResult) -> tuple[DataLine, ...]:
    found = parse_data_lines(result.output)
    assert found.left_out == ()
    return found.lines


# What the programs say of themselves


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, to be run right here."""
    folder = tmp_path_factory.mktemp("native")
    make("", folder, *SUITES)
    return folder


def test_the_program_lists_the_operations_that_have_cases(native: Path) -> None:
    listed = subprocess.run([native / "fault_sweep", "-l"], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == list(find(SuiteRecord, "fault_sweep").cases)


@pytest.mark.parametrize("name", SUITES)
def test_the_usage_is_told(native: Path, name: str) -> None:
    asked = subprocess.run([native / name, "-h"], capture_output=True, text=True, check=True)
    assert asked.stdout.startswith(f"usage: {name}")
    wrong = subprocess.run([native / name, "nonsense", "more"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith(f"usage: {name}")


@pytest.mark.parametrize("arch", make_plan(PlanRequest()).arches, ids=lambda arch: arch.name)
def test_no_compiler_warns(arch: ArchRecord, tmp_path: Path) -> None:
    make(arch.compiler.prefix, tmp_path, "all")


# The sweep of a good kernel


@pytest.mark.parametrize("operation", SWEPT)
def test_a_sweep_fails_every_allocation_and_ends_without_one(
    results: Results, sweep: Callable[[str], SweepRun], operation: str
) -> None:
    result, run = results[f"fault_sweep.{operation}"], sweep(operation)
    assert (result.status, result.reason) == (Status.PASS, "")
    assert run.finished
    assert run.left_out == ()
    assert [row.fired for row in run.rows] == [True] * (len(run.rows) - 1) + [False]
    assert (run.rows[-1].result, run.rows[-1].effect) == ("ok", "full")
    assert all(row.usable for row in run.rows if not row.result.startswith("SIG"))


def test_an_error_without_effect_is_retried(sweep: Callable[[str], SweepRun]) -> None:
    first = sweep("mincore").rows[0]
    assert (first.fired, first.result, first.effect, first.retry) == (True, "EAGAIN", "none", "ok")


def test_a_write_that_found_no_page_is_done_in_the_end(sweep: Callable[[str], SweepRun]) -> None:
    first = sweep("fork_cow_child").rows[0]
    assert (first.fired, first.result, first.effect, first.split) == (True, "ok", "full", 1)


def test_a_process_that_is_replaced_is_followed_to_its_end(sweep: Callable[[str], SweepRun]) -> None:
    ends = {row.result for row in sweep("exec_half").rows}
    assert {"ok", "E2BIG"} <= ends <= {"ok", "ENOMEM", "E2BIG", "SIGSEGV", "SIGKILL"}


def test_a_counter_that_the_kernel_lacks_is_absent(sweep: Callable[[str], SweepRun]) -> None:
    assert {row.split_failed for row in sweep("munmap").rows} == {None}


# The sweep of a bad one


@pytest.mark.parametrize("operation", LYING)
def test_a_bug_is_found_with_its_operation_and_n(results: Results, operation: str) -> None:
    result = results[f"lying.{operation}"]
    rows = read_sweep(operation, result).rows
    first = rows[0]
    assert result.status is Status.FAIL
    assert f"first n=1: {LYING[operation][0]}" in result.reason
    assert (first.fired, first.why, first.result, first.effect) == (True, *LYING[operation])
    assert (rows[-1].fired, rows[-1].why) == (False, "")


def test_an_instrument_that_shows_nothing_makes_no_row_broken(results: Results) -> None:
    for operation, instrument in BLIND_SWEEPS.items():
        result = results[f"blind.{operation}"]
        run = read_sweep(operation, result)
        assert result.status is Status.SKIP
        assert f"cannot be seen here: {instrument} does not show known states" in result.reason
        assert run.left_out == ()
        assert {(row.effect, row.unseen, row.why) for row in run.rows} == {("unseen", instrument, "")}


# Failures that last


@pytest.mark.parametrize("operation", [test.name.partition(".")[2] for test in LASTING])
def test_all_allocations_from_the_n_th_on_fail(results: Results, operation: str) -> None:
    result = results[f"fault_sweep_lasting.{operation}"]
    run = read_sweep(operation, result)
    assert (result.status, result.reason, run.finished) == (Status.PASS, "", True)
    assert [row.fired for row in run.rows] == [True] * (len(run.rows) - 1) + [False]


def test_a_write_waits_for_memory_and_can_be_killed(results: Results) -> None:
    first = read_sweep("fork_cow_child", results["fault_sweep_lasting.fork_cow_child"]).rows[0]
    assert (first.fired, first.result, first.why) == (True, "unending", "")


def test_a_retry_without_end_is_found_with_its_n(results: Results) -> None:
    result = results[UNENDING.name]
    first, *rest = read_sweep("madv_cold", result).rows
    assert result.status is Status.FAIL
    assert (first.n, first.result, first.why) == (1, "unending", "does_not_end")
    assert [row.why for row in rest] == [""]
    assert any("the call has not ended: process" in line for line in result.output)


def test_a_sweep_without_debugfs_says_that_it_could_reach_nothing(results: Results) -> None:
    """fail-nth is there, but by its defaults hardly any allocation would fail."""
    blind = results[BLIND.name]
    assert blind.status is Status.SKIP
    assert "no /sys/kernel/debug/fail_page_alloc" in blind.reason


def test_nothing_is_measured_where_thp_is_off(
    initramfs_of_all: Path, x86_64: ArchRecord, base_kernel: Path, accelerator: str, tmp_path: Path
) -> None:
    guest = x86_64.guest.model_copy(update={"cmdline": (*x86_64.guest.cmdline, "transparent_hugepage=never")})
    bootable = Bootable(x86_64.model_copy(update={"guest": guest}), base_kernel, initramfs_of_all)
    found = run_tests(bootable, accelerator, tmp_path, (SWEEPS[0], *MEASUREMENTS))
    assert len(found) == 1 + len(MEASUREMENTS)
    for result in found.values():
        assert result.status is Status.SKIP
        assert "enabled is never" in result.reason


# Page tables and times


def test_thps_cost_what_the_kernel_deposits_and_leave_nothing(results: Results) -> None:
    result = results["pgtable_cost.cost"]
    start, mapped, half_split, unmapped = data(result)
    assert result.status is Status.PASS
    taken = mapped.number("nr_page_table_pages") - start.number("nr_page_table_pages")
    assert 0 <= taken - start.number("thps", least=8) <= 4
    assert half_split.number("page_tables_bytes") == mapped.number("page_tables_bytes")
    assert unmapped.number("nr_page_table_pages") <= start.number("nr_page_table_pages") + 4


def test_times_come_with_every_sample_or_not_at_all(results: Results) -> None:
    result = results["timing.fault"]
    if result.status is Status.SKIP:
        assert "the clock is too coarse" in result.reason
        assert data(result) == ()
        return
    (line,) = data(result)
    assert (line.kind, line.name("what"), line.name("unit")) == ("timing", "fault", "ns")
    assert len(line.numbers("values", most=31)) == line.number("samples") == 31
    assert min(line.numbers("values", most=31)) > 0


# Numbers in files


def test_numbers_in_files_are_counters(results: Results) -> None:
    counters = results["pgtable_cost.cost"].counters
    size, splits, memory, *absent = FILES
    assert (counters[size].before, counters[size].after) == (2 << 20, 2 << 20)
    assert counters[splits] == counters["thp_split_pmd"]
    assert (counters[memory].before or 0) > 1 << 17
    assert not {*absent} & counters.keys()
