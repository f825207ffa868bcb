# SPDX-License-Identifier: GPL-2.0-only
"""A lab host that starts from its network, and a site's script that has it start a kernel of ours.

It takes minutes, most of them in an emulated BIOS, and is for the night: pytest -m nightly.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.host import HostRecord
from harness.engine.boot import Bootable
from harness.machines.host.recovery import HostStatus, identity, look
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import BootInProgress, HostState, HostStateFile, Identity
from results.model.run import BootEnd, Status
from tests.integration.lab_boots import DIED, LIMITS, boot_there, deadly, run_there, statuses, table
from tests.lab.host import LabHost, running
from tests.lab.image import build_image
from tests.lab.monitor import execute
from tests.lab.netboot import PACKAGES, command, from_network, tftp_folder
from tests.private_sshd import write_record
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    image = build_image(tmp_path_factory.mktemp("image"), PACKAGES)
    with running(image, Path(tempfile.mkdtemp(prefix="lab-")), from_network) as host:
        yield host


def place(lab: LabHost, *words: str, **boot: Any) -> dict[str, Any]:
    """Its record; `words` stand before the command, and may spoil it."""
    by_command = {"method": "command", "command": [*words, *command(lab.folder)], **boot}
    return lab.record(boot=by_command, limits=LIMITS)


def menus(lab: LabHost) -> list[str]:
    return sorted(path.name for path in (tftp_folder(lab.folder) / "pxelinux.cfg").iterdir())


def who_runs(lab: LabHost) -> Identity:
    with connected(HostRecord.model_validate(place(lab))) as link:
        return identity(link)


def sight_after_a_restart(lab: LabHost, before: Identity) -> HostStatus:
    record = HostRecord.model_validate(place(lab))
    execute(lab.monitor, "system_reset")
    deadline = time.monotonic() + LIMITS["back_seconds"]
    sight = HostStatus.SAME
    while sight in (HostStatus.SAME, HostStatus.SILENT) and time.monotonic() < deadline:
        time.sleep(1)
        sight = look(record, BootInProgress("none", before, ""))
    return sight


def test_a_run_over_the_network_gives_the_same_table_as_under_qemu(
    lab: LabHost, thp_harness: Program, ab_run: Answer, tmp_path: Path
) -> None:
    write_record(tmp_path, place(lab))
    answer = run_there(thp_harness, tmp_path, "--always-boot", "--json")
    assert answer.code == ab_run.code == 0, answer.stderr
    assert table(answer) == table(ab_run)
    boots = [boot for cell in answer.json["cells"] for boot in cell["boots"]]
    assert [(boot["accelerator"], boot["end"]) for boot in boots] == [("command", "done")] * 2
    assert HostStateFile(thp_harness.state, "labhost").standing() == HostState()
    assert menus(lab) == ["default"]


def test_a_kernel_that_panics_falls_back_to_the_hosts_own(
    lab: LabHost, base_kernel: Path, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    bootable = Bootable(x86_64, base_kernel, deadly_programs)
    seen, fact = boot_there(place(lab), bootable, deadly("well", "panic", "never"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.PANIC, DIED)
    assert fact.command[-3:] == tuple(command(lab.folder))
    assert menus(lab) == ["default"]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ('"$@"; [ $THP_BOOT = own ]', "ended with status 1"),
        ('"$@"; [ $THP_BOOT = own ] || exec sleep 600', "did not end within 10 s"),
    ],
    ids=["fails", "hangs"],
)
def test_a_script_that_comes_halfway_leaves_the_host_on_its_own_kernel(
    lab: LabHost,
    base_kernel: Path,
    deadly_programs: Path,
    x86_64: ArchRecord,
    tmp_path: Path,
    spoilt: str,
    said: str,
) -> None:
    before = who_runs(lab)
    bootable = Bootable(x86_64, base_kernel, deadly_programs)
    record = place(lab, "sh", "-c", spoilt, "sh", seconds=10)
    seen, fact = boot_there(record, bootable, deadly("well"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.MACHINE, [("well", Status.MISS)])
    assert said in fact.detail
    assert who_runs(lab) == before, "it need not have been restarted"
    assert menus(lab) == ["default"]
    assert sight_after_a_restart(lab, before) is HostStatus.BACK
