# SPDX-License-Identifier: GPL-2.0-only
"""The way to a physical host, and all that goes wrong on it: a real SSH server, and a wire that is cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.host import HostRecord
from harness.machines.host.remote.reservation import Reserved, current, release, take
from harness.machines.host.remote.ssh import KeyRefused, Link, LinkError, LoginRefused, Unreachable, connected
from harness.machines.host.remote.state import HostStateFile
from tests import published
from tests.private_sshd import PrivateSshd, Wire, closed_port, needs_sshd, private_sshd, wire_to, write_record
from tests.program import Invoke

pytestmark = [pytest.mark.slow, needs_sshd]

EFI_VARIABLES = Path("/sys/firmware/efi/efivars")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def link(server: PrivateSshd) -> Iterator[Link]:
    """A connection that nothing happens to."""
    with connected(record(server)) as opened:
        yield opened


@pytest.fixture
def wire(server: PrivateSshd) -> Iterator[Wire]:
    with wire_to(server) as opened:
        yield opened


def record(server: PrivateSshd, **changes: Any) -> HostRecord:
    return HostRecord.model_validate(server.record(**changes))


def over(wire: Wire, server: PrivateSshd, folder: Path, **limits: float) -> HostRecord:
    """A record whose host is reached by the wire."""
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{wire.port} {server.host_key}\n")
    ssh = {"port": wire.port, "known_hosts": str(known)}
    bounds = {"banner_seconds": 30, "connect_seconds": 30, **limits}
    return record(server, ssh=ssh, limits=bounds)


# Commands and files


def test_a_command_tells_its_output_and_status(link: Link) -> None:
    said = link.run("echo out; echo 'a  \"b\"' >&2; exit 3")
    assert (said.code, said.out, said.complaint) == (3, "out\n", 'a  "b"')
    with pytest.raises(LinkError, match=r"nearby: echo no >&2; exit 1: no"):
        link.ask("echo no >&2; exit 1")


def test_a_command_that_never_ends_is_given_up(link: Link) -> None:
    with pytest.raises(Unreachable, match="did not finish a command in 1 s: sleep 600"):
        link.run("sleep 600", 1)
    assert link.run("echo still here").out == "still here\n"


def test_a_file_arrives_whole(link: Link, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    target = f"{link.record.uploads}/it's"
    link.upload(tmp_path / "file", target)
    assert Path(target).read_bytes() == (tmp_path / "file").read_bytes()


def test_a_file_that_has_no_room_is_told_from_a_lost_connection(link: Link, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    with pytest.raises(LinkError):
        link.upload(tmp_path / "file", "/dev/full")
    assert link.run("true").code == 0


# Keys and logins


def test_an_unknown_key_is_refused_and_shown(server: PrivateSshd, tmp_path: Path) -> None:
    stranger = record(server, ssh={"known_hosts": str(tmp_path / "none")})
    with (
        pytest.raises(KeyRefused, match=r"is not in .*none: ssh-ed25519 SHA256:") as refused,
        connected(stranger),
    ):
        pass
    assert not refused.value.known
    line = refused.value.hint.split("echo '")[1].split("'")[0]
    (tmp_path / "none").write_text(line + "\n")
    with connected(stranger) as opened:
        assert opened.run("true").code == 0


def test_another_key_than_the_known_one_is_refused(server: PrivateSshd, tmp_path: Path) -> None:
    other = (server.folder / "key.pub").read_text().split()[1]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {other}\n")
    forged = record(server, ssh={"known_hosts": str(tmp_path / "known")})
    with pytest.raises(KeyRefused, match="is not the known one") as refused, connected(forged):
        pass
    assert refused.value.known
    assert "ssh-keygen -R" in refused.value.hint


def test_a_key_that_does_not_fit_is_no_way_in(server: PrivateSshd) -> None:
    with (
        pytest.raises(LoginRefused, match=r"SSH login to .* failed") as refused,
        connected(record(server, ssh={"key": str(server.folder / "host_key")})),
    ):
        pass
    assert f"ssh-copy-id -p {server.port}" in refused.value.hint


def test_a_key_that_is_not_there_is_named(server: PrivateSshd) -> None:
    with (
        pytest.raises(LoginRefused, match="/no/such/key is not there"),
        connected(record(server, ssh={"key": "/no/such/key"})),
    ):
        pass


def test_a_host_is_reached_through_another(server: PrivateSshd) -> None:
    user = server.record()["ssh"]["user"]
    with connected(record(server, ssh={"jump": f"{user}@127.0.0.1:{server.port}"})) as opened:
        assert opened.run("echo hop").out == "hop\n"


# Faults of the network


def test_nobody_is_there(server: PrivateSshd) -> None:
    with (
        closed_port() as port,
        pytest.raises(Unreachable, match=f"127.0.0.1:{port} can't be reached: Connection refused"),
        connected(record(server, ssh={"port": port})),
    ):
        pass


def test_a_port_that_takes_connections_and_says_nothing(
    server: PrivateSshd, wire: Wire, tmp_path: Path
) -> None:
    wire.stalled.set()
    with (
        pytest.raises(Unreachable, match="takes the connection but says nothing"),
        connected(over(wire, server, tmp_path, banner_seconds=0.2)),
    ):
        pass


@pytest.mark.parametrize("fault", [Wire.drop, Wire.reset], ids=["dropped", "reset"])
def test_a_connection_that_is_cut_is_an_error_soon(
    server: PrivateSshd, wire: Wire, tmp_path: Path, fault: Callable[[Wire], None]
) -> None:
    place = over(wire, server, tmp_path)
    with connected(place) as opened:
        fault(wire)
        with pytest.raises(Unreachable, match="the connection to nearby was lost"):
            opened.run("sleep 60", 60)
    with connected(place) as again:
        assert again.run("echo back").out == "back\n"


# Reservations


def test_of_two_orchestrators_one_gets_the_host(link: Link, tmp_path: Path) -> None:
    ours, theirs = HostStateFile(tmp_path / "ours", "nearby"), HostStateFile(tmp_path / "theirs", "nearby")
    assert take(link, ours, 'a run\'s\n  "work"', 2) is False
    assert take(link, ours, "the same again", 2) is True
    with pytest.raises(Reserved, match=r"is reserved: .*: the same again, 1:59 h left|2:00 h left"):
        take(link, theirs, "another", 1)
    release(link, theirs)
    found = current(link)
    assert found and found.owner == ours.owner()
    release(link, ours)
    assert current(link) is None
    assert take(link, theirs, "another", 1) is False
    release(link, ours, force=True)
    assert current(link) is None


def test_a_reservation_ends_by_itself(link: Link, tmp_path: Path) -> None:
    ours, theirs = HostStateFile(tmp_path / "ours", "nearby"), HostStateFile(tmp_path / "theirs", "nearby")
    take(link, ours, "a run", 1)
    path = Path(link.record.folder) / "reservation"
    owner, _, words = path.read_text().splitlines()
    path.write_text(f"{owner}\n1000\n{words}\n")
    assert current(link) is None
    assert take(link, theirs, "another", 1) is False
    release(link, theirs)


@pytest.mark.parametrize("damage", ["", "x\n", "x\nmany\nwords\n"])
def test_a_damaged_reservation_keeps_nobody_out(link: Link, tmp_path: Path, damage: str) -> None:
    take(link, HostStateFile(tmp_path / "a", "nearby"), "", 1)
    (Path(link.record.folder) / "reservation").write_text(damage)
    assert take(link, HostStateFile(tmp_path / "b", "nearby"), "", 1) is False
    release(link, HostStateFile(tmp_path / "b", "nearby"))


def test_a_reservation_by_hand_is_made_and_given_back(
    server: PrivateSshd, invoke: Invoke, tmp_path: Path
) -> None:
    write_record(tmp_path, server.record())
    mine = {"XDG_CONFIG_HOME": str(tmp_path)}
    theirs = {**mine, "XDG_STATE_HOME": str(tmp_path / "other")}
    reserved = invoke("hosts", "reserve", "nearby", "--hours", "1", "--json", env=mine).json
    published.check(reserved, "reservation")
    assert reserved["reservation"]["words"].endswith(": by hand")
    refused = invoke("hosts", "reserve", "nearby", "--for", "me", env=theirs)
    assert (refused.code, "is reserved" in refused.stderr) == (3, True)
    assert invoke("hosts", "release", "nearby", env=theirs).code == 3
    assert invoke("hosts", "release", "nearby", env=mine).stdout == "nearby is free\n"


# The check


def diagnose(invoke: Invoke, folder: Path, place: dict[str, Any]) -> dict[str, Any]:
    """What `hosts check` says of each thing, by name."""
    write_record(folder, place)
    env = {"XDG_CONFIG_HOME": str(folder)}
    answer = invoke("hosts", "check", "nearby", "--json", env=env)
    published.check(answer.json, "host-check")
    found = {check["name"]: check for check in answer.json["checks"]}
    assert answer.code == (3 if any(check["ok"] is False for check in found.values()) else 0)
    return found


def test_a_newcomer_is_told_the_key_to_add(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    known = tmp_path / "known"
    found = diagnose(invoke, tmp_path, server.record(ssh={"known_hosts": str(known)}))
    assert (found["reachable"]["ok"], found["host key"]["ok"]) == (True, False)
    assert f"echo '[127.0.0.1]:{server.port} {server.host_key}' >>{known}" in found["host key"]["fix"]
    assert "login" not in found


def test_a_host_is_looked_over(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    server.program("kexec", "#!/bin/sh\necho kexec-tools 2.0\n")
    server.program("who", "#!/bin/sh\necho alice tty1 2026-01-01\n")
    place = server.record(arch="arm64", power={"cycle": ["no-such-program"]})
    found = diagnose(invoke, tmp_path, place)
    assert [name for name, check in found.items() if check["ok"]][:4] == [
        "state",
        "reachable",
        "host key",
        "login",
    ]
    assert "but arm64 is aarch64" in found["architecture"]["detail"]
    assert found["disk"]["ok"] and found["root"]["ok"]
    assert found["users"]["detail"] == "logged in: alice"
    assert found["kexec"]["detail"] == "kexec-tools 2.0"
    assert "has no console" in found["console"]["detail"]
    assert found["power"]["detail"] == "no-such-program is not installed here"
    assert found["reserved"]["detail"] == "no"
    assert all(check["fix"] for check in found.values() if check["ok"] is False)


LABGRID = {
    "targets": {
        "desk": {"resources": {}, "drivers": {"ExternalPowerDriver": {"cmd_on": "true", "cmd_off": "true"}}},
        "lamp": {"resources": {}, "drivers": {}},
    }
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "content", "ok", "said"),
    [
        ("desk", json.dumps(LABGRID), True, "labgrid: desk of "),
        ("lamp", json.dumps(LABGRID), False, "PowerProtocol"),
        ("disk", json.dumps(LABGRID), False, "no such target"),
        ("desk", "targets: [", False, "labgrid: "),
        ("desk", "", False, "labgrid: "),
        ("desk", None, False, "no file "),
    ],
)
def test_labgrids_drivers_are_got_ready_but_not_used(
    server: PrivateSshd, invoke: Invoke, tmp_path: Path, target: str, content: str | None, ok: bool, said: str
) -> None:
    environment = tmp_path / "lab.yaml"
    if content is not None:
        environment.write_text(content)
    power = {"labgrid": {"environment": str(environment), "target": target}}
    check = diagnose(invoke, tmp_path, server.record(power=power))["power"]
    assert (check["ok"], said in check["detail"]) == (ok, True), check
    assert str(environment) in check["detail"]
    assert ok or check["fix"]


@pytest.mark.parametrize(
    ("boot", "name", "said"),
    [
        ({"method": "grub-once"}, "grub", "it is not started by GRUB"),
        ({"method": "bootctl-once"}, "systemd-boot", "systemd-boot"),
        ({"method": "command", "command": ["no-such-program"]}, "boot command", "not installed here"),
    ],
)
def test_another_way_to_start_it_is_looked_over(
    server: PrivateSshd, invoke: Invoke, tmp_path: Path, boot: dict[str, Any], name: str, said: str
) -> None:
    if Path("/boot/grub/grub.cfg").exists() or [*EFI_VARIABLES.glob("LoaderInfo-*")]:
        pytest.skip("this machine has a boot loader, which may well be fit")
    found = diagnose(invoke, tmp_path, server.record(boot=boot))
    assert found[name]["ok"] is False and said in found[name]["detail"]
    assert "kexec" not in found


def installed(server: PrivateSshd, initramfs: Path, **changes: Any) -> dict[str, Any]:
    """A record that asks for the installed system; its `folder` is on a disk wherever the tests are."""
    folder = str(Path(__file__).parents[1] / "nothing-yet")
    return server.record(**{"system": {"initramfs": str(initramfs)}, "folder": folder, **changes})


def test_what_the_installed_system_needs_is_looked_over(
    server: PrivateSshd, invoke: Invoke, tmp_path: Path
) -> None:
    initramfs = tmp_path / "initrd.img"
    initramfs.write_bytes(b"0" * ((2 << 20) + 1))
    found = diagnose(invoke, tmp_path, installed(server, initramfs))
    assert found["initramfs"]["detail"] == f"{initramfs}, 3 MiB, for the installed system"
    assert [found[name]["ok"] for name in ("initramfs", "programs", "folder")] == [True, True, True]
    assert "/nothing-yet: " in found["folder"]["detail"]
    assert found["console"] == {
        "name": "console",
        "ok": None,
        "detail": "none is read: the last words of a kernel that dies may be missing",
        "fix": "",
    }
    screen = invoke("hosts", "check", "nearby", env={"XDG_CONFIG_HOME": str(tmp_path)}).stdout
    assert f"      ok  initramfs     {initramfs}, 3 MiB, for the installed system\n" in screen
    assert "       -  console       none is read: " in screen


def test_what_the_installed_system_lacks_is_said(
    server: PrivateSshd, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in place of the initramfs, and no disk for the log."""
    monkeypatch.setattr("harness.machines.host.check.SYSTEM_PROGRAMS", ("tar", "no-such-program"))
    found = diagnose(invoke, tmp_path, installed(server, tmp_path, folder="/proc/thp-harness"))
    wrong = {name: found[name] for name in ("initramfs", "programs", "folder")}
    assert not any(check["ok"] for check in wrong.values())
    assert wrong["initramfs"]["detail"] == f"no file {tmp_path}"
    assert wrong["programs"]["fix"] == "There: install no-such-program."
    assert all(check["fix"] for check in wrong.values())


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="no tmpfs at /dev/shm")
def test_a_log_in_memory_would_be_lost(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "initrd.img").write_bytes(b"0")
    found = diagnose(invoke, tmp_path, installed(server, tmp_path / "initrd.img", folder="/dev/shm/a/b"))
    assert found["folder"]["ok"] is False
    assert "/dev/shm/a/b is in memory (tmpfs)" in found["folder"]["detail"]


