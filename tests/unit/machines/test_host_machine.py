# SPDX-License-Identifier: GPL-2.0-only
"""A physical host as a machine, as far as nothing has to be booted: what is ours on its console, who has it,
and how it is got back. The host is a real SSH server; nothing here starts a kernel."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord, BootLimits
from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.errors import InfrastructureError, UsageError
from harness.core.process import Children
from harness.engine.boot import Bootable, _files, _limits, limits_for
from harness.machines.base import BootFiles
from harness.machines.console_filter import ConsoleFilter
from harness.machines.host.initramfs_boot import PhysicalHost
from harness.machines.host.lease import HostLease
from harness.machines.host.recovery import identity
from harness.machines.host.remote.console import Console, open_console, opened
from harness.machines.host.remote.reservation import Reserved, current, release, take
from harness.machines.host.remote.ssh import Link, connected
from harness.machines.host.remote.state import BootInProgress, HostState, HostStateFile, Identity
from harness.machines.host.start import grub, systemd_boot
from harness.machines.host.start.bootloader import BootEntry
from harness.machines.host.start.kexec import load
from harness.machines.kinds import host_kind
from harness.plan.plan import PlanRequest, make_plan
from tests.private_sshd import PrivateSshd, needs_sshd, private_sshd, write_record
from tests.samples.guestlog import frame

TOKEN = "thp.token=0123456789abcdef"
FIRMWARE = b"\x1b[2JSeaBIOS\r\n"
OLD = b"[ 1000.1] kexec_core: Starting new kernel\r\n"
BANNER = b"[    0.000000][    T0] Linux version 6.12.117 (gcc) #1 SMP\r\n"
PROOF = f"[    0.000000][    T0] Kernel command line: {TOKEN} console=ttyS0\r\n".encode()
REPORT = f"[    0.5][    T1] {frame(1, 'hello 1')}\r\n[    0.9][    T1] {frame(2, 'done 3')}\r\n".encode()
RESTART = b"[    1.0][    T1] reboot: Restarting system\r\n"
OURS = OLD + BANNER + PROOF + REPORT + RESTART


def shown(console: bytes, size: int) -> tuple[bytes, ConsoleFilter]:
    """What a console that comes in pieces of this size lets through."""
    screen, kept = ConsoleFilter(TOKEN), b""
    for start in range(0, len(console), size):
        if screen.over:
            break
        kept += screen.pass_on(console[start : start + size])
    return kept, screen


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_our_words_end_where_our_kernel_restarts_the_machine(size: int) -> None:
    kept, screen = shown(OURS + FIRMWARE + BANNER, size)
    assert kept == OURS
    assert (screen.over, screen.leaving, screen.proved) == (True, True, True)
    assert (screen.told, screen.done, screen.number) == (True, True, 2)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_kernel_that_resets_is_cut_from_the_one_that_follows(size: int) -> None:
    ours = OLD + BANNER + PROOF + b"[    0.7] BUG: something\r\n"
    kept, screen = shown(ours + FIRMWARE + BANNER + b"[    0.1] WARNING: not ours\r\n", size)
    assert kept.startswith(ours + FIRMWARE.strip())
    assert kept.count(b"SMP") == 1
    assert b"not ours" not in kept
    assert screen.over and not screen.told
    assert b"BUG: something" in screen.recent


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_report_without_proof_is_not_believed(size: int) -> None:
    with pytest.raises(InfrastructureError, match="never showed our kernel's token"):
        shown(OLD + BANNER + REPORT, size)


def test_what_a_console_server_repeats_of_earlier_boots_does_not_count() -> None:
    earlier = BANNER + b"[    9.9] reboot: Restarting system\r\n" + FIRMWARE + BANNER
    kept, screen = shown(earlier + OURS, 100)
    assert kept == earlier + OURS
    assert screen.over


def test_a_test_can_not_end_the_boot_by_printing_its_words() -> None:
    said = f"[    0.6][    T1] {frame(2, 'out 1 reboot: Restarting system')}\r\n".encode()
    said += f"[    0.6] {frame(3, 'out 1 Linux version 6.12')}\r\n".encode()
    kept, screen = shown(OLD + BANNER + PROOF + said, 10_000)
    assert kept.endswith(said)
    assert not screen.over


def test_a_panic_is_a_promise_to_come_back() -> None:
    _, screen = shown(OLD + BANNER + PROOF + b"[    0.9] Kernel panic - not syncing: dead\r\n", 50)
    assert screen.leaving and not screen.over


# Consoles

PLACE: dict[str, Any] = {
    "name": "desk",
    "about": "",
    "arch": "x86_64",
    "ssh": {"address": "a"},
    "cmdline": ["console=ttyS0"],
}


def with_console(**facts: Any) -> HostRecord:
    return HostRecord.model_validate({**PLACE, "console": facts})


def wait_for(console: Console, words: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + 30
    while words not in seen and time.monotonic() < deadline:
        seen += console.take()
        time.sleep(0.01)
    assert words in seen
    return seen


def appears(path: Path) -> bool:
    """Whether a command that a host runs on its own, later, comes to write this file."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return path.exists()


