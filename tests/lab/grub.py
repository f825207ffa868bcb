# SPDX-License-Identifier: GPL-2.0-only
"""A disk from which GRUB starts the lab host's system, with a menu as grub-mkconfig makes it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from tests.lab.image import Image

PACKAGES = ("grub-common", "grub2-common", "grub-pc-bin")
PROGRAMS = (
    *("usr/bin/grub-editenv", "usr/bin/grub-mkrelpath", "usr/sbin/grub-probe"),
    *("usr/sbin/grub-reboot", "usr/share/grub/grub-mkconfig_lib"),
)
"""What has GRUB start something else once."""
SECTOR = 512
START = 2048
"""First sector of the one partition; GRUB's core lies before it."""
MEGABYTES = 128
MODULES = (
    *("biosdisk", "part_msdos", "ext2", "normal", "configfile", "linux", "loadenv", "search", "test"),
    *("search_fs_file", "echo", "sleep"),
)
MENU = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${{next_entry}}" ]; then
  set default="${{next_entry}}"
  set next_entry=
  save_env next_entry
  set boot_once=true
else
  set default="0"
fi
set timeout=0
menuentry 'Debian GNU/Linux' {{
  linux /vmlinuz {cmdline}
  initrd /initrd.img
}}
if [ -f ${{config_directory}}/custom.cfg ]; then
  source ${{config_directory}}/custom.cfg
elif [ -z "${{config_directory}}" -a -f $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
"""


def from_grub(image: Image, cmdline: str, folder: Path) -> list[str]:
    """Options of QEMU that start the system from such a disk; its partition is /boot of the lab host."""
    drive = f"file={_boot_disk(image, cmdline, folder)},format=raw,if=none,id=d1"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=d1,bootindex=1"]


def _boot_disk(image: Image, cmdline: str, folder: Path) -> Path:
    boot = folder / "boot"
    (boot / "grub").mkdir(parents=True)
    shutil.copy(image.kernel, boot / "vmlinuz")
    shutil.copy(image.initramfs, boot / "initrd.img")
    (boot / "grub" / "grub.cfg").write_text(MENU.format(cmdline=cmdline.replace("$", r"\$")))
    subprocess.run([image.root / "usr/bin/grub-editenv", boot / "grub" / "grubenv", "create"], check=True)
    disk = folder / "boot-disk"
    with disk.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    options = ["-q", "-F", "-t", "ext4", "-E", f"offset={START * SECTOR}", "-d", str(boot)]
    subprocess.run(["/sbin/mke2fs", *options, str(disk), f"{MEGABYTES - 1}M"], check=True)
    _install(image, disk, folder / "core.img")
    shutil.rmtree(boot)
    return disk


def _install(image: Image, disk: Path, core: Path) -> None:
    """As grub-bios-setup does it, which wants a real disk: boot.img looks for the core in sector 1."""
    platform = image.root / "usr/lib/grub/i386-pc"
    make, prefix = image.root / "usr/bin/grub-mkimage", "(hd0,msdos1)/grub"
    subprocess.run([make, "-O", "i386-pc", "-d", platform, "-o", core, "-p", prefix, *MODULES], check=True)
    assert core.stat().st_size < (START - 1) * SECTOR
    sectors = (MEGABYTES << 20) // SECTOR - START
    with disk.open("r+b") as file:
        file.write((platform / "boot.img").read_bytes()[:440])
        file.seek(446)
        file.write(struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", START, sectors))
        file.seek(510)
        file.write(b"\x55\xaa")
        file.write(core.read_bytes())
