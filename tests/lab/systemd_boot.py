# SPDX-License-Identifier: GPL-2.0-only
"""A disk from which UEFI firmware and systemd-boot start the lab host's system: one EFI System Partition."""

from __future__ import annotations

import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

from tests.lab.image import Image

PACKAGES = ("systemd", "systemd-boot", "systemd-boot-efi", "ovmf", "mtools")
PROGRAMS = ("usr/bin/bootctl",)
FIRMWARE, VARIABLES = "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"
LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
SECTOR = 512
START = 2048
"""First sector of the partition."""
MEGABYTES = 128
"""The partition's size."""
SYSTEM_PARTITION = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
"""Its type (UEFI specification, table 5-7)."""
ENTRY_BYTES, ENTRIES = 128, 128
TABLE_SECTORS = ENTRY_BYTES * ENTRIES // SECTOR
ENTRY = """\
title Debian GNU/Linux
linux /vmlinuz
initrd /initrd.img
options {cmdline}
"""


def from_systemd_boot(image: Image, cmdline: str, folder: Path) -> list[str]:
    """Options of QEMU that start the system from such a disk, with UEFI variables that outlive a restart."""
    variables = folder / "variables"
    shutil.copy(image.root / VARIABLES, variables)
    return [
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={image.root / FIRMWARE}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={variables}"),
        *("-drive", f"file={_boot_disk(image, cmdline, folder)},format=raw,if=none,id=d1"),
        *("-device", "virtio-blk-pci,drive=d1,bootindex=1"),
    ]


def _boot_disk(image: Image, cmdline: str, folder: Path) -> Path:
    """The menu names no default, as a fresh systemd-boot's: the first entry is the one that is started."""
    boot = folder / "boot"
    for name in ("EFI/BOOT", "loader/entries"):
        (boot / name).mkdir(parents=True)
    shutil.copy(image.root / LOADER, boot / "EFI/BOOT/BOOTX64.EFI")
    shutil.copy(image.kernel, boot / "vmlinuz")
    shutil.copy(image.initramfs, boot / "initrd.img")
    (boot / "loader/loader.conf").write_text("timeout 0\n")
    (boot / "loader/entries/debian.conf").write_text(ENTRY.format(cmdline=cmdline))
    partition = folder / "partition"
    tools, sectors = image.root / "usr/bin", (MEGABYTES << 20) // SECTOR
    subprocess.run([tools / "mformat", "-C", "-i", partition, "-T", str(sectors), "::"], check=True)
    subprocess.run([tools / "mcopy", "-s", "-i", partition, *boot.iterdir(), "::"], check=True)
    disk = folder / "boot-disk"
    _write_table(disk, sectors)
    with disk.open("r+b") as file, partition.open("rb") as content:
        file.seek(START * SECTOR)
        shutil.copyfileobj(content, file)
    partition.unlink()
    shutil.rmtree(boot)
    return disk


def _write_table(disk: Path, sectors: int) -> None:
    """A GUID partition table with one partition, and its copy at the end (UEFI specification, 5.3)."""
    last = START + sectors + TABLE_SECTORS
    entry = (
        SYSTEM_PARTITION.bytes_le + uuid.uuid4().bytes_le + struct.pack("<QQQ", START, START + sectors - 1, 0)
    )
    table = entry.ljust(ENTRY_BYTES * ENTRIES, b"\0")
    identity = uuid.uuid4().bytes_le

    def header(here: int, other: int, first: int) -> bytes:
        def packed(checksum: int) -> bytes:
            usable = (TABLE_SECTORS + 2, last - TABLE_SECTORS - 1)
            words = (0x10000, 92, checksum, 0, here, other, *usable, identity, first, ENTRIES, ENTRY_BYTES)
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", *words, zlib.crc32(table))

        return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, last)
    with disk.open("wb") as file:
        file.write((bytes(446) + protective).ljust(510, b"\0") + b"\x55\xaa")
        file.write(header(1, last, 2) + table)
        file.seek((last - TABLE_SECTORS) * SECTOR)
        file.write(table + header(last, 1, last - TABLE_SECTORS))
