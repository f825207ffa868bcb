# SPDX-License-Identifier: GPL-2.0-only
"""The processes of a cluster on this machine: a scheduler, workers, and whatever a test does to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.shipped import ROOT
from tests.cluster.network import BadLine
from tests.integration.processes import Marker
from tests.private_sshd import free_port

SILENCE = "3s"
"""A worker that was not heard of for so long is taken for dead; in tests that is soon."""
PROGRAM = (sys.executable, "-c", "from harness.cli.main import main; main()")
_SCHEDULER = (
    "from harness.cluster.node.dask import SETTINGS; "
    f"SETTINGS['distributed.scheduler.worker-ttl'] = '{SILENCE}'; "
)
SCHEDULER = (sys.executable, "-c", _SCHEDULER + PROGRAM[2])


@dataclass
class Part:
    """One process of the cluster, that can be started again."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    marker: Marker = field(default_factory=Marker)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, **self.marker.environment},
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        """As `kill -9`; all that it has started ends, too."""
        assert self.process
        self.process.kill()
        self.process.wait()
        left = self.marker.left_after(20)
        assert left == {}, f"{self.name} was killed and left {left}"

    @property
    def ended(self) -> int | None:
        assert self.process
        return self.process.poll()


@dataclass
class Fleet:
    """A scheduler and workers of one core each."""

    folder: Path
    size: int
    parts: list[Part] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    certs: Path | None = None
    """Folder of everybody's certificates; plain TCP without."""
    line: BadLine | None = None
    """The scheduler is at its first end, workers are at the other one."""

    @property
    def address(self) -> str:
        host = self.line.address(0) if self.line else "127.0.0.1"
        return f"{'tls' if self.certs else 'tcp'}://{host}:{self.port}"

    def inside(self, end: int) -> tuple[str, ...]:
        return self.line.inside(end) if self.line else ()

    def __enter__(self) -> Fleet:
        self.folder.mkdir(parents=True, exist_ok=True)
        certs = ("--certs", str(self.certs)) if self.certs else ()
        self.add("scheduler", (*self.inside(0), *SCHEDULER, "cluster", "scheduler", self.address, *certs))
        for number in range(self.size):
            self.add_worker(f"worker-{number}", *certs)
        return self

    def add_worker(self, name: str, *options: str, program: Sequence[str] = PROGRAM, **changes: str) -> Part:
        """Start one more worker; `changes` are to its environment."""
        own = ("--cores", "1", "--exchange", str(self.folder / "exchange"))
        return self.add(
            name, (*self.inside(1), *program, "cluster", "worker", self.address, *own, *options), **changes
        )

    def add(self, name: str, command: Sequence[str], **changes: str) -> Part:
        """Start one more process."""
        home = self.folder / name.partition("-")[0]
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_STATE_HOME": str(home / "state"),
            **changes,
        }
        part = Part(name, command, self.folder / f"{name}.log", environment)
        part.start()
        self.parts.append(part)
        return part

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def remove(self, name: str) -> None:
        """End a process for good."""
        part = self.part(name)
        part.kill()
        self.parts.remove(part)

    def log(self) -> str:
        return "\n".join(
            f"== {part.name}\n{part.log.read_text(errors='replace')[-3000:]}" for part in self.parts
        )

    def __exit__(self, *_: object) -> None:
        for part in reversed(self.parts):
            if part.process and part.process.poll() is None:
                part.process.send_signal(signal.SIGCONT)
                part.process.kill()
                part.process.wait()
        for part in self.parts:
            assert part.marker.left_after(20) == {}


def await_true(happened: Callable[[], object], seconds: float, what: Callable[[], str]) -> None:
    """Wait for what other processes do."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, what()
        time.sleep(0.05)
