# SPDX-License-Identifier: GPL-2.0-only
"""The system that is installed on a host, as far as nothing has to be booted: which kernel runs there, what
starts it, and the guest program on it. The host is a real SSH server, this machine's own; the guest program
is a script that writes the log itself."""

from __future__ import annotations

import asyncio
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.build.build_cache import VMLINUX
from harness.build.guest.initramfs import Entry, archive, text
from harness.config.host import HostRecord, SystemFacts
from harness.core.process import Children
from harness.machines.base import BootFiles
from harness.machines.host.installed_boot import InstalledSystem
from harness.machines.host.lease import HostLease
from harness.machines.host.remote import guest
from harness.machines.host.remote.host_boot_params import fetch_initramfs, own_words
from harness.machines.host.remote.running_kernel import mismatch
from harness.machines.host.remote.ssh import LinkError, connected
from harness.machines.host.remote.state import HostStateFile, Identity
from harness.machines.kinds import host_kind
from tests.private_sshd import PrivateSshd, needs_sshd, private_sshd, wire_to
from tests.samples.guestlog import frame

SYSTEM = {"initramfs": "/boot/initrd.img"}
BUILD_ID = struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
OTHER_NOTE = struct.pack("<III", 6, 5, 0x101) + b"Linux\0\0\0" + b"abcde\0\0\0"
BIG_ENDIAN = struct.pack(">III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
BUILT = b"\x7fELF...Linux version 6.12.117 (us) #1\0..." + BUILD_ID + b"..." + BIG_ENDIAN


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


# Which kernel runs there


@pytest.mark.parametrize(
    ("release", "notes", "said"),
    [
        ("6.12.117", BUILD_ID, ""),
        ("6.12.117", OTHER_NOTE + BUILD_ID, ""),
        ("6.12.117", BIG_ENDIAN, ""),
        ("6.12.117", b"", ""),
        ("6.12.117", b"\xff" * 50, ""),
        ("6.12.11", BUILD_ID, "calls itself 6.12.11,"),
        ("6.12.117-thp", BUILD_ID, "calls itself 6.12.117-thp,"),
        ("6.12.117", OTHER_NOTE + BUILD_ID[:-1] + b"x", "build id 0001"),
    ],
)
def test_a_kernel_that_was_not_built_by_us_is_told(
    tmp_path: Path, release: str, notes: bytes, said: str
) -> None:
    (tmp_path / VMLINUX).write_bytes(BUILT)
    answer = mismatch(tmp_path / VMLINUX, release, notes)
    assert said in answer and bool(said) == bool(answer)


def test_without_its_symbols_nothing_is_known_of_a_kernel(tmp_path: Path) -> None:
    assert mismatch(tmp_path / VMLINUX, "6.1", BUILD_ID) == ""


def test_a_build_id_of_the_compiler_is_found(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text('const char banner[] = "Linux version 6.1 (us)"; int main(void) { return 0; }\n')
    subprocess.run(["gcc", "-O0", "-Wl,--build-id=sha1", "-o", str(program), str(source)], check=True)
    notes = tmp_path / "notes"
    command = ["objcopy", "-O", "binary", "--only-section=.note.gnu.build-id", str(program), str(notes)]
    subprocess.run(command, check=True)
    assert mismatch(program, "6.1", notes.read_bytes()) == ""
    assert "build id" in mismatch(program, "6.1", notes.read_bytes()[:-1] + b"?")


# What starts it


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro quiet", ("root=UUID=1-2", "ro")),
        (
            "root=/dev/vda1 rd.lvm.lv=a/b splash net.ifnames=0\n",
            ("root=/dev/vda1", "rd.lvm.lv=a/b", "net.ifnames=0"),
        ),
        ('dyndbg="file a.c +p" initrd=\\i.img ro', ('dyndbg="file a.c +p"', "ro")),
        ("root=a crashkernel=512M -- quiet_init root=b", ("root=a",)),
        ("", ()),
    ],
)
def test_the_hosts_own_parameters_are_kept(own: str, kept: tuple[str, ...]) -> None:
    assert own_words(own) == kept


