# SPDX-License-Identifier: GPL-2.0-only
"""Physical hosts, on one that is not quite physical: see tests/lab.

One run is always made; the faults take minutes and are for the night: pytest -m nightly.
"""

from __future__ import annotations

import asyncio
import io
import signal
import threading
import time
from pathlib import Path

import pytest

from harness.build.guest.manifest import new_nonce
from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.engine.boot import COMMON_CMDLINE
from harness.machines.base import BootFiles
from harness.machines.host.initramfs_boot import PhysicalHost
from harness.machines.host.lease import HostLease
from harness.machines.host.recovery import HostStatus, look
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import HostState, HostStateFile
from harness.machines.watch import Limits, WatchOutcome, watch
from results.journal.journal import read_events
from results.model.run import BootEnd
from tests.integration.conftest import SMALL_SERIES
from tests.integration.guest_programs import BAD_INIT, GUESTS, pack_guests
from tests.integration.lab_boots import run_there, table
from tests.lab.host import LabHost
from tests.private_sshd import write_record
from tests.program import Answer, Program

pytestmark = pytest.mark.slow

LIMITS = Limits(total=300, boot_silence=60, test_silence=60, backtrace=5, power_off=15)
HASTY = Limits(total=300, boot_silence=30, test_silence=30, backtrace=5, power_off=15)
"""For a kernel that says nothing any more."""


def test_a_run_on_a_host_gives_the_same_table_as_under_qemu(
    thp_harness: Program, ab_run: Answer, configuration: Path, place: HostRecord, tmp_path: Path
) -> None:
    here = {"XDG_CONFIG_HOME": str(configuration)}
    checked = thp_harness("hosts", "check", "labhost", "--json", env=here)
    assert checked.code == 0, checked.stdout
    theirs = {"XDG_STATE_HOME": str(tmp_path / "theirs")}
    assert thp_harness("hosts", "reserve", "labhost", "--for", "debugging", env={**here, **theirs}).code == 0
    refused = run_there(thp_harness, configuration)
    assert (refused.code, ": debugging, " in refused.stderr) == (3, True)
    assert thp_harness("hosts", "release", "labhost", env={**here, **theirs}).code == 0

    answer = run_there(thp_harness, configuration, "--json")
    assert answer.code == ab_run.code == 0, answer.stderr
    assert table(answer) == table(ab_run)
    boots = [boot for cell in answer.json["cells"] for boot in cell["boots"]]
    assert {(boot["machine"], boot["accelerator"], boot["end"]) for boot in boots} == {
        ("host labhost", "kexec", "done")
    }
    assert len(boots) == 4, "ours and the tree's own, on both kernels"
    report = (thp_harness.state / "runs" / answer.json["id"] / "report.html").read_text()
    assert "booted on the physical host labhost" in report
    assert HostStateFile(thp_harness.state, "labhost").standing() == HostState()
    assert look(place, None) is HostStatus.BACK
    again = thp_harness("hosts", "reserve", "labhost", env={**here, **theirs})
    assert again.code == 0, "the run has not given it back"
    assert thp_harness("hosts", "release", "labhost", env={**here, **theirs}).code == 0


@pytest.mark.nightly
def test_a_cell_of_a_host_is_booted_again_there(thp_harness: Program, configuration: Path) -> None:
    answer = run_there(thp_harness, configuration, "--json")
    assert answer.code == 0, answer.stderr
    here = {"XDG_CONFIG_HOME": str(configuration)}
    again = thp_harness(
        "rerun", "x86_64/base", "--times", "2", "--run", answer.json["id"], "--json", env=here
    )
    assert again.code in (0, 1), "how often it fails is not the matter here: " + again.stderr
    folder = max((thp_harness.state / "reruns").iterdir())
    events = [event for event in read_events(folder) if event.name == "boot"]
    assert {event.fact["machine"] for event in events} == {"host labhost"}
    assert len([event for event in events if event.fact["end"] == "done"]) == 2
    assert HostStateFile(thp_harness.state, "labhost").standing() == HostState()


