# SPDX-License-Identifier: GPL-2.0-only
"""s390 guests under Hercules: real kernels that run tests, panic and hang, and an emulator that is killed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.build.guest.manifest import new_nonce, overlay, render
from harness.config.arch import ArchRecord, HerculesFacts
from harness.config.catalogue import find
from harness.config.suite import SuiteRecord
from harness.core.process import Children
from harness.core.shipped import ROOT
from harness.engine.boot import COMMON_CMDLINE, limits_for
from harness.machines.base import BootFiles
from harness.machines.hercules.machine import Hercules
from harness.machines.watch import Limits, WatchOutcome, watch
from results.console.report import BootReport, read_report
from results.model.run import BootEnd, PlannedTest, Status
from tests.integration.guest_programs import BAD_INIT, TESTS, pack_guests
from tests.integration.processes import Marker
from tests.program import Program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("marker"),
    pytest.mark.skipif(not shutil.which("hercules"), reason="hercules is not installed"),
]

LIMITS = Limits(total=180, boot_silence=60, test_silence=60, backtrace=5, power_off=20)
SHORT_SILENCE = Limits(total=180, boot_silence=15, test_silence=15, backtrace=5, power_off=20)


@pytest.fixture(scope="session")
def s390() -> ArchRecord:
    return find(ArchRecord, "s390")


@pytest.fixture(scope="session")
def s390_kernel(thp_harness: Program) -> Path:
    """The base kernel of the default tree: of the kept cache, or built now."""

    def in_cache() -> list[Path]:
        records = sorted(
            thp_harness.cache.glob("builds/*/*/build.json"), key=lambda path: path.stat().st_mtime
        )
        facts = [(json.loads(path.read_text()), path.parent) for path in records]
        wanted = {"arch": "s390", "variant": "base", "ok": True}
        return [folder / "image" for fact, folder in facts if wanted.items() <= fact.items()]

    if not in_cache():
        thp_harness("run", "--arch", "s390", "--json", timeout=1800)
    found = in_cache()
    assert found, "the run has left no s390 kernel in the cache"
    return found[-1]


@pytest.fixture(scope="module")
def programs(s390: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two initramfs: one with a first process that misbehaves, one with tests."""
    return pack_guests(tmp_path_factory.mktemp("guests"), s390.compiler.prefix)


@dataclass(frozen=True)
class Guests:
    """The s390 kernel with programs of our choice."""

    arch: ArchRecord
    kernel: Path
    programs: Path
    folder: Path

    @property
    def facts(self) -> HerculesFacts:
        assert self.arch.hercules
        return self.arch.hercules

    def machine(self, way: str, kind: type[Hercules] = Hercules) -> Hercules:
        cmdline = (*self.facts.cmdline, *COMMON_CMDLINE, "--", way)
        files = BootFiles(self.kernel, self.programs / BAD_INIT, cmdline)
        return kind(self.facts, files, self.folder / "machine", Children())

    def boot_init(
        self, way: str, limits: Limits = LIMITS, kind: type[Hercules] = Hercules
    ) -> tuple[WatchOutcome, bytes]:
        """Boot with a first process that misbehaves."""
        return self.follow(self.machine(way, kind), limits)

    def follow(self, machine: Hercules, limits: Limits = LIMITS) -> tuple[WatchOutcome, bytes]:
        log = self.folder / "console.log"
        with log.open("wb") as file:
            outcome = asyncio.run(watch(machine, new_nonce(), limits, file))
        assert not (self.folder / "machine").exists()
        return outcome, log.read_bytes()

    async def boot_tests(
        self,
        tests: list[PlannedTest],
        name: str = "machine",
        channel: str = "",
        facts: HerculesFacts | None = None,
    ) -> tuple[WatchOutcome, bytes, BootReport]:
        """Boot with the real first process."""
        facts, nonce, scale = facts or self.facts, new_nonce(), self.arch.guest.time_scale
        manifest = render(nonce, tests, scale, self.arch.guest.finish, channel or facts.channel)
        packed = self.folder / f"{name}.cpio"
        packed.write_bytes((self.programs / TESTS).read_bytes() + overlay(manifest))
        files = BootFiles(self.kernel, packed, (*facts.cmdline, *COMMON_CMDLINE))
        machine = Hercules(facts, files, self.folder / name, Children())
        log = self.folder / f"{name}.log"
        with log.open("wb") as file:
            outcome = await watch(machine, nonce, limits_for(tests, self.arch.guest.limits, scale), file)
        text = log.read_bytes()
        return outcome, text, read_report(text.decode(errors="replace").splitlines(), nonce, tests)


