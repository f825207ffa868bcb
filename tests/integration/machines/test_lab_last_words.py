# SPDX-License-Identifier: GPL-2.0-only
"""Deaths on a physical host that no console shows: which test it was is known all the same (tests/lab).

They take minutes and are for the night: pytest -m nightly. The kernel is one with pstore and a watchdog.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.host import HostRecord
from harness.engine.boot import Bootable
from harness.machines.host.recovery import HostStatus, identity, look
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import BootInProgress
from results.journal.journal import BootFact
from results.model.run import Boot, BootEnd, PlannedTest, Status
from tests.integration.lab_boots import DIED, LIMITS, BootOn, boot_there, deadly, statuses
from tests.lab.host import LabHost

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

MUTE = {"pstore": True}


@pytest.fixture
def boot_on(
    lab: LabHost, lab_kernel: Path, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> BootOn:
    """Boots tests on the lab host, with changes of its record."""

    def boot_on(*tests: PlannedTest, **changes: Any) -> tuple[Boot, BootFact]:
        bootable = Bootable(x86_64, lab_kernel, deadly_programs)
        return boot_there(lab.record(**changes), bootable, tests, tmp_path)

    return boot_on


def test_a_host_without_a_console_gives_the_whole_log_when_it_is_back(
    boot_on: BootOn, tmp_path: Path
) -> None:
    seen, fact = boot_on(*deadly("well", "again"), console=MUTE)
    assert seen.end is BootEnd.DONE, fact
    assert statuses(seen) == [("well", Status.PASS), ("again", Status.PASS)]
    assert any("has no console" in note for note in seen.notes)
    assert not list((tmp_path / "logs").glob("*.pstore")), "nothing is wrong, nothing is kept twice"


def test_a_panic_without_a_console_names_its_test(boot_on: BootOn, tmp_path: Path) -> None:
    seen, _ = boot_on(*deadly("well", "panic", "never"), console=MUTE)
    assert seen.end is BootEnd.PANIC
    assert statuses(seen) == DIED
    assert [splat.title for splat in seen.splats if "sysrq triggered crash" in splat.title]
    assert (tmp_path / "logs" / "x86_64-base-1.pstore" / "dmesg-ramoops-0").is_file()


def test_a_console_that_falls_silent_is_made_up_for(boot_on: BootOn, tmp_path: Path) -> None:
    (tmp_path / "nothing").touch()
    silent = {"file": str(tmp_path / "nothing")}
    seen, _ = boot_on(*deadly("well", "panic", "never"), console=silent, limits=LIMITS)
    assert (seen.end, statuses(seen)) == (BootEnd.PANIC, DIED)
    log = (tmp_path / "logs" / "x86_64-base-1.log").read_text()
    assert "[pstore kept this, which the console did not show]" in log


def test_a_kernel_that_hangs_is_restarted_by_its_watchdog_and_names_its_test(boot_on: BootOn) -> None:
    limits = {**LIMITS, "watchdog_seconds": 20}
    seen, fact = boot_on(*deadly("well", "hang", "never"), console=MUTE, limits=limits, power={})
    assert seen.capabilities and "i6300ESB timer, 20 s" in seen.capabilities.facts["watchdog"]
    assert seen.end is BootEnd.REBOOT, fact
    assert [status for _, status in statuses(seen)] == [Status.PASS, Status.ERROR, Status.MISS]
    assert not [note for note in seen.notes if "reboot over SSH" in note], "it came back by itself"


def test_a_kernel_that_hears_nothing_else_hears_an_nmi(boot_on: BootOn, lab: LabHost, tmp_path: Path) -> None:
    """With interrupts off on every CPU there is no SysRq; the panic shows where each was."""
    power = {"nmi": lab.monitor_command("inject-nmi")}
    limits = {**LIMITS, "watchdog_seconds": 0}
    deaf = {"socket": str(lab.console)}
    seen, _ = boot_on(*deadly("well", "hang"), console=deaf, limits=limits, power=power, time_scale=1)
    assert seen.end is BootEnd.HANG
    assert statuses(seen) == [("well", Status.PASS), ("hang", Status.ERROR)]
    log = (tmp_path / "logs" / "x86_64-base-1.log").read_text()
    assert "Kernel panic - not syncing: NMI" in log
    assert "lkdtm_HARDLOCKUP" in log
    assert not [note for note in seen.notes if "power" in note], "the panic has restarted it"


def test_a_watchdog_is_disarmed_before_the_restart(boot_on: BootOn, place: HostRecord) -> None:
    seen, _ = boot_on(*deadly("well"), limits={**LIMITS, "watchdog_seconds": 20})
    assert (seen.end, statuses(seen)) == (BootEnd.DONE, [("well", Status.PASS)])
    with connected(place) as link:
        before = identity(link)
    time.sleep(25)  # it would have fired
    assert look(place, BootInProgress("none", before, "")) is HostStatus.SAME