def test_room_is_needed_for_the_initramfs_too(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    with (tmp_path / "initrd.img").open("wb") as file:
        file.truncate(4 << 40)  # of nothing
    found = diagnose(invoke, tmp_path, installed(server, tmp_path / "initrd.img"))
    assert found["disk"]["ok"] is False
    assert f"{(4 << 20) + 64} MiB are needed" in found["disk"]["fix"]


def test_sudo_that_asks_for_a_password_is_found(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    whole = (server.folder / "bin" / "sudo").read_text()
    server.program("sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    server.program("id", "#!/bin/sh\necho 1000\n")  # also where the tests run as root
    try:
        found = diagnose(invoke, tmp_path, server.record())
    finally:
        server.program("sudo", whole)
        (server.folder / "bin" / "id").unlink()
    assert found["root"]["ok"] is False
    assert "sudoers.d" in found["root"]["fix"]
    assert "kexec" not in found


def test_a_host_that_nobody_answers_for(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    with closed_port() as port:
        found = diagnose(invoke, tmp_path, server.record(ssh={"port": port}))
        text = invoke("hosts", "check", "nearby", env={"XDG_CONFIG_HOME": str(tmp_path)}).stdout
    assert found["reachable"]["ok"] is False
    assert "Connection refused" in found["reachable"]["detail"]
    assert list(found) == ["state", "reachable", "power"]
    assert "MISSING  reachable" in text
    assert "fix: Is the machine on" in text
