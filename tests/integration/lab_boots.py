# SPDX-License-Identifier: GPL-2.0-only
"""Runs on a lab host, and boots of tests that kill the kernel, with its record changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.process import Children
from harness.engine.boot import Bootable, BootRequest, boot
from harness.machines.host.lease import HostLease
from harness.machines.host.remote.pstore import inventory
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import HostState, HostStateFile
from harness.machines.kinds import host_kind
from results.journal.assemble import read_boot
from results.journal.journal import BootFact
from results.model.run import Boot, PlannedTest, Status
from tests.integration.conftest import SMALL_SERIES
from tests.private_sshd import write_record
from tests.program import Answer, Program

SECONDS = 30.0
LIMITS = {"back_seconds": 150, "boot_seconds": 150, "banner_seconds": 5}
DIED = [("well", Status.PASS), ("panic", Status.ERROR), ("never", Status.MISS)]

BootOn = Callable[..., tuple[Boot, BootFact]]


def run_there(program: Program, configuration: Path, *more: str, **environment: str) -> Answer:
    arguments = ("run", "--host", "labhost", "--series", SMALL_SERIES, *more)
    return program(*arguments, env={"XDG_CONFIG_HOME": str(configuration), **environment})


def table(answer: Answer) -> Any:
    (arch,) = answer.json["arches"]
    return arch["verdict"], [
        (test["name"], test["base"]["status"], test["series"]["status"], test["verdict"])
        for test in arch["tests"]
    ]


def deadly(*ways: str) -> tuple[PlannedTest, ...]:
    return tuple(PlannedTest(way, ("/bin/deadly", way), SECONDS) for way in ways)


def statuses(seen: Boot) -> list[tuple[str, Status]]:
    return [(test.name, test.status) for test in seen.tests]


def boot_there(
    place: Mapping[str, Any], bootable: Bootable, tests: tuple[PlannedTest, ...], folder: Path
) -> tuple[Boot, BootFact]:
    """Boot once; the host must be itself afterwards, and have nothing of ours."""
    write_record(folder, place)
    record = find(HostRecord, "labhost", (folder / "thp-harness",))
    lease = HostLease(record, HostStateFile(folder, record.name), print)
    lease.take()
    for name in ("boots", "logs"):
        (folder / name).mkdir()
    request = BootRequest("x86_64-base-1", "base", "first", tests)
    fact = boot(bootable, host_kind(lease), request, folder, Children())
    lease.give_back()
    assert lease.memory.standing() == HostState()
    with connected(record) as link:
        assert inventory(link) == frozenset(), "the next boot's words would be mixed with these"
    return read_boot(fact, tests, folder), fact
