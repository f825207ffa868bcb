# SPDX-License-Identifier: GPL-2.0-only
"""Records of physical hosts: what is refused, where they are found, and what is listed of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.config.catalogue import find, load_all
from harness.config.host import HostRecord, arch_of
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.machines.host.remote.state import HostState, HostStateFile, Identity
from tests import published
from tests.private_sshd import write_record
from tests.program import Invoke, Program

RECORD: dict[str, Any] = {
    "name": "desk",
    "about": "a board",
    "arch": "arm64",
    "ssh": {"address": "192.0.2.7"},
    "cmdline": ["console=ttyAMA0"],
}


def broken(home: Path, changes: dict[str, Any]) -> str:
    """What is said of a record with these changes."""
    path = write_record(home, {**RECORD, **changes})
    with pytest.raises(UsageError) as refused:
        load_all(HostRecord, (home / "thp-harness",))
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_the_example_is_a_whole_record_of_a_known_architecture() -> None:
    example = find(HostRecord, "example", (CONFIGS,))
    assert arch_of(example).name == "arm64"
    assert example.console and example.console.has_break and example.power.cycle


def test_the_installed_system_needs_an_initramfs(tmp_path: Path) -> None:
    assert "initramfs" in broken(tmp_path, {"system": {}})
    assert "must be an absolute path" in broken(tmp_path, {"system": {"initramfs": "initrd.img"}})


def test_files_are_found_from_where_the_record_is(tmp_path: Path) -> None:
    write_record(tmp_path, {**RECORD, "ssh": {"address": "a", "key": "keys/desk"}})
    record = find(HostRecord, "desk", (tmp_path / "thp-harness",))
    assert record.path(record.ssh.key) == tmp_path / "thp-harness" / "hosts" / "keys" / "desk"
    assert record.path("~/key") == Path.home() / "key"
    assert record.path("/etc/key") == Path("/etc/key")


METHODS = "'kexec', 'grub-once', 'bootctl-once' or 'command'"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shh": {}}, "shh: unknown key"),
        ({"ssh": {"address": "a", "password": "secret"}}, "ssh.password: unknown key"),
        ({"ssh": {}}, "ssh.address: this key is missing"),
        ({"ssh": {"address": "a", "port": 70000}}, "ssh.port: "),
        ({"ssh": {"address": "-oProxyCommand=evil x"}}, "must be one word"),
        ({"ssh": {"address": ""}}, "must be one word"),
        ({"ssh": {"address": "a", "jump": "me@there:ssh"}}, "is not [USER@]ADDRESS[:PORT]"),
        ({"folder": "var/lib"}, "must be an absolute path"),
        ({"uploads": "/tmp/a b"}, "must be one word"),
        ({"time_scale": 0}, "time_scale: "),
        ({"limits": {"back_seconds": -1}}, "limits.back_seconds: "),
        ({"boot": {"method": "lilo"}}, f"boot.method: input should be {METHODS}"),
        ({"boot": {"method": "command"}}, "belong together"),
        ({"boot": {"command": ["netboot"]}}, "belong together"),
        ({"power": {"off": ["pdu", "off"]}}, "off and on belong together"),
        ({"power": {"labgrid": {"environment": "lab.yaml"}, "cycle": ["pdu"]}}, "leave them out"),
        ({"power": {"labgrid": {"target": "main"}}}, "power.labgrid.environment: this key is missing"),
        ({"power": {"seconds": 0}}, "power.seconds: "),
        ({"console": {}}, "one of command, socket, file and pstore must be given"),
        ({"console": {"socket": "a", "file": "b"}}, "one of command, socket, file and pstore must be given"),
        ({"console": {"pstore": True, "break_text": "~B"}}, "nothing can be typed"),
        ({"limits": {"watchdog_seconds": -1}}, "limits.watchdog_seconds: "),
        ({"console": {"file": "b", "break_text": "~B"}}, "nothing can be typed"),
        ({"name": "other"}, "must be the file's name"),
    ],
)
def test_a_wrong_record_is_refused_with_its_file(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    if "name" in changes:
        path = write_record(tmp_path, RECORD)
        path.write_text(json.dumps({**RECORD, **changes}))
        with pytest.raises(UsageError, match=said):
            load_all(HostRecord, (tmp_path / "thp-harness",))
    else:
        assert said in broken(tmp_path, changes)


def test_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.write_text("name: desk\nabout: x\narch: arm64\nssh:\n  address: a\n  prot: 22\ncmdline: []\n")
    with pytest.raises(UsageError, match=r"desk\.yaml:6: ssh\.prot: unknown key"):
        load_all(HostRecord, (tmp_path / "thp-harness",))


def test_an_unknown_architecture_is_the_records_fault(tmp_path: Path) -> None:
    write_record(tmp_path, {**RECORD, "arch": "arm46"})
    with pytest.raises(UsageError, match=r"desk\.yaml: arch: unknown architecture 'arm46'.*arm64"):
        arch_of(find(HostRecord, "desk", (tmp_path / "thp-harness",)))


def test_a_host_of_ones_own_is_listed_with_those_of_the_repository(
    invoke: Invoke, program: Program, tmp_path: Path
) -> None:
    write_record(tmp_path, RECORD)
    HostStateFile(program.state, "desk").remember(HostState(needs_care="its fan is loud"))
    answer = invoke("hosts", "list", "--json", env={"XDG_CONFIG_HOME": str(tmp_path)})
    published.check(answer.json, "hosts")
    desk, example = answer.json["hosts"]
    assert (desk["name"], desk["where"], desk["needs_care"]) == (
        "desk",
        "root@192.0.2.7:22",
        "its fan is loud",
    )
    assert example["name"] == "example"
    assert "needs care" in invoke("hosts", "list", env={"XDG_CONFIG_HOME": str(tmp_path)}).stdout


def test_an_unknown_host_is_named_with_the_nearest(invoke: Invoke) -> None:
    answer = invoke("hosts", "check", "exmaple")
    assert answer.code == 2
    assert "unknown host 'exmaple'. Did you mean 'example'?" in answer.stderr


def test_what_is_remembered_of_a_host_outlives_us(tmp_path: Path) -> None:
    memory = HostStateFile(tmp_path, "desk")
    assert memory.standing() == HostState()
    memory.left("token", Identity("one", "Linux version 6"))
    away = HostStateFile(tmp_path, "desk").standing().away
    assert away and (away.token, away.before.boot_id) == ("token", "one")
    assert HostStateFile(tmp_path, "other").standing() == HostState()
    assert (
        HostStateFile(tmp_path, "other").owner()
        == memory.owner()
        != HostStateFile(tmp_path / "2", "desk").owner()
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"away": {"token": 1}, "needs_care": ""}'])
def test_a_host_whose_memory_is_damaged_needs_care(tmp_path: Path, text: str) -> None:
    memory = HostStateFile(tmp_path, "desk")
    memory.remember(HostState())
    (tmp_path / "hosts" / "desk.json").write_text(text)
    assert "can't be read" in memory.standing().needs_care
