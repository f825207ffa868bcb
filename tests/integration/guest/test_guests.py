# SPDX-License-Identifier: GPL-2.0-only
"""Guests and emulators that misbehave: real QEMU, a real kernel, and programs that are up to no good."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.build.guest.manifest import new_nonce
from harness.config.arch import ArchRecord
from harness.core.process import Children
from harness.core.sandbox import why_not
from harness.engine.boot import Bootable, BootRequest, boot
from harness.machines.base import BootFiles
from harness.machines.kinds import qemu_kind
from harness.machines.qemu.accel import Accelerator
from harness.machines.qemu.machine import Qemu
from harness.machines.watch import Limits, WatchOutcome, watch
from results.journal.assemble import read_boot
from results.model.run import Boot, BootEnd, PlannedTest, Status
from tests.integration.guest_programs import BAD_INIT, GUESTS, TESTS, pack_guests
from tests.integration.processes import Marker
from tests.integration.stub_tree import make_stub_tree
from tests.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("marker")]

LIMITS = Limits(total=120, boot_silence=15, test_silence=15, log_bytes=1 << 20, backtrace=3, power_off=5)
SHORT_SILENCE = Limits(total=120, boot_silence=10, test_silence=10, backtrace=3, power_off=5)


@dataclass(frozen=True)
class Guests:
    """The base kernel with programs of our choice."""

    arch: ArchRecord
    kernel: Path
    bad_init: Path
    with_tests: Path
    accelerator: str
    folder: Path

    def machine(self, way: str, kind: type[Qemu] = Qemu) -> Qemu:
        cmdline = (*self.arch.guest.cmdline, "panic=-1", "--", way)
        files = BootFiles(self.kernel, self.bad_init, cmdline)
        return kind(self.arch.qemu, files, self.accelerator, Children())

    def boot_init(
        self, way: str, limits: Limits = LIMITS, kind: type[Qemu] = Qemu
    ) -> tuple[WatchOutcome, bytes]:
        """Boot with a first process that misbehaves."""
        log = self.folder / "console.log"
        with log.open("wb") as file:
            outcome = asyncio.run(watch(self.machine(way, kind), new_nonce(), limits, file))
        return outcome, log.read_bytes()

    def boot_tests(self, *tests: PlannedTest) -> Boot:
        """Boot with the real first process."""
        for name in ("boots", "logs"):
            (self.folder / name).mkdir(exist_ok=True)
        bootable = Bootable(self.arch, self.kernel, self.with_tests)
        request = BootRequest("x86_64-base-1", "base", "first", tests)
        kind = qemu_kind(self.arch, Accelerator(self.accelerator))
        fact = boot(bootable, kind, request, self.folder, Children())
        return read_boot(fact, tests, self.folder)


@pytest.fixture(scope="module")
def programs(x86_64: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two initramfs: with the first process that misbehaves, and with tests that do."""
    sources = (GUESTS / "forger.c", GUESTS / "tainter.c")
    folder = pack_guests(tmp_path_factory.mktemp("guests"), x86_64.compiler.prefix, *sources)
    return folder / BAD_INIT, folder / TESTS


@pytest.fixture
def guests(
    x86_64: ArchRecord, base_kernel: Path, programs: tuple[Path, Path], accelerator: str, tmp_path: Path
) -> Guests:
    return Guests(x86_64, base_kernel, *programs, accelerator, tmp_path)


def case(name: str, *argv: str, seconds: float = 30) -> PlannedTest:
    return PlannedTest(name, argv, seconds)


# First processes


def test_a_first_process_that_panics_the_kernel(guests: Guests) -> None:
    outcome, log = guests.boot_init("panic")
    assert (outcome.end, outcome.detail) == (
        BootEnd.PANIC,
        "Kernel panic - not syncing: sysrq triggered crash",
    )
    assert b"Call Trace" in log


def test_a_first_process_that_crashes(guests: Guests) -> None:
    outcome, _ = guests.boot_init("segfault")
    assert outcome.end is BootEnd.PANIC
    assert "Attempted to kill init! exitcode=0x0000000b" in outcome.detail


