# SPDX-License-Identifier: GPL-2.0-only
"""A network from which PXELINUX starts the lab host's system, or what a site's script names."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.image import Image

PACKAGES = ("pxelinux", "syslinux-common")
LOADER = ("usr/lib/PXELINUX/pxelinux.0", "usr/lib/syslinux/modules/bios/ldlinux.c32")
SCRIPT = Path(__file__).with_name("netboot.sh")
"""The example of docs/hosts.md."""
MAC = "52:54:00:AB:CD:EF"
"""Of the card to boot from; the way to the host is another one, as often in racks."""
MENU = """\
default own
label own
kernel vmlinuz
initrd initrd.img
append {cmdline}
"""


def from_network(image: Image, cmdline: str, folder: Path) -> list[str]:
    """Options of QEMU for a card whose boot ROM, iPXE, gets PXELINUX from QEMU's own TFTP server."""
    served = tftp_folder(folder)
    (served / "pxelinux.cfg").mkdir(parents=True)
    (served / "pxelinux.cfg" / "default").write_text(MENU.format(cmdline=cmdline))
    shutil.copy(image.kernel, served / "vmlinuz")
    shutil.copy(image.initramfs, served / "initrd.img")
    for name in LOADER:
        shutil.copy(image.root / name, served)
    network = f"user,id=n1,restrict=on,tftp={served},bootfile=pxelinux.0"
    return ["-netdev", network, "-device", f"virtio-net-pci,netdev=n1,mac={MAC},bootindex=1"]


def tftp_folder(folder: Path) -> Path:
    """What the network serves; beside `pxelinux.cfg/default` there is no menu, unless the script made one."""
    return folder / "tftp"


def command(folder: Path) -> list[str]:
    """The command of its host record."""
    return [str(SCRIPT), str(tftp_folder(folder)), MAC]
