# SPDX-License-Identifier: GPL-2.0-only
"""Tests on the system that is installed on a host: the lab host's own, which is an initramfs (tests/lab).

They take minutes and are for the night: pytest -m nightly. The kernels have what that system needs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.host import HostRecord
from harness.engine.boot import Bootable
from harness.machines.host.check import examine
from harness.machines.host.remote.guest import guest_folder
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import HostStateFile
from results.journal.journal import BootFact
from results.model.run import Boot, BootEnd, PlannedTest, Status
from tests.integration.conftest import SMALL_SERIES
from tests.integration.lab_boots import DIED, LIMITS, BootOn, boot_there, deadly, statuses
from tests.integration.one_kernel import build_base
from tests.lab.host import LabHost
from tests.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

SYSTEM_CONFIG = Path(__file__).parents[2] / "lab" / "system.config"
INITRAMFS = "/var/initramfs"
SYSTEM = {"system": {"initramfs": INITRAMFS}, "kconfig": [str(SYSTEM_CONFIG)]}


@pytest.fixture(scope="module")
def system_kernel(thp_harness: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("build") / "log"
    return build_base(thp_harness.cache, log, SMALL_SERIES, str(SYSTEM_CONFIG))


@pytest.fixture
def installed(lab: LabHost, place: HostRecord) -> Iterator[None]:
    """The lab host's own initramfs stands on its disk; nothing of ours is left there afterwards."""
    with connected(place) as link:
        link.upload(lab.image.initramfs, INITRAMFS)
    yield
    with connected(place) as link:
        assert link.run(f"test -e {guest_folder(place)}").code == 1
        link.ask(f"rm {INITRAMFS}")


@pytest.fixture
def boot_on(
    installed: None,
    lab: LabHost,
    system_kernel: Path,
    deadly_programs: Path,
    x86_64: ArchRecord,
    tmp_path: Path,
) -> BootOn:
    """Boots tests on the lab host's own system, with changes of its record."""

    def boot_on(*tests: PlannedTest, kernel: Path = system_kernel, **changes: Any) -> tuple[Boot, BootFact]:
        bootable = Bootable(x86_64, kernel, deadly_programs)
        limits = {**LIMITS, "outage_seconds": 120}
        place = lab.record(**{"limits": limits, **SYSTEM, **changes})
        return boot_there(place, bootable, tests, tmp_path)

    return boot_on


def test_the_check_finds_it_fit(installed: None, lab: LabHost, x86_64: ArchRecord, tmp_path: Path) -> None:
    record = HostRecord.model_validate(lab.record(**SYSTEM))
    said = {check.name: check for check in examine(record, x86_64, HostStateFile(tmp_path, record.name))}
    assert [check for check in said.values() if check.ok is False] == []
    assert said["initramfs"].detail.endswith(" MiB, for the installed system")
    assert "/var/lib/thp-harness: ext4, " in said["folder"].detail


def test_a_link_that_is_down_in_the_middle_of_a_test_costs_only_time(
    boot_on: BootOn, lab: LabHost, tmp_path: Path
) -> None:
    gone = when_log_says(tmp_path, "start 2 slow", lambda: unplug(lab, 45))
    seen, fact = boot_on(*deadly("well", "slow", "again"), console=None)
    gone.join()
    assert seen.end is BootEnd.DONE, fact
    assert statuses(seen) == [(name, Status.PASS) for name in ("well", "slow", "again")]


def test_a_panic_names_its_test_by_what_is_on_the_disk(boot_on: BootOn) -> None:
    seen, fact = boot_on(*deadly("well", "panic", "never"), console=None)
    assert seen.end is BootEnd.REBOOT, fact
    assert statuses(seen) == DIED


def test_a_console_adds_the_last_words_of_a_kernel(boot_on: BootOn) -> None:
    seen, fact = boot_on(*deadly("well", "panic", "never"))
    assert seen.end is BootEnd.PANIC, fact
    assert statuses(seen) == DIED
    assert [splat.test for splat in seen.splats if "sysrq triggered crash" in splat.title] == ["panic"]


def when_log_says(folder: Path, words: str, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as a boot's log has some words."""

    def wait() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if any(words in log.read_text(errors="replace") for log in folder.glob("logs/*.log")):
                act()
                return
            time.sleep(0.5)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def unplug(lab: LabHost, seconds: float) -> None:
    lab.cable(plugged=False)
    time.sleep(seconds)
    lab.cable(plugged=True)