def test_a_first_process_that_does_nothing_is_made_to_show_where_the_kernel_is(guests: Guests) -> None:
    outcome, log = guests.boot_init("hang", SHORT_SILENCE)
    assert (outcome.end, outcome.detail) == (BootEnd.HANG, "nothing on the console for 10 s")
    before, _, after = log.partition(b"Run /init as init process")
    assert b"Call Trace" not in before
    assert b"Kernel panic - not syncing: NMI: Not continuing" in after
    assert b"Call Trace" in after


def test_a_guest_that_resets_at_once_is_not_booted_in_a_loop(guests: Guests) -> None:
    outcome, log = guests.boot_init("restart")
    assert (outcome.end, outcome.detail) == (
        BootEnd.REBOOT,
        "the guest reset or stopped before the end mark",
    )
    assert log.count(b"Linux version") == 1


def test_a_guest_that_prints_a_gigabyte_is_cut_off(guests: Guests) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome, log = guests.boot_init("flood")
    assert (outcome.end, outcome.detail) == (BootEnd.FLOOD, "the console log passed 1 MiB")
    assert len(log) == LIMITS.log_bytes
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 32 << 10


# Tests


def test_tests_that_misbehave_harm_only_themselves(guests: Guests) -> None:
    seen = guests.boot_tests(
        case("forger", "/bin/forger"),
        case("flood", "/bin/misbehave", "flood", seconds=0.5),
        case("hang", "/bin/misbehave", "hang", seconds=0.5),
        case("leftovers", "/bin/misbehave", "leftovers"),
        case("healthy", "/bin/pmd_split", "munmap"),
    )
    assert (seen.end, seen.detail) == (BootEnd.DONE, "all tests ran")
    results = {result.name: result for result in seen.tests}
    forger = results["forger"]
    assert forger.status is Status.FAIL
    assert "\x1b[2J\x1b[H\x1b]0;title\x07<script>alert(1)</script>" in forger.output
    assert b"\x1b" not in (guests.folder / seen.log).read_bytes()
    assert results["flood"].status is Status.FAIL
    assert results["flood"].reason.startswith("timed out")
    assert results["hang"].reason.startswith("timed out")
    assert results["healthy"].status is Status.PASS
    assert results["healthy"].counters["thp_split_pmd"].delta == 1


def test_a_flag_of_the_kernel_that_no_report_explains_is_a_splat_of_its_test(guests: Guests) -> None:
    seen = guests.boot_tests(
        case("before", "/bin/pmd_split", "munmap"),
        case("tainter", "/bin/tainter", "512"),
        case("after", "/bin/pmd_split", "munmap"),
    )
    assert (seen.taint, [result.taint for result in seen.tests]) == (0, [0, 512, 512])
    assert {result.status for result in seen.tests} == {Status.PASS}
    (splat,) = seen.splats
    assert (splat.kind, splat.signature, splat.test) == ("taint", "taint | W", "tainter")
    assert splat.lines == seen.tests[1].lines


def test_a_test_that_kills_the_guest_takes_the_blame_and_the_others_run_in_a_fresh_boot(
    base_kernel: Path, new_program: Callable[[], Program], tmp_path: Path
) -> None:
    """From the command line: the third test of the series' own panics either kernel."""
    selftest = {"tools/testing/selftests/mm/thp_pmd_split_test.c": (GUESTS / "deadly_selftest.c").read_text()}
    tree = make_stub_tree(tmp_path / "linux", base_kernel, series=selftest)
    answer = new_program()("run", *tree.arguments, "--json")
    document = answer.json
    (arch,) = document["arches"]
    assert (answer.code, arch["verdict"]) == (3, "fails on both")
    verdicts = {test["name"]: test["verdict"] for test in arch["tests"]}
    assert verdicts.pop("thp_pmd_split.partial_mlock") == "fails on both"
    assert set(verdicts.values()) == {"unchanged"}
    assert len(document["cells"]) == 2
    for cell in document["cells"]:
        ours, deadly, remaining, again = cell["boots"]
        assert [(each["purpose"], each["end"]) for each in cell["boots"]] == [
            ("first", "done"),
            ("remaining", "panic"),
            ("remaining", "done"),
            ("again", "panic"),
        ]
        assert set(statuses(ours)) == {"PASS"}
        assert deadly["detail"] == "Kernel panic - not syncing: sysrq triggered crash"
        assert statuses(deadly) == ["PASS", "PASS", "ERROR", "MISS", "MISS"]
        assert [test["name"] for test in deadly["tests"][3:]] == [test["name"] for test in remaining["tests"]]
        assert set(statuses(remaining)) == {"PASS"}
        assert statuses(again) == ["ERROR"]


