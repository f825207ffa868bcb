# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel leaves behind for the next one: what of it is news, and that it is taken from a host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.host import HostRecord
from harness.machines.console_filter import last_number
from harness.machines.host.remote import pstore
from harness.machines.host.remote.pstore import collect, inventory, unheard
from harness.machines.host.remote.ssh import connected
from results.console.report import read_report
from results.model.run import Status
from tests.private_sshd import PrivateSshd, needs_sshd, private_sshd
from tests.program import Invoke
from tests.samples.guestlog import NONCE, frame, planned
from tests.unit.machines.test_host_ssh import diagnose

START = [frame(1, "hello 1"), frame(2, "start 1 one"), frame(3, "out 1 ok 1 one"), frame(4, "end 1 exit 0 5")]
DEATH = frame(5, "start 2 two")
PANIC = "Kernel panic - not syncing: dead"


def text(*lines: str, prefix: str = "[    1.000000][    T1] ") -> bytes:
    return "".join(f"{prefix}{line}\n" for line in lines).encode()


CONSOLE = text("Linux version 6.12", *START, DEATH, PANIC)


def test_without_a_console_all_that_was_kept_is_news() -> None:
    assert unheard({"console-ramoops-0": CONSOLE, "pmsg-ramoops-0": text(DEATH, prefix="")}, 0) == CONSOLE


def test_where_the_console_went_silent_the_rest_is_news() -> None:
    shown = text("Linux version 6.12", *START)
    assert last_number(shown) == 4
    assert unheard({"console-ramoops-0": CONSOLE}, 4, shown) == text(DEATH, PANIC)
    with_splat = text(*START, "BUG: something", "Oops: 0000")
    more = with_splat + text("RIP: 0010:here")
    assert unheard({"console-ramoops-0": more}, 4, with_splat) == text("RIP: 0010:here")
    assert unheard({"console-ramoops-0": with_splat}, 4, with_splat) == b""


def test_what_several_have_kept_is_news_once() -> None:
    disk, serial = text(*START, DEATH, "BUG: x"), text(*START, DEATH, "BUG: x", PANIC)
    assert unheard({"console-log": disk, "console-serial": serial}, 4) == text(DEATH, "BUG: x", PANIC)


def test_a_kernel_that_keeps_no_console_names_the_test_all_the_same() -> None:
    """With efi-pstore a dump comes in small parts, the last words in the first."""
    kept = {
        "pmsg-ramoops-0": text(START[0], START[1], START[3], DEATH, prefix=""),
        "1700000000/dmesg-efi_pstore-17000001": b"Panic#2 Part2\n"
        + text(DEATH, "BUG: x", prefix="<1>[    1.0] "),
        "1700000000/dmesg-efi_pstore-17000000": b"Panic#2 Part1\n" + text(PANIC, prefix="<0>[    1.1] "),
        "1700000000/dmesg.txt": b"all of it once more",
        "dmesg-erst-1": b"Oops#1 Part1\n" + text("an earlier crash"),
        "dmesg-erst-2.enc.z": b"\x78\x9c compressed",
    }
    news = unheard(kept, 4).decode()
    assert news.splitlines() == [DEATH, "[    1.0] BUG: x", f"[    1.1] {PANIC}"]


def test_a_test_that_only_pmsg_has_seen_has_died() -> None:
    kept = {"pmsg-ramoops-0": text(START[0], START[1], START[3], DEATH, prefix="")}
    log = text(*START) + unheard(kept, 4)
    report = read_report(log.decode().splitlines(), NONCE, planned("one", "two", "three"))
    assert [(test.status, test.reason) for test in report.tests][1:] == [
        (Status.ERROR, "the guest died in this test"),
        (Status.MISS, "never started"),
    ]
    assert not report.notes, "nothing is there twice"


@pytest.mark.parametrize(
    "junk", [b"", b"\x00" * 100, b"THP:", b"Panic#1 Part1", b"THP:0123456789abcdef:99999999999999:00000000 x"]
)
def test_junk_is_no_reason_to_fail(junk: bytes) -> None:
    for name in ("console-ramoops-0", "pmsg-ramoops-0", "dmesg-ramoops-0"):
        unheard({name: junk}, 3, junk)


# On a host


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.mark.slow
@needs_sshd
def test_what_was_not_there_before_is_taken(
    server: PrivateSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, moved = tmp_path / "fresh", tmp_path / "moved"
    monkeypatch.setattr(pstore, "FOLDERS", (str(fresh), str(moved)))
    record = HostRecord.model_validate(server.record())
    with connected(record) as link:
        assert inventory(link) == frozenset(), "neither folder is there"
        for folder in (fresh, moved / "1700"):
            folder.mkdir(parents=True)
        (fresh / "dmesg-ramoops-0").write_bytes(b"an old crash, which is nobody's business")
        (fresh / "pmsg ramoops").write_bytes(b"no name of pstore")
        before = inventory(link)
        (moved / "dmesg-ramoops-0").write_bytes((fresh / "dmesg-ramoops-0").read_bytes())
        (fresh / "pmsg-ramoops-0").write_bytes(bytes(range(256)))
        (moved / "1700" / "dmesg-efi-1").write_bytes(CONSOLE)
        taken = collect(link, before)
        assert taken == {"pmsg-ramoops-0": bytes(range(256)), "1700/dmesg-efi-1": CONSOLE}
        assert collect(link, before) == {}, "it is not there any more"
    assert (fresh / "dmesg-ramoops-0").exists()


@pytest.mark.slow
@needs_sshd
def test_a_host_without_a_console_needs_ramoops(server: PrivateSshd, invoke: Invoke, tmp_path: Path) -> None:
    place: dict[str, Any] = server.record(
        console={"pstore": True}, cmdline=["ramoops.mem_address=0x30000000"]
    )
    server.program("grep", "#!/bin/sh\nexit 1\n")
    found = diagnose(invoke, tmp_path, place)["console"]
    assert (found["ok"], "no ramoops" in found["detail"]) == (False, True)
    assert "docs/hosts.md" in found["fix"]
    said = "mem_address:{address}\\nconsole_size:{size}\\n"
    answers = {
        said.format(address=4096, size=65536): (False, "mem_address is 4096 there"),
        said.format(address=0x30000000, size=0): (False, "console_size is 0"),
        said.format(address=0x30000000, size=65536): (None, "may be missing"),
    }
    server.program("sh", '#!/bin/sh\n[ "$1" = -c ] && exec /bin/sh -c "cd() { :; }; $2"\nexec /bin/sh "$@"\n')
    for answer, (ok, words) in answers.items():
        server.program("grep", f"#!/bin/sh\nprintf '{answer}'\n")
        found = diagnose(invoke, tmp_path, place)["console"]
        assert (found["ok"], words in found["detail"]) == (ok, True), found
