"""Deaths on a physical host that no console shows: which test it was is known all the same (tests/lab).

They take minutes and are for the night: pytest -m nightly. The kernel is one with pstore and a watchdog.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.boot import Bootable, BootRequest, boot
from harness.config import ArchRecord
from harness.hosts.keeper import Keeper
from harness.hosts.link import connected
from harness.hosts.pstore import inventory
from harness.hosts.record import HostRecord, find_host
from harness.hosts.recovery import Sight, identity, look
from harness.hosts.standing import Away, Memory, Standing
from harness.machine.kinds import host_kind
from harness.process import Children
from results.assemble import read_boot
from results.journal import BootFact
from results.model import Boot, BootEnd, PlannedTest, Status
from tests.integration.conftest import SMALL_SERIES
from tests.integration.guest_programs import GUESTS, TESTS, pack_guests
from tests.integration.one_kernel import build_base
from tests.lab.host import LabHost
from tests.private_sshd import write_record
from tests.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

LAB_CONFIG = Path(__file__).parent.parent / "lab" / "lab.config"
SECONDS = 30.0
LIMITS = {"back_seconds": 150, "boot_seconds": 150, "banner_seconds": 5}
MUTE = {"pstore": True}


@pytest.fixture(scope="session")
def kernel(thp_harness: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("build") / "log"
    return build_base(thp_harness.cache, log, SMALL_SERIES, "pstore", str(LAB_CONFIG))


@pytest.fixture(scope="session")
def programs(x86_64: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guests")
    return pack_guests(folder, x86_64.compiler.prefix, GUESTS / "deadly.c") / TESTS


def deadly(*ways: str) -> tuple[PlannedTest, ...]:
    return tuple(PlannedTest(way, ("/bin/deadly", way), SECONDS) for way in ways)


BootOn = Callable[..., tuple[Boot, BootFact]]


@pytest.fixture
def boot_on(lab: LabHost, kernel: Path, programs: Path, x86_64: ArchRecord, tmp_path: Path) -> BootOn:
    """Boots tests on the lab host, with changes of its record."""

    def boot_on(*tests: PlannedTest, **changes: Any) -> tuple[Boot, BootFact]:
        write_record(tmp_path, lab.record(**changes))
        record = find_host("labhost", own=tmp_path / "thp-harness")
        keeper = Keeper(record, Memory(tmp_path, record.name), print)
        keeper.take()
        for name in ("boots", "logs"):
            (tmp_path / name).mkdir()
        request = BootRequest("x86_64-base-1", "base", "first", tests)
        bootable = Bootable(x86_64, kernel, programs)
        fact = boot(bootable, host_kind(keeper), request, tmp_path, Children())
        keeper.give_back()
        assert keeper.memory.standing() == Standing()
        with connected(record) as link:
            assert inventory(link) == frozenset(), "the next boot's words would be mixed with these"
        return read_boot(fact, tests, tmp_path), fact

    return boot_on


def statuses(seen: Boot) -> list[tuple[str, Status]]:
    return [(test.name, test.status) for test in seen.tests]


DIED = [("well", Status.PASS), ("panic", Status.ERROR), ("never", Status.MISS)]


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


def test_a_watchdog_is_disarmed_before_the_restart(boot_on: BootOn, place: HostRecord) -> None:
    seen, _ = boot_on(*deadly("well"), limits={**LIMITS, "watchdog_seconds": 20})
    assert (seen.end, statuses(seen)) == (BootEnd.DONE, [("well", Status.PASS)])
    with connected(place) as link:
        before = identity(link)
    time.sleep(25)  # it would have fired
    assert look(place, Away("none", before, "")) is Sight.SAME