def test_a_command_is_a_console_and_is_typed_on() -> None:
    with opened(with_console(command=["cat"], break_text="~B")) as console:
        assert console.send_break(b"b")
        assert wait_for(console, b"~Bb") == b"~Bb"


def test_a_console_that_ends_is_opened_again() -> None:
    with opened(with_console(command=["echo", "hello"])) as console:
        assert b"the console was lost here" in wait_for(console, b"again]\nhello")


def test_a_file_is_read_from_where_it_ends(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("an earlier boot\n")
    with opened(with_console(file=str(tmp_path / "log"))) as console:
        with (tmp_path / "log").open("a") as file:
            file.write("now\n")
        assert wait_for(console, b"now\n") == b"now\n"
        assert not console.send_break(b"b")


def test_a_socket_is_read_and_a_command_makes_the_break(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        facts = {"socket": str(tmp_path / "s"), "break_command": ["touch", str(tmp_path / "broken")]}
        with opened(with_console(**facts)) as console:
            near, _ = server.accept()
            with near:
                near.sendall(b"login: ")
                wait_for(console, b"login: ")
                assert console.send_break(b"b")
                assert near.recv(1) == b"b"
    assert (tmp_path / "broken").exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"socket": "/no/such/socket"}, "/no/such/socket: No such file"),
        ({"file": "/no/such/file"}, "/no/such/file: No such file"),
        ({"command": ["false"], "break_command": ["no-such-program"]}, ""),
    ],
)
def test_a_console_that_can_not_be_opened_is_named(facts: dict[str, Any], said: str) -> None:
    if said:
        with pytest.raises(InfrastructureError, match=said):
            open_console(with_console(**facts))
    else:
        with opened(with_console(**facts)) as console:
            assert not console.send_break(b"b")


def test_a_host_without_a_console_is_told_to_get_one() -> None:
    with pytest.raises(InfrastructureError, match="desk has no console") as refused:
        open_console(HostRecord.model_validate(PLACE))
    assert "desk.yaml" in refused.value.hint


# Plans


def test_a_host_says_the_architecture_and_what_its_kernels_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write_record(tmp_path, {**PLACE, "arch": "arm64", "kconfig": ["lockdep"]})
    plan = make_plan(PlanRequest(host="desk"))
    assert [arch.name for arch in plan.arches] == ["arm64"]
    assert "lockdep" in plan.recipes["arm64"].title
    assert plan.label.startswith("desk-")
    assert make_plan(PlanRequest(host="desk", arches=("arm64",))).host == plan.host
    with pytest.raises(UsageError, match="--arch x86_64: the host desk is arm64"):
        make_plan(PlanRequest(host="desk", arches=("x86_64",)))
    with pytest.raises(UsageError, match="unknown host 'dekc'"):
        make_plan(PlanRequest(host="dekc"))