def statuses(seen: dict[str, Any]) -> list[str]:
    return [test["status"] for test in seen["tests"]]


# Emulators


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_emulator_that_is_killed_from_outside_is_not_the_kernels_fault(
    guests: Guests, marker: Marker, number: signal.Signals
) -> None:
    class Killed(Qemu):
        async def read(self) -> bytes:
            chunk = await super().read()
            marker.kill("qemu-system-x86_64", number)
            return chunk

    outcome, log = guests.boot_init("hang", kind=Killed)
    assert outcome.end is BootEnd.MACHINE
    assert outcome.detail.startswith("qemu-system-x86_64 ")
    assert ("SIGKILL" if number is signal.SIGKILL else "terminating on signal 15") in outcome.detail
    assert log


@pytest.fixture
def fake_qemu(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Puts a script in front of the real emulator's boots, but not of its trial of KVM.

    Returns the environment to use.
    """

    def install(script: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        real = shutil.which("qemu-system-x86_64")
        program = folder / "qemu-system-x86_64"
        others = f'case "$*" in --version | *kvm-probe*) exec {real} "$@" ;; esac'
        program.write_text(f'#!/bin/sh\n{others}\n{script}\nexec {real} "$@"\n')
        program.chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return install


def test_an_emulator_that_dies_once_is_started_again(
    base_kernel: Path,
    new_program: Callable[[], Program],
    fake_qemu: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    tree = make_stub_tree(tmp_path / "linux", base_kernel)
    died = tmp_path / "died"
    path = fake_qemu(f"[ -e {died} ] || {{ : > {died}; kill -9 $$; }}")
    unconfined = ("--no-sandbox", "--json")  # the script leaves a file
    answer = new_program()("run", *tree.arguments, *unconfined, env={**path, "USER": os.environ["USER"]})
    assert answer.code == 0
    # Both cells start at once, and the first to start the emulator loses it.
    (once,), (first, retry) = sorted((cell["boots"] for cell in answer.json["cells"]), key=len)
    assert once["end"] == "done"
    assert (first["end"], first["detail"]) == ("machine", "qemu-system-x86_64 was killed by SIGKILL")
    assert (retry["purpose"], retry["end"]) == ("retry", "done")


def test_an_emulator_that_never_works_ends_as_infrastructure(
    base_kernel: Path,
    new_program: Callable[[], Program],
    fake_qemu: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    tree = make_stub_tree(tmp_path / "linux", base_kernel)
    broken = fake_qemu("echo 'qemu: unsupported machine type' >&2; exit 1")
    answer = new_program()("run", *tree.arguments, "--no-sandbox", "--json", env=broken)
    assert answer.code == 3
    assert answer.json["verdict"] == "infrastructure"
    (arch,) = answer.json["arches"]
    assert any("qemu: unsupported machine type" in reason for reason in arch["reasons"])
    for cell in answer.json["cells"]:
        assert [each["end"] for each in cell["boots"]] == ["machine"] * 3


def test_an_emulator_that_nobody_may_start_is_not_replaced_by_another(
    base_kernel: Path,
    new_program: Callable[[], Program],
    fake_qemu: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    """pytest's folders are root's alone, and in the sandbox QEMU is not root."""
    if why_not():
        pytest.skip(f"no sandbox here: {why_not()}")
    tree = make_stub_tree(tmp_path / "linux", base_kernel)
    answer = new_program()("run", *tree.arguments, "--json", env=fake_qemu(""))
    assert answer.code == 3
    assert {boot["end"] for cell in answer.json["cells"] for boot in cell["boots"]} == {"machine"}