@pytest.mark.slow
@needs_sshd
def test_the_hosts_initramfs_is_fetched(server: PrivateSshd, tmp_path: Path) -> None:
    there, here = tmp_path / "there.img", tmp_path / "here.img"
    there.write_bytes(content := bytes(range(256)) * 1000)
    record = HostRecord.model_validate(server.record())
    with connected(record) as link:
        fetch_initramfs(link, SystemFacts(initramfs=str(there)), here)
        assert here.read_bytes() == content
        with pytest.raises(LinkError, match="nowhere"):
            fetch_initramfs(link, SystemFacts(initramfs="/nowhere"), here)
    assert not list(Path(record.uploads).glob("thp-harness.*"))


def test_tests_on_the_installed_system_have_their_own_kind(tmp_path: Path) -> None:
    place: dict[str, Any] = {"name": "desk", "about": "", "arch": "x86_64", "ssh": {"address": "a"}}
    record = HostRecord.model_validate({**place, "cmdline": ["console=ttyS0"], "system": SYSTEM})
    kind = host_kind(HostLease(record, HostStateFile(tmp_path, "desk"), print))
    assert (kind.name, kind.root, kind.mute) == ("host desk", "/var/lib/thp-harness/system", False)
    assert kind.lag == record.limits.outage_seconds
    assert kind.boot_silence > record.limits.back_seconds
    machine = kind.make(BootFiles(Path("K"), Path("I"), kind.cmdline), tmp_path, Children())
    assert machine.command[:5] == ("kexec", "-c", "-l", "K", "--initrd=/boot/initrd.img")


# The guest program


SAY = r"""#!/bin/sh
at=0
say() {
	printf '%s\n' "$1" | dd of=log bs=1 seek=$at conv=notrunc 2>/dev/null
	at=$((at + ${#1} + 1))
}
"""


def as_guest(script: str) -> bytes:
    """An initramfs whose first process is a script that says what it is told to."""
    init = Entry(0o100755, (SAY + script).encode())
    return archive({"init": init, "thp/manifest": text("nonce 1\n")})


def says(*payloads: str, first: int = 1) -> str:
    return "".join(f"say '{frame(number, words)}'\n" for number, words in enumerate(payloads, first))


def log_of(*payloads: str) -> bytes:
    return "".join(f"{frame(number, words)}\n" for number, words in enumerate(payloads, 1)).encode()


@pytest.mark.slow
@needs_sshd
def test_the_guest_program_runs_once_and_goes_on_without_us(server: PrivateSshd, tmp_path: Path) -> None:
    record = HostRecord.model_validate(server.record())
    initramfs = tmp_path / "initramfs"
    initramfs.write_bytes(as_guest('say "$0 $1"\nsay two\nexit 3\n'))
    with connected(record) as link:
        assert not guest.is_started(link)
        guest.install(link, initramfs)
        guest.start(link)
    news = None
    with connected(record) as link:
        assert guest.is_started(link)
        guest.start(link)  # it was, which a lost connection has not told us
        while news is None or news.status is None:
            news = guest.look_after(link, 0)
        folder = guest.guest_folder(record)
        assert news and news.status == 3
        assert news.lines.decode() == f"./init {folder}/thp/manifest\ntwo\n"
        assert guest.look_after(link, len(news.lines)).lines == b""
        first_line = news.lines.index(b"\n") + 1
        assert guest.clear_away(link, first_line) == {"console-log": b"two\n"}
        assert not Path(folder).exists()
        with pytest.raises(LinkError):
            guest.look_after(link, 0)
        assert guest.clear_away(link, 0) == {}, "there may be nothing"