# Keeping a host


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        running.program("kexec", "#!/bin/sh\necho 'kexec: cannot read it' >&2\nexit 1\n")
        running.program("who", "#!/bin/sh\n")
        yield running


@pytest.fixture(scope="module")
def now(server: PrivateSshd) -> Identity:
    """What the server's machine runs."""
    with connected(HostRecord.model_validate(server.record())) as link:
        return identity(link)


def lease(server: PrivateSshd, state: Path, said: list[str], **changes: Any) -> HostLease:
    record = HostRecord.model_validate(server.record(**changes))
    return HostLease(record, HostStateFile(state, record.name), said.append)


IMPATIENT = {"banner_seconds": 30, "connect_seconds": 30, "back_seconds": 60, "step_seconds": 0.1}


@pytest.mark.slow
@needs_sshd
def test_a_host_has_one_user_at_a_time(server: PrivateSshd, tmp_path: Path) -> None:
    said: list[str] = []
    ours = lease(server, tmp_path / "ours", said)
    ours.take()
    with pytest.raises(InfrastructureError, match="in use by another thp-harness of yours"):
        lease(server, tmp_path / "ours", said).take()
    theirs = lease(server, tmp_path / "theirs", said)
    with pytest.raises(Reserved, match=r"reserved: .*: a run, "):
        theirs.take()
    ours.give_back()
    theirs.take()
    theirs.give_back()
    assert said == []


@pytest.mark.slow
@needs_sshd
def test_what_was_reserved_by_hand_stays_reserved_after_a_run(server: PrivateSshd, tmp_path: Path) -> None:
    mine = lease(server, tmp_path, [])
    with connected(mine.record) as link:
        take(link, mine.memory, "debugging", 9)
        mine.take()
        mine.give_back()
        found = current(link)
        assert found and found.words.endswith(": debugging")
        assert found.seconds_left > 8 * 3600
        release(link, mine.memory)


@pytest.mark.slow
@needs_sshd
def test_a_host_that_came_back_while_nobody_looked_is_taken_up_again(
    server: PrivateSshd, now: Identity, tmp_path: Path
) -> None:
    said: list[str] = []
    ours = lease(server, tmp_path, said)
    ours.memory.left("token", replace(now, boot_id="an-earlier-one"))
    ours.take()
    assert ours.memory.standing() == HostState()
    assert "is away since" in said[0]
    ours.give_back()


@pytest.mark.slow
@needs_sshd
def test_a_host_that_can_not_be_got_back_needs_care(
    server: PrivateSshd, now: Identity, tmp_path: Path
) -> None:
    power = {"reboot": f"touch {tmp_path}/rebooted", "cycle": ["touch", str(tmp_path / "cycled")]}
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power=power)
    ours.memory.left("token", now)
    with pytest.raises(
        InfrastructureError, match="nearby needs care: by itself: it was never restarted"
    ) as error:
        ours.take()
    assert "hosts recover nearby" in error.value.hint
    for word in (
        "reboot over SSH: it was never",
        "SysRq over the console: no BREAK",
        "power cycle: it was never",
    ):
        assert word in str(error.value)
    assert appears(tmp_path / "rebooted") and (tmp_path / "cycled").exists()
    assert json.loads(ours.memory.journal.read_text())["sight"] == "SAME"
    with pytest.raises(InfrastructureError, match="needs care"):
        lease(server, tmp_path, []).take()


@pytest.mark.slow
@needs_sshd
def test_every_way_to_restart_it_is_taken_in_turn(server: PrivateSshd, now: Identity, tmp_path: Path) -> None:
    steps = tmp_path / "steps"

    def noting(word: str) -> list[str]:
        return ["sh", "-c", f"echo {word} >>{steps}"]

    power = {
        "reboot": f"touch {tmp_path}/rebooted",
        "nmi": noting("nmi"),
        "cycle": noting("cycle"),
        "off": noting("off"),
        "on": noting("on"),
        "off_seconds": 0.1,
    }
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power=power, folder=str(tmp_path / "there"))
    ours.memory.left("token", now)
    with pytest.raises(InfrastructureError, match="needs care"):
        ours.take()
    assert steps.read_text().split() == ["nmi", "cycle", "off", "on"]
    assert appears(tmp_path / "rebooted")
    ways = [step["way"] for step in json.loads(ours.memory.journal.read_text())["steps"]]
    restarts = ["reboot over SSH", "SysRq over the console", "NMI", "power cycle", "power off and on"]
    assert ways == ["by itself", *restarts]