@pytest.fixture
def guests(s390: ArchRecord, s390_kernel: Path, programs: Path, tmp_path: Path) -> Guests:
    return Guests(s390, s390_kernel, programs, tmp_path)


def misbehave(way: str, seconds: float = 5) -> PlannedTest:
    return PlannedTest(way, ("/bin/misbehave", way), seconds)


def split_cases() -> list[PlannedTest]:
    suite = find(SuiteRecord, "pmd_split")
    return [PlannedTest(name, ("/bin/pmd_split", *case.args), 20) for name, case in suite.cases.items()]


# Guests that do what they should


def test_huge_pages_are_split_and_nothing_of_the_report_is_lost(guests: Guests) -> None:
    outcome, log, report = asyncio.run(guests.boot_tests(split_cases()))
    assert (outcome.end, report.done, report.notes) == (BootEnd.DONE, True, ())
    assert log.startswith(b"[    0.0") and b"Linux version" in log.partition(b"\n")[0]
    assert report.capabilities and report.capabilities.thp and report.capabilities.pmd_size == 1 << 20
    assert report.capabilities.facts["edat"] == "1"
    results = {result.name: result for result in report.tests}
    skipped = results.pop("pagemap_scan")
    assert skipped.status is Status.SKIP and "no asynchronous write protection" in skipped.reason
    assert {result.status for result in results.values()} == {Status.PASS}
    assert all((result.counters["thp_split_pmd"].delta or 0) >= 1 for result in results.values())


def test_two_guests_at_once_do_not_meet(guests: Guests) -> None:
    async def both() -> list[tuple[WatchOutcome, bytes, BootReport]]:
        tests = split_cases()
        return list(await asyncio.gather(guests.boot_tests(tests, "one"), guests.boot_tests(tests, "two")))

    for outcome, _, report in asyncio.run(both()):
        assert (outcome.end, report.done, report.notes) == (BootEnd.DONE, True, ())


def test_a_guest_with_several_cpus(guests: Guests) -> None:
    facts = guests.facts.model_copy(update={"cpus": 2})
    outcome, _, report = asyncio.run(guests.boot_tests(split_cases()[:3], facts=facts))
    assert outcome.end is BootEnd.DONE
    assert report.capabilities and report.capabilities.facts["cpus"] == "2"
    outcome, log, _ = asyncio.run(guests.boot_tests([misbehave("panic")], facts=facts))
    assert outcome.end is BootEnd.PANIC
    assert b"Call Trace" in log.partition(b"Kernel panic")[2]


# Tests that misbehave


def test_floods_and_leftovers_do_not_disturb_the_channel_and_a_panic_follows_without_a_gap(
    guests: Guests,
) -> None:
    tests = [
        *(misbehave("flood", 0.5), misbehave("gush"), misbehave("leftovers"), misbehave("garbage")),
        PlannedTest("healthy", ("/bin/pmd_split", "munmap"), 5),
        *(misbehave("panic"), misbehave("segfault")),
    ]
    outcome, log, report = asyncio.run(guests.boot_tests(tests))
    assert (outcome.end, outcome.detail) == (
        BootEnd.PANIC,
        "Kernel panic - not syncing: sysrq triggered crash",
    )
    assert all("thrown away" in note for note in report.notes), report.notes
    statuses = {result.name: (result.status, result.reason) for result in report.tests}
    assert statuses["healthy"][0] is Status.PASS
    assert statuses["panic"] == (Status.ERROR, "the guest died in this test")
    assert statuses["segfault"][0] is Status.MISS
    before, _, after = log.partition(b"sysrq: Trigger a crash\n")
    assert before.splitlines()[-2].endswith(b"panic by sysrq")
    assert b"Call Trace" in after and b"system_call+" in after
    assert b"hercules: " not in log and b"channel: " not in log