# Faults


@pytest.fixture(scope="module")
def bad_init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_guests(tmp_path_factory.mktemp("guests"), "x86_64-linux-gnu-", GUESTS / "forger.c") / BAD_INIT


def boot_bad_init(
    way: str, record: HostRecord, kernel: Path, initramfs: Path, folder: Path, limits: Limits
) -> tuple[WatchOutcome, bytes, HostLease]:
    """Boot with a first process that misbehaves; the log, and what is remembered of the host."""
    lease = HostLease(record, HostStateFile(folder, record.name), print)
    lease.take()
    files = BootFiles(kernel, initramfs, (*COMMON_CMDLINE, *record.cmdline, "--", way))
    machine = PhysicalHost(lease, files, Children())
    with (folder / "log").open("wb") as log:
        outcome = asyncio.run(watch(machine, new_nonce(), limits, log))
    lease.give_back()
    return outcome, (folder / "log").read_bytes(), lease


@pytest.mark.nightly
def test_a_kernel_that_panics_gives_the_host_back(
    base_kernel: Path, bad_init: Path, place: HostRecord, tmp_path: Path
) -> None:
    outcome, log, lease = boot_bad_init("panic", place, base_kernel, bad_init, tmp_path, LIMITS)
    assert (outcome.end, outcome.notes) == (BootEnd.PANIC, ())
    assert log.count(b"Linux version 6.1.") == 0, "the host's own kernel is in the log"
    assert lease.memory.standing() == HostState()


@pytest.mark.nightly
def test_a_kernel_that_hangs_shows_where_and_is_reset_by_sysrq(
    base_kernel: Path, bad_init: Path, place: HostRecord, tmp_path: Path
) -> None:
    outcome, log, lease = boot_bad_init("hang", place, base_kernel, bad_init, tmp_path, HASTY)
    assert outcome.end is BootEnd.HANG
    assert b"sysrq: Show backtrace of all active CPUs" in log
    assert "SysRq over the console: back on its own kernel" in outcome.notes[0]
    assert lease.memory.standing() == HostState()


@pytest.mark.nightly
def test_a_kernel_that_hangs_is_switched_off_and_on(
    lab: LabHost, base_kernel: Path, bad_init: Path, tmp_path: Path
) -> None:
    write_record(tmp_path, lab.record(console={"socket": str(lab.console)}))
    record = find(HostRecord, "labhost", (tmp_path / "thp-harness",))
    outcome, _, lease = boot_bad_init("hang", record, base_kernel, bad_init, tmp_path, HASTY)
    assert outcome.end is BootEnd.HANG
    assert "SysRq over the console: no BREAK can be made" in outcome.notes[0]
    assert "power cycle: back on its own kernel" in outcome.notes[0]
    assert lease.memory.standing() == HostState()


@pytest.mark.nightly
def test_a_host_that_stays_away_needs_care_until_it_is_recovered(
    lab: LabHost, base_kernel: Path, bad_init: Path, configuration: Path, thp_harness: Program, tmp_path: Path
) -> None:
    short = {"back_seconds": 5, "step_seconds": 2, "banner_seconds": 5}
    without = lab.record(console={"socket": str(lab.console)}, power={}, limits=short)
    folder = tmp_path / "poor"
    write_record(folder, without)
    poor = find(HostRecord, "labhost", (folder / "thp-harness",))
    program = Program(thp_harness.cache_home, tmp_path / "state")
    program.state.mkdir(parents=True)
    outcome, _, lease = boot_bad_init("hang", poor, base_kernel, bad_init, program.state, HASTY)
    assert outcome.end is BootEnd.HANG
    assert "the record has no `cycle:`" in lease.memory.standing().needs_care
    with pytest.raises(InfrastructureError, match="needs care"):
        HostLease(poor, lease.memory, print).take()

    here = {"XDG_CONFIG_HOME": str(configuration)}
    listed = program("hosts", "list", "--json", env=here).json["hosts"]
    assert [host["name"] for host in listed if host["needs_care"]] == ["labhost"]
    recovered = program("hosts", "recover", "labhost", env=here)
    assert (recovered.code, "labhost is back" in recovered.stdout) == (0, True), recovered.stderr
    assert HostStateFile(program.state, "labhost").standing() == HostState()
    other = HostLease(poor, HostStateFile(tmp_path / "other", "labhost"), print)
    other.take()  # it is not reserved any more
    other.give_back()


