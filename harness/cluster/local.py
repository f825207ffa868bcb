# SPDX-License-Identifier: GPL-2.0-only
"""A cluster on this machine alone, for a trial: a scheduler and some workers, which end with us."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.cluster.tls.address import Address
from harness.core.process import dying_with_us, end_group, lifeline

_PROGRAM = (sys.executable, "-c", "from harness.cli.main import main; main()")
_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class _Minder:
    """Starts processes, and starts those again that die, from one thread that lives as long as they do."""

    commands: Sequence[Sequence[str]]
    logs: Path
    log: Callable[[str], None]
    stopping: threading.Event = field(default_factory=threading.Event)

    def mind(self) -> None:
        """Until `stopping`."""
        running = [self._start(number) for number in range(len(self.commands))]
        while not self.stopping.wait(_LOOK_SECONDS):
            for number, process in enumerate(running):
                if process.poll() is not None:
                    self.log(f"{self._name(number)} has ended; restarting it")
                    running[number] = self._start(number)
        for process in reversed(running):
            end_group(process)

    def _name(self, number: int) -> str:
        return f"worker {number}" if number else "the scheduler"

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self.logs / f"{number}.log").open("ab") as log:
            return subprocess.Popen(
                dying_with_us(self.commands[number], "KILL"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lifeline()],
                start_new_session=True,
            )


@contextmanager
def local_cluster(workers: int, cores: int, logs: Path, log: Callable[[str], None]) -> Iterator[Address]:
    """Start a scheduler and `workers` workers that share the cores; they log to files in `logs`."""
    address = Address("tcp", "127.0.0.1", _free_port())
    each = str(max(cores // workers, 1))
    worker = (*_PROGRAM, "cluster", "worker", str(address), "--cores", each)
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    minder = _Minder(((*_PROGRAM, "cluster", "scheduler", str(address)), *[worker] * workers), logs, log)
    thread = threading.Thread(target=minder.mind, name="local cluster")
    thread.start()
    try:
        yield address
    finally:
        minder.stopping.set()
        thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
