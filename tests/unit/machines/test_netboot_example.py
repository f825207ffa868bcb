# SPDX-License-Identifier: GPL-2.0-only
"""The site's script that docs/hosts.md shows; test_lab_netboot.py really boots with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.netboot import SCRIPT

HOSTS = Path(__file__).parents[3] / "docs" / "hosts.md"
MENU = "pxelinux.cfg/01-52-54-00-ab-cd-ef"
CMDLINE = "console=ttyS0 memmap=0x200000$0x30000000 -- panic"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A TFTP folder with the machine's own menu."""
    folder = tmp_path / "tftp"
    (folder / "pxelinux.cfg").mkdir(parents=True)
    (folder / "pxelinux.cfg" / "default").touch()
    return folder


def call(served: Path, boot: str, kernel: str = "kernel") -> int:
    for name in ("kernel", "initramfs"):
        (served.parent / name).write_text(name)
    files = {"THP_KERNEL": str(served.parent / kernel), "THP_INITRAMFS": str(served.parent / "initramfs")}
    environment = {**os.environ, "THP_HOST": "desk", "THP_BOOT": boot, **(files if boot == "test" else {})}
    command = [str(SCRIPT), str(served), "52:54:00:AB:CD:EF"]
    return subprocess.run(
        command, env={**environment, "THP_CMDLINE": CMDLINE}, stderr=subprocess.DEVNULL, check=False
    ).returncode


def files(served: Path) -> list[str]:
    return sorted(str(path.relative_to(served)) for path in served.rglob("*") if path.is_file())


def test_the_menu_is_ours_until_it_is_the_machines_own_again(served: Path) -> None:
    own = files(served)
    for boot in ("own", "test", "test"):
        assert call(served, boot) == 0
    assert files(served) == ["desk/initramfs", "desk/kernel", MENU, *own]
    assert (served / MENU).read_text().splitlines()[-1] == f"append {CMDLINE}"
    for _ in range(2):
        assert (call(served, "own"), files(served)) == (0, own)


def test_a_kernel_that_is_not_there_is_not_offered(served: Path) -> None:
    assert call(served, "test", kernel="none") != 0
    assert not (served / MENU).exists()


def test_the_manual_shows_this_very_script() -> None:
    assert f"```sh\n{SCRIPT.read_text()}```\n" in HOSTS.read_text()
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", str(SCRIPT)], check=False).returncode == 0
