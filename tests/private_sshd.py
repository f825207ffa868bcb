# SPDX-License-Identifier: GPL-2.0-only
"""A real SSH server of our own on 127.0.0.1, and a wire to it that can be cut."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SSHD = "/usr/sbin/sshd"
SEPARATION = Path("/run/sshd")
"""Root's sshd wants this folder."""
UP_SECONDS = 30
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv PATH={folder}/bin:/usr/local/bin:/usr/bin:/bin
"""
SUDO = """#!/bin/sh
# Stands in for sudo, which is not everywhere: all that is asked of it is to need no password.
[ "$1" = -n ] || exit 9
shift
exec "$@"
"""


@dataclass
class PrivateSshd:
    """A server that is running; what is put into `bin` is found before the system's programs."""

    folder: Path
    port: int

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def host_key(self) -> str:
        """Type and key, as in known_hosts."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def knows(self, port: int | None = None) -> None:
        """Make the client know its key."""
        self.known_hosts.write_text(f"[127.0.0.1]:{port or self.port} {self.host_key}\n")

    def program(self, name: str, script: str) -> None:
        """Put a program where the server's commands find it first."""
        path = self.folder / "bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def record(self, **changes: Any) -> dict[str, Any]:
        """A host record; `ssh` is merged into what leads here."""
        ssh = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
            **changes.pop("ssh", {}),
        }
        there = self.folder / "there"
        there.mkdir(exist_ok=True)
        return {
            "name": "nearby",
            "about": "a server of the tests",
            "arch": "x86_64",
            "ssh": ssh,
            "cmdline": ["console=ttyS0"],
            "folder": str(there / "lib"),
            "uploads": str(there),
            "limits": {"banner_seconds": 30, "connect_seconds": 30},
            **changes,
        }


@contextmanager
def private_sshd(folder: Path) -> Iterator[PrivateSshd]:
    """Run a server until the end."""
    if os.geteuid() == 0:
        SEPARATION.mkdir(exist_ok=True)
    for name in ("host_key", "key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    server = PrivateSshd(folder, free_port())
    (folder / "bin").mkdir()
    server.program("sudo", SUDO)
    (folder / "sshd_config").write_text(CONFIGURATION.format(port=server.port, folder=folder))
    server.knows()
    with (folder / "sshd.log").open("wb") as log:
        command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait_for(server: PrivateSshd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            return
        time.sleep(0.02)
    raise AssertionError((server.folder / "sshd.log").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@dataclass
class Wire:
    """A TCP proxy: it passes everything on, until it is told to misbehave."""

    target: int
    port: int = 0
    stalled: threading.Event = field(default_factory=threading.Event)
    """Takes bytes and connections, but passes nothing on."""
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=socket.socket)

    def start(self) -> None:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                while self.stalled.is_set():
                    time.sleep(0.02)
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break every connection with an RST."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RD)
                end.close()
        self._pairs.clear()

    def drop(self) -> None:
        """Close every connection."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self) -> None:
        self.stalled.clear()
        self.drop()
        self._listener.close()


@contextmanager
def wire_to(server: PrivateSshd) -> Iterator[Wire]:
    wire = Wire(server.port)
    wire.start()
    try:
        yield wire
    finally:
        wire.close()


def write_record(folder: Path, record: Mapping[str, Any], kind: str = "hosts") -> Path:
    """Write a record (JSON is YAML) below a configuration folder, as XDG_CONFIG_HOME has it."""
    import json

    path = folder / "thp-harness" / kind / f"{record['name']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1))
    return path


needs_sshd = pytest.mark.skipif(not shutil.which(SSHD), reason=f"{SSHD} is not installed (ci/test-packages)")
