# SPDX-License-Identifier: GPL-2.0-only
"""The lab host: a QEMU guest that behaves like a physical machine.

Its serial port is a socket, as serial-over-LAN is; QEMU's monitor is its power switch and its network
cable. Every reset brings its default kernel back. It has a disk, for what outlives a reboot.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.image import RAMOOPS, RESERVED, Image
from tests.lab.monitor import execute
from tests.private_sshd import free_port

UP_SECONDS = 120
DISK_BYTES = 64 << 20
CMDLINE_OF_ITS_OWN = f"console=ttyS0 quiet net.ifnames=0 panic=10 sysrq_always_enabled {RESERVED}"
CMDLINE = ("console=ttyS0", "reboot=triple", "no_timer_check", "tsc=reliable", "unknown_nmi_panic")

Starter = Callable[[Image, str, Path], list[str]]
"""Options of QEMU that start an image's own kernel with a command line; a folder is for what that takes."""


@dataclass(frozen=True)
class LabHost:
    """A lab host that is switched on."""

    image: Image
    folder: Path
    """Short, for the names of sockets."""
    port: int
    """Of its SSH server, on 127.0.0.1."""

    @property
    def console(self) -> Path:
        return self.folder / "serial"

    @property
    def monitor(self) -> Path:
        return self.folder / "monitor"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def monitor_command(self, *words: str) -> list[str]:
        """A command line that tells QEMU something."""
        return [sys.executable, str(Path(__file__).with_name("monitor.py")), str(self.monitor), *words]

    def cable(self, *, plugged: bool) -> None:
        execute(self.monitor, "set_link", name="n0", up=plugged)

    def record(self, **changes: Any) -> dict[str, Any]:
        """Its host record."""
        ssh = {"address": "127.0.0.1", "port": self.port, "user": "root", "key": str(self.image.key)}
        return {
            "name": "labhost",
            "about": "a QEMU guest",
            "arch": "x86_64",
            "ssh": {**ssh, "known_hosts": str(self.known_hosts)},
            "cmdline": [*CMDLINE, RESERVED, *(f"ramoops.{name}={value}" for name, value in RAMOOPS.items())],
            "time_scale": 4,
            "console": {
                "socket": str(self.console),
                "break_command": self.monitor_command("chardev-send-break", "id=s0"),
            },
            "power": {"cycle": self.monitor_command("system_reset")},
            "limits": {"back_seconds": 150, "step_seconds": 15, "banner_seconds": 5},
            **changes,
        }


def from_qemu(image: Image, cmdline: str, folder: Path) -> list[str]:
    """The starter that has no boot loader."""
    return ["-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", cmdline]


@contextmanager
def running(image: Image, folder: Path, starter: Starter = from_qemu) -> Iterator[LabHost]:
    """Switch a lab host on, wait until it answers, and switch it off at the end."""
    lab = LabHost(image, folder, free_port())
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", str(disk)], check=True)
    start = starter(image, CMDLINE_OF_ITS_OWN, folder)
    lab.known_hosts.write_text(f"[127.0.0.1]:{lab.port} {image.host_key}\n")
    with (folder / "qemu.log").open("wb") as log:
        process = subprocess.Popen(
            [*_command(lab, disk), *start], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_until_up(lab, process)
        yield lab
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _command(lab: LabHost, disk: Path) -> list[str]:
    network = f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{lab.port}-:22"
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=n0,romfile="),
        *("-drive", f"file={disk},format=raw,if=none,id=d0", "-device", "virtio-blk-pci,drive=d0"),
        *("-chardev", f"socket,id=s0,path={lab.console},server=on,wait=off", "-serial", "chardev:s0"),
        *("-qmp", f"unix:{lab.monitor},server=on,wait=off"),
        *("-device", "i6300esb", "-action", "watchdog=reset"),
    ]


def _wait_until_up(lab: LabHost, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError((lab.folder / "qemu.log").read_text())
        try:
            with socket.create_connection(("127.0.0.1", lab.port), 2) as probe:
                probe.settimeout(2)
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the lab host did not come up within {UP_SECONDS} s")
