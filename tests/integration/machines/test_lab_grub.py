# SPDX-License-Identifier: GPL-2.0-only
"""A lab host that real GRUB starts from a disk, and that is made to start a kernel of ours once.

It takes minutes, most of them in an emulated BIOS, and is for the night: pytest -m nightly.
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
from harness.machines.host.start import grub
from results.model.run import BootEnd, Status
from tests.integration.lab_boots import DIED, LIMITS, boot_there, deadly, statuses
from tests.lab.grub import PACKAGES, PROGRAMS, from_grub
from tests.lab.host import LabHost, running
from tests.lab.image import build_image

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

OWN_MENU = "menuentry 'Memory test' {\n\tlinux /memtest\n}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    image = build_image(tmp_path_factory.mktemp("image"), PACKAGES, PROGRAMS)
    with running(image, Path(tempfile.mkdtemp(prefix="lab-")), from_grub) as host:
        yield host


def place(lab: LabHost) -> dict[str, Any]:
    return lab.record(boot={"method": "grub-once"}, limits=LIMITS)


def boot_folder(lab: LabHost) -> str:
    """What /boot has, GRUB's own menu and memory among it."""
    with connected(HostRecord.model_validate(place(lab))) as link:
        assert grub.MENU.unfit(link) == ""
        return link.ask(
            "cd /boot && find . -type f ! -name grubenv | sort | xargs sha256sum; cat grub/grubenv"
        )


def test_grub_starts_our_kernel_once(
    lab: LabHost, lab_kernel: Path, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    with connected(HostRecord.model_validate(place(lab))) as link:
        link.ask(f'printf %s "{OWN_MENU}" >/boot/grub/custom.cfg')
    before = boot_folder(lab)
    bootable = Bootable(x86_64, lab_kernel, deadly_programs)
    seen, fact = boot_there(place(lab), bootable, deadly("well"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.DONE, [("well", Status.PASS)])
    assert (fact.accelerator, fact.command[0]) == ("grub-once", "linux")
    assert "memmap=0x200000$0x30000000" in (tmp_path / "logs" / "x86_64-base-1.log").read_text()
    after = boot_folder(lab)
    assert after.replace("next_entry=\n", "").rstrip("#") == before.rstrip("#")


def test_a_kernel_that_panics_falls_back_to_the_hosts_own(
    lab: LabHost, lab_kernel: Path, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    bootable = Bootable(x86_64, lab_kernel, deadly_programs)
    seen, _ = boot_there(place(lab), bootable, deadly("well", "panic", "never"), tmp_path)
    assert (seen.end, statuses(seen)) == (BootEnd.PANIC, DIED)


def test_a_kernel_that_grub_can_not_start_is_not_blamed(
    lab: LabHost, deadly_programs: Path, x86_64: ArchRecord, tmp_path: Path
) -> None:
    """GRUB shows the error, and then its menu, where nobody chooses: the host's own kernel is started."""
    (tmp_path / "junk").write_bytes(b"no kernel" * 1000)
    bootable = Bootable(x86_64, tmp_path / "junk", deadly_programs)
    limits = {**LIMITS, "boot_seconds": 90, "step_seconds": 30}
    seen, fact = boot_there({**place(lab), "limits": limits}, bootable, deadly("well"), tmp_path)
    assert seen.end in (BootEnd.MACHINE, BootEnd.HANG), fact
    assert statuses(seen) == [("well", Status.MISS)]
    assert "thp-harness" not in boot_folder(lab)