@pytest.mark.parametrize("part", ["_UNPACK", "_START", "_LOOK"])
def test_what_runs_there_as_root_is_a_sound_script(part: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (ci/test-packages)")
    script = getattr(guest, part).format(folder="/f", archive="/a", place=1, most=2)
    command = ["shellcheck", "-s", "sh", "-e", "SC2086", "-"]
    answer = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    assert answer.stdout == ""


def here(server: PrivateSshd, **changes: Any) -> dict[str, Any]:
    """Its record, without the folder that all tests share."""
    record = server.record()
    del record["folder"]
    return {**record, **changes, "ssh": {**record["ssh"], **changes.get("ssh", {})}}


def up_and_running(record: dict[str, Any], folder: Path, script: str) -> InstalledSystem:
    """A boot that has left, of a kernel of ours that is this machine's; the host's own was another."""
    (folder / "I").write_bytes(as_guest(script))
    known = HostRecord.model_validate({"folder": str(folder / "lib"), "system": SYSTEM, **record})
    lease = HostLease(known, HostStateFile(folder, known.name), print, lambda: True)
    machine = InstalledSystem(lease, BootFiles(folder / "K", folder / "I", ()), folder / "own", Children())
    machine._screen.token = Path("/proc/cmdline").read_text().split()[0]
    machine._left = True
    lease.memory.left(machine._screen.token, Identity("an-earlier-one", "Linux version 2.4"))
    return machine


def read_all(machine: InstalledSystem) -> bytes:
    async def to_the_end() -> bytes:
        seen = b""
        while chunk := await machine.read():
            seen += chunk
        return seen

    thread = threading.Thread(target=machine._look_out, daemon=True)
    thread.start()
    try:
        return asyncio.run(asyncio.wait_for(to_the_end(), 120))
    finally:
        machine._stopped.set()
        thread.join()


@pytest.mark.slow
@needs_sshd
def test_a_connection_that_is_lost_costs_only_time(server: PrivateSshd, tmp_path: Path) -> None:
    go_on, payloads = tmp_path / "go_on", ("hello 1", "start 1 t", "end 1 exit 0 5", "done 1")
    wait = f"until [ -e {go_on} ]; do sleep 0.1; done\n"
    script = says(*payloads[:2]) + wait + says(*payloads[2:], first=3)
    with wire_to(server) as wire:
        server.knows(wire.port)
        try:
            machine = up_and_running(here(server, ssh={"port": wire.port}), tmp_path, script)

            def cut() -> None:
                while not machine._recent:
                    time.sleep(0.05)
                wire.reset()
                go_on.touch()

            cutter = threading.Thread(target=cut, daemon=True)
            cutter.start()
            assert read_all(machine) == log_of(*payloads)
            cutter.join()
        finally:
            server.knows()
    assert (machine._status, machine._trouble, machine._is_back) == (0, "", False)
    assert not machine._restarts_by_itself()


@pytest.mark.slow
@needs_sshd
def test_what_a_dead_kernel_has_left_on_the_disk_names_the_test(server: PrivateSshd, tmp_path: Path) -> None:
    payloads = ("hello 1", "start 1 well", "end 1 exit 0 5", "start 2 deadly")
    script = says(*payloads[:3]) + f"echo '{frame(4, payloads[3])}' >attempted\n"
    machine = up_and_running(here(server), tmp_path, script)
    assert read_all(machine) == log_of(*payloads[:3])
    machine._status, machine._is_back = None, True
    ending = machine._with_last_words(())
    assert frame(4, payloads[3]).encode() in ending.words.splitlines()
    assert frame(3, payloads[2]).encode() not in ending.words.splitlines()
    assert (ending.broken, list(ending.kept)) == (False, ["pmsg-attempted"])
    assert not Path(guest.guest_folder(machine._lease.record)).exists()


@pytest.mark.slow
@needs_sshd
def test_no_test_counts_of_a_kernel_that_was_not_built(server: PrivateSshd, tmp_path: Path) -> None:
    machine = up_and_running(here(server), tmp_path, says("hello 1"))
    (tmp_path / VMLINUX).write_bytes(BUILT.replace(b"6.12.117", b"2.4.37-ours"))
    assert read_all(machine) == b""
    assert "calls itself" in machine._trouble
    assert not Path(guest.guest_folder(machine._lease.record)).exists()
    assert machine._with_last_words(()).broken


@pytest.mark.slow
@needs_sshd
def test_a_host_that_is_back_ends_the_boot(server: PrivateSshd, tmp_path: Path) -> None:
    machine = up_and_running(here(server), tmp_path, "")
    away = machine._lease.memory.standing().away
    assert away
    machine._lease.memory.left("another-token", away.before)
    assert read_all(machine) == b""
    assert machine._is_back and machine._restarts_by_itself()
    notes = machine._with_last_words(()).notes
    assert any("never answered over SSH" in note for note in notes)


@pytest.mark.slow
@needs_sshd
def test_a_guest_program_without_room_is_told_and_is_no_hang(server: PrivateSshd, tmp_path: Path) -> None:
    machine = up_and_running(here(server, folder="/proc/nothing"), tmp_path, "")
    assert read_all(machine) == b""
    assert "the guest program could not be copied" in machine._trouble