@pytest.mark.slow
@needs_sshd
def test_labgrid_switches_the_power(server: PrivateSshd, now: Identity, tmp_path: Path) -> None:
    steps, environment = tmp_path / "steps", tmp_path / "lab.yaml"
    failing = tmp_path / "cycle"
    failing.write_text(f"#!/bin/sh\necho cycle >>{steps}\nexit 3\n")
    failing.chmod(0o755)
    tool = {"cmd_cycle": str(failing)}
    for action in ("off", "on"):
        script = tmp_path / action
        script.write_text(f"#!/bin/sh\necho {action} >>{steps}\n")
        script.chmod(0o755)
        tool[f"cmd_{action}"] = str(script)
    drivers = {"ExternalPowerDriver": tool}
    environment.write_text(json.dumps({"targets": {"desk": {"resources": {}, "drivers": drivers}}}))
    power = {"reboot": "true", "labgrid": {"environment": str(environment), "target": "desk"}}
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power={**power, "off_seconds": 0.1})
    ours.memory.left("token", now)
    with pytest.raises(InfrastructureError, match=r"power cycle: harness\S+ ended with status 1"):
        ours.take()
    assert steps.read_text().split() == ["cycle", "off", "on"]


@pytest.mark.slow
@needs_sshd
def test_a_power_switch_that_hangs_is_given_up(server: PrivateSshd, now: Identity, tmp_path: Path) -> None:
    power = {"reboot": "true", "cycle": ["sleep", "60"], "seconds": 1}
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power=power)
    ours.memory.left("token", now)
    with pytest.raises(InfrastructureError, match="power cycle: sleep did not end within 1 s"):
        ours.take()


@pytest.mark.parametrize("has_break", [True, False], ids=["SysRq", "NMI"])
def test_a_silent_kernel_is_interrupted_the_gentlest_way(tmp_path: Path, has_break: bool) -> None:
    """SysRq only shows where the kernel is; an NMI ends it."""
    console = {"command": ["cat"], **({"break_text": "~B"} if has_break else {})}
    power = {"nmi": ["touch", str(tmp_path / "nmi")]}
    record = HostRecord.model_validate({**PLACE, "console": console, "power": power})
    machine = PhysicalHost(
        HostLease(record, HostStateFile(tmp_path, "desk"), print),
        BootFiles(Path("K"), Path("I"), ()),
        Children(),
    )
    with opened(record) as machine._console:
        asyncio.run(machine.interrupt())
        if has_break:
            assert wait_for(machine._console, b"~Bl~Bt")
    assert (tmp_path / "nmi").exists() is not has_break


@pytest.mark.slow
@needs_sshd
def test_who_stops_us_leaves_the_host_as_it_is(server: PrivateSshd, now: Identity, tmp_path: Path) -> None:
    power = {"reboot": f"touch {tmp_path}/rebooted", "cycle": ["touch", str(tmp_path / "cycled")]}
    record = HostRecord.model_validate(server.record(power=power))
    ours = HostLease(record, HostStateFile(tmp_path, record.name), print, lambda: True)
    ours.memory.left("token", now)
    before = ours.memory.standing()
    recovery = ours.bring_back(None, by_itself=False)
    assert (recovery.back, recovery.steps) == (False, ())
    assert ours.memory.standing() == before
    assert not (tmp_path / "rebooted").exists() and not (tmp_path / "cycled").exists()


