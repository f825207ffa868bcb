# SPDX-License-Identifier: GPL-2.0-only
"""A lab host that systemd-boot starts, and that is made to start another kernel once.

It takes minutes, most of them in emulated firmware, and is for the night: pytest -m nightly. The kernel under
test is Debian's, which UEFI can start; the token on its command line tells it from the host's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.host import HostRecord
from harness.engine.boot import Bootable
from harness.machines.host.remote.ssh import connected
from harness.machines.host.start import systemd_boot
from results.model.run import BootEnd, Status
from tests.integration.lab_boots import DIED, LIMITS, boot_there, deadly, statuses
from tests.lab.host import LabHost, running
from tests.lab.image import build_image
from tests.lab.systemd_boot import PACKAGES, PROGRAMS, from_systemd_boot

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    image = build_image(tmp_path_factory.mktemp("image"), PACKAGES, PROGRAMS)
    with running(image, Path(tempfile.mkdtemp(prefix="lab-")), from_systemd_boot) as host:
        yield host


def place(lab: LabHost) -> dict[str, Any]:
    return lab.record(boot={"method": "bootctl-once"}, limits=LIMITS)


def boot_folder(lab: LabHost) -> str:
    """What the EFI System Partition has, and whether an entry is chosen for the next boot."""
    with connected(HostRecord.model_validate(place(lab))) as link:
        assert systemd_boot.MENU.unfit(link) == ""
        return link.ask(
            "cd /boot && find . | sort && find . -type f | sort | xargs sha256sum;"
            "ls /sys/firmware/efi/efivars | grep OneShot || true"
        )


def test_systemd_boot_starts_our_kernel_once(
    lab: LabHost, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    before = boot_folder(lab)
    bootable = Bootable(x86_64, lab.image.kernel, deadly_programs)
    seen, fact = boot_there(place(lab), bootable, deadly("well"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.DONE, [("well", Status.PASS)]), fact
    assert (fact.accelerator, fact.command[0]) == ("bootctl-once", "linux")
    assert "memmap=0x200000$0x30000000" in (tmp_path / "logs" / "x86_64-base-1.log").read_text()
    assert boot_folder(lab) == before


def test_a_kernel_that_panics_falls_back_to_the_hosts_own(
    lab: LabHost, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    """The menu has no default, and by its name alone our entry would be the first."""
    before = boot_folder(lab)
    bootable = Bootable(x86_64, lab.image.kernel, deadly_programs)
    seen, fact = boot_there(place(lab), bootable, deadly("well", "panic", "never"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.PANIC, DIED), fact
    assert boot_folder(lab) == before


@pytest.mark.parametrize(
    ("choose", "undo"),
    [
        ("echo 'default @saved' >>/boot/loader/loader.conf", "sed -i /@saved/d /boot/loader/loader.conf"),
        ("bootctl set-default @saved", "bootctl set-default ''"),
    ],
)
def test_a_menu_that_remembers_what_was_started_is_refused(lab: LabHost, choose: str, undo: str) -> None:
    with connected(HostRecord.model_validate(place(lab))) as link:
        assert systemd_boot.MENU.unfit(link) == ""
        link.ask(choose)
        assert "@saved" in systemd_boot.MENU.unfit(link)
        link.ask(undo)
        assert systemd_boot.MENU.unfit(link) == ""