@pytest.mark.nightly
def test_what_a_host_lacks_is_found_out_before_it_is_left(
    thp_harness: Program, base_kernel: Path, bad_init: Path, configuration: Path, place: HostRecord
) -> None:
    lease = HostLease(place, HostStateFile(configuration, place.name), print)
    lease.take()
    with connected(place) as link:
        link.ask("mv /usr/sbin/kexec /usr/sbin/away; date -s @$(($(date +%s) + 86400))")
        link.run("dd if=/dev/zero of=/tmp/fill bs=1M", 60)
    try:
        here = {"XDG_CONFIG_HOME": str(configuration)}
        checked = thp_harness("hosts", "check", "labhost", "--json", env=here)
        lacking = {check["name"] for check in checked.json["checks"] if check["ok"] is False}
        assert (checked.code, lacking) == (3, {"disk", "kexec"})
        machine = PhysicalHost(lease, BootFiles(base_kernel, bad_init, place.cmdline), Children())
        outcome = asyncio.run(watch(machine, new_nonce(), LIMITS, io.BytesIO()))
        assert outcome.end is BootEnd.MACHINE
        assert "/tmp" in outcome.detail
        assert lease.memory.standing() == HostState()
    finally:
        with connected(place) as link:
            link.ask("mv /usr/sbin/away /usr/sbin/kexec; rm -f /tmp/fill; date -s @$(($(date +%s) - 86400))")
        lease.give_back()


@pytest.mark.nightly
def test_a_network_that_is_gone_for_a_while_costs_nothing_but_time(
    lab: LabHost, thp_harness: Program, configuration: Path
) -> None:
    memory = HostStateFile(thp_harness.state, "labhost")
    gone, finished = threading.Event(), threading.Event()

    def unplug() -> None:
        while memory.standing().away is None:
            if finished.wait(0.2):
                return
        time.sleep(2)  # until then the command that starts the kernel has gone out
        lab.cable(plugged=False)
        gone.set()
        time.sleep(60)
        lab.cable(plugged=True)

    thread = threading.Thread(target=unplug)
    thread.start()
    try:
        answer = run_there(thp_harness, configuration, "--json")
    finally:
        finished.set()
        thread.join()
    assert answer.code == 0, answer.stderr
    assert gone.is_set()
    boots = [boot for cell in answer.json["cells"] for boot in cell["boots"]]
    assert [boot["end"] for boot in boots] == ["done", "done"]


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_run_that_ends_early_is_taken_up_where_the_host_is(
    thp_harness: Program, configuration: Path, place: HostRecord, number: signal.Signals
) -> None:
    memory = HostStateFile(thp_harness.state, "labhost")
    arguments = ("run", "--host", "labhost", "--series", SMALL_SERIES, "--always-boot")
    process = thp_harness.start(*arguments, env={"XDG_CONFIG_HOME": str(configuration)})
    deadline = time.monotonic() + 300
    while memory.standing().away is None and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(3)  # it has probably left, but need not have
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert memory.standing().away, "it was killed too late"

    answer = run_there(thp_harness, configuration, "--always-boot", "--json")
    assert answer.code == 0, answer.stderr
    assert "resuming the interrupted run" in answer.stderr
    assert "labhost is away since" in answer.stderr
    assert memory.standing() == HostState()
    assert look(place, None) is HostStatus.BACK