def test_a_guest_without_its_disk_says_so_and_the_report_comes_out_of_its_memory(guests: Guests) -> None:
    outcome, _, report = asyncio.run(guests.boot_tests(split_cases()[:1], channel="/dev/dasdz"))
    assert outcome.end is BootEnd.DONE
    assert [result.status for result in report.tests] == [Status.PASS]
    (note,) = report.notes
    assert note.endswith("the guest program says: channel /dev/dasdz: No such file or directory")


# First processes that misbehave


def test_a_panic_is_found_and_its_whole_trace_is_read_out_of_the_memory(guests: Guests) -> None:
    machine = guests.machine("panic")
    outcome, log = guests.follow(machine)
    assert (outcome.end, outcome.detail) == (
        BootEnd.PANIC,
        "Kernel panic - not syncing: sysrq triggered crash",
    )
    assert machine.panicked
    assert outcome.seconds < LIMITS.test_silence
    assert log.count(b"Linux version") == 1
    _, _, after = log.partition(b"Kernel panic - not syncing")
    assert b"Call Trace" in after
    assert b"] panic+0x" in after and b"] system_call+0x" in after


def test_a_guest_that_hangs_shows_where_its_cpu_is(guests: Guests) -> None:
    outcome, log = guests.boot_init("hang", SHORT_SILENCE)
    assert (outcome.end, outcome.detail) == (BootEnd.HANG, "nothing on the console for 15 s")
    assert b"Run /init as init process" in log
    last = log.splitlines()[-1].decode()
    assert last.startswith("hercules: CPU 0: waiting in arch_cpu_idle+0x")
    assert ", PSW 0706C001 80000000 0000" in last


def test_a_guest_that_resets_is_not_taken_for_a_panic(guests: Guests) -> None:
    machine = guests.machine("restart")
    outcome, log = guests.follow(machine)
    assert (outcome.end, machine.panicked) == (BootEnd.REBOOT, False)
    assert log.rstrip().endswith(b"reboot: Restarting system")


# The emulator


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_emulator_that_is_killed_from_outside_is_not_the_kernels_fault(
    guests: Guests, marker: Marker, number: signal.Signals
) -> None:
    class Killed(Hercules):
        async def read(self) -> bytes:
            await asyncio.sleep(0.5)
            marker.kill("hercules", number)
            return await super().read()

    outcome, _ = guests.boot_init("hang", kind=Killed)
    assert outcome.end is BootEnd.MACHINE
    # Until it has started up, it does not obey SIGTERM but dies of it.
    assert outcome.detail in {f"hercules was killed by {number.name}", "hercules was shut down from outside"}
    assert outcome.seconds < LIMITS.boot_silence


def test_it_ends_with_the_process_that_started_it(guests: Guests, marker: Marker) -> None:
    """Killed, that process has no time to do anything about it."""
    archive = guests.programs / BAD_INIT
    script = f"""
        import asyncio
        from pathlib import Path
        from harness.config.arch import ArchRecord
        from harness.config.catalogue import find
        from harness.machines.base import BootFiles
        from harness.machines.hercules.machine import Hercules
        from harness.core.process import Children

        async def main():
            files = BootFiles(Path({str(guests.kernel)!r}), Path({str(archive)!r}), ())
            facts = find(ArchRecord, "s390").hercules
            await Hercules(facts, files, Path({str(guests.folder / "machine")!r}), Children()).start()
            print("started", flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout and parent.stdout.readline() == b"started\n"
        assert marker.processes("hercules -d")
        parent.kill()
    assert marker.left_after(5) == {}