@pytest.mark.slow
@needs_sshd
def test_another_kernel_than_before_is_not_the_hosts_own(
    server: PrivateSshd, now: Identity, tmp_path: Path
) -> None:
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power={"reboot": "true"})
    ours.memory.left("token", Identity("an-earlier-one", "Linux version 2.4"))
    with pytest.raises(InfrastructureError, match="another kernel than its own came back"):
        ours.take()


@pytest.mark.slow
@needs_sshd
def test_a_kernel_of_ours_that_answers_is_not_the_hosts_own(server: PrivateSshd, tmp_path: Path) -> None:
    token = Path("/proc/cmdline").read_text().split()[0]
    ours = lease(server, tmp_path, [], limits=IMPATIENT, power={"reboot": "true", "cycle": ["false"]})
    ours.memory.remember(HostState(BootInProgress(token, Identity("an-earlier-one", ""), "")))
    with pytest.raises(
        InfrastructureError, match=r"still runs the kernel under test.*false ended with status 1"
    ):
        ours.take()


# Loading a kernel


@pytest.mark.slow
@needs_sshd
def test_a_kernel_that_is_not_taken_leaves_nothing_behind(server: PrivateSshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    record = HostRecord.model_validate(server.record())
    with (
        connected(record) as link,
        pytest.raises(InfrastructureError, match="could not load the kernel: kexec: cannot read it"),
    ):
        load(link, tmp_path / "file", tmp_path / "file", ["a b"])
    assert not list(Path(record.uploads).glob("thp-harness.*"))


def started(kept: HostLease, folder: Path) -> None:
    (folder / "file").write_bytes(b"x")
    machine = PhysicalHost(kept, BootFiles(folder / "file", folder / "file", ("quiet",)), Children())

    async def start_and_stop() -> None:
        try:
            await machine.start()
        finally:
            ending = await machine.stop()
            assert (ending.broken, ending.detail) == (True, "never started")

    asyncio.run(start_and_stop())


@pytest.mark.slow
@needs_sshd
def test_a_host_is_not_taken_from_under_its_users(server: PrivateSshd, tmp_path: Path) -> None:
    server.program("who", "#!/bin/sh\necho alice tty1\n")
    console = {"command": [sys.executable, "-c", "input()"]}
    try:
        with pytest.raises(InfrastructureError, match="not taken from under its users: alice"):
            started(lease(server, tmp_path, [], console=console), tmp_path)
        with pytest.raises(InfrastructureError, match="cannot read it"):
            started(lease(server, tmp_path, [], console=console, despite_users=True), tmp_path)
    finally:
        server.program("who", "#!/bin/sh\n")
    assert HostStateFile(tmp_path, "nearby").standing() == HostState()


# Other ways to start a kernel


SITE = """#!/bin/sh
echo "$THP_HOST $THP_BOOT $(cat "$THP_KERNEL" 2>/dev/null) $THP_CMDLINE" >>{log}
"""


@pytest.mark.slow
@needs_sshd
def test_a_command_of_the_site_gets_the_kernel_and_is_told_when_to_forget_it(
    server: PrivateSshd, tmp_path: Path
) -> None:
    site, log = tmp_path / "site", tmp_path / "log"
    site.write_text(SITE.format(log=log))
    site.chmod(0o755)
    (tmp_path / "kernel").write_text("K")
    kept = lease(
        server,
        tmp_path,
        [],
        boot={"method": "command", "command": [str(site)]},
        folder=str(tmp_path / "there"),
        console={"command": ["cat"]},
        power={"reboot": "true"},
        limits=IMPATIENT,
    )
    machine = PhysicalHost(kept, BootFiles(tmp_path / "kernel", tmp_path / "kernel", ("a=1",)), Children())

    async def start_and_stop() -> None:
        await machine.start()
        await machine.stop()

    asyncio.run(start_and_stop())
    first, *more = log.read_text().splitlines()
    assert first.startswith("nearby test K thp.token=") and first.endswith(" a=1")
    assert set(more) == {"nearby own  "}
    assert "never restarted" in kept.memory.standing().needs_care
    assert (machine.accelerator, machine.command[-1]) == ("command", str(site))


@pytest.mark.slow
@needs_sshd
def test_a_command_of_the_site_that_fails_leaves_the_host_alone(server: PrivateSshd, tmp_path: Path) -> None:
    boot, there = {"method": "command", "command": ["false"]}, str(tmp_path / "there")
    kept = lease(server, tmp_path, [], boot=boot, console={"command": ["cat"]}, folder=there)
    with pytest.raises(InfrastructureError, match="false ended with status 1"):
        started(kept, tmp_path)
    assert kept.memory.standing() == HostState()


@pytest.mark.slow
@needs_sshd
def test_a_host_that_may_start_our_kernel_again_needs_care(
    server: PrivateSshd, now: Identity, tmp_path: Path
) -> None:
    kept = lease(server, tmp_path, [], boot={"method": "command", "command": ["false"]})
    kept.memory.left("token", replace(now, boot_id="an-earlier-one"))
    with pytest.raises(InfrastructureError, match=r"needs care: .*tidying up: false ended with status 1"):
        kept.take()


@pytest.mark.parametrize("menu", [grub.MENU, systemd_boot.MENU], ids=lambda menu: menu.name)
def test_what_runs_as_root_is_a_sound_script(menu: BootEntry) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (ci/test-packages)")
    command = ["shellcheck", "-s", "sh", "-e", "SC2086", "-"]
    script = menu.script("/tmp/a", ("a b", "c"))
    answer = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    assert answer.stdout == ""


def test_a_kernel_that_uefi_can_not_start_is_not_even_uploaded(tmp_path: Path) -> None:
    (tmp_path / "kernel").write_bytes(b"\x7fELF")
    nowhere = Link(HostRecord.model_validate(PLACE), None)
    with pytest.raises(InfrastructureError, match="no EFI stub") as caught:
        systemd_boot.load(nowhere, tmp_path / "kernel", tmp_path / "kernel", ())
    assert "kconfig: [efi]" in caught.value.hint


def test_what_boots_on_a_host_restarts_it(tmp_path: Path) -> None:
    record = HostRecord.model_validate(PLACE)
    kind = host_kind(HostLease(record, HostStateFile(tmp_path, "desk"), print))
    assert (kind.name, kind.finish) == ("host desk", "restart")
    assert (
        limits_for((), BootLimits(), kind.time_scale, kind.boot_silence).boot_silence
        == record.limits.boot_seconds
    )
    machine = kind.make(BootFiles(Path("K"), Path("I"), kind.cmdline), tmp_path, Children())
    assert machine.command[:5] == ("kexec", "-c", "-l", "K", "--initrd=I")
    assert "console=ttyS0" in machine.command[5]
    assert kind.watchdog_seconds == record.limits.watchdog_seconds


def test_a_host_without_a_console_is_waited_for_as_long_as_it_may_take(tmp_path: Path) -> None:
    record = with_console(pstore=True)
    kind = host_kind(HostLease(record, HostStateFile(tmp_path, "desk"), print))
    limits = _limits(kind, BootLimits(), ())
    assert limits.boot_silence == limits.test_silence == limits.total > record.limits.back_seconds
    assert "has no console" in kind.notes[1]
    with pytest.raises(InfrastructureError, match="desk has no console"):
        open_console(record)


def test_a_panic_is_shown_before_the_host_is_restarted(tmp_path: Path) -> None:
    kind = host_kind(HostLease(HostRecord.model_validate(PLACE), HostStateFile(tmp_path, "desk"), print))
    bootable = Bootable(find(ArchRecord, "x86_64"), Path("K"), Path("I"))
    files = _files(bootable, kind, tmp_path / "b.cpio", "0" * 16, 1.0)
    machine = kind.make(files, tmp_path / "b.machine", Children())
    words = machine.command[5].split()
    assert words.index("panic=10") > words.index("panic=-1"), "of two the kernel takes the last"
