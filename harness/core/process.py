# SPDX-License-Identifier: GPL-2.0-only
"""Runs long commands: in separate process groups, logged line by line, never left behind."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from harness.core.sandbox import Sandbox, exit_status
from harness.core.usage import machine_memory, usage_of, within_limit

GRACE_SECONDS = 5.0
_UNLESS_ORPHANED = 'read -t 0 -u "$0" && exit 143; lifeline=$0; exec {lifeline}<&-; exec "$@"'
"""bash(1), read -t 0: true if there is something to read, or nothing will ever be."""
_CHUNK = 1 << 16
_LOOK_SECONDS = 0.5
"""How often we look at what a command takes of the machine."""
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "CCACHE_DIR")
"""What children may see of our environment: a stray CFLAGS, ARCH or MAKEFLAGS would change builds."""


def clean_environment(**extra: str) -> Mapping[str, str]:
    """A reproducible environment for child processes."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C", **extra}


@cache
def lifeline() -> int:
    """Return the read end of a pipe that is at its end when we are gone: nobody else has the other end."""
    ours, _kept_open = os.pipe()
    return ours


def dying_with_us(
    command: Sequence[str], signal_name: str, sandbox: Sandbox | None = None
) -> tuple[str, ...]:
    """The command, so wrapped that the kernel sends it a signal when our thread ends (setpriv(1)).

    prctl(2), PR_SET_PDEATHSIG: no signal comes if the parent was gone before it was asked for, and bubblewrap
    asks late. So the command looks at our `lifeline`, which it must inherit, once all have asked.
    """
    guard = ("bash", "-c", _UNLESS_ORPHANED, str(lifeline()))
    guarded = sandbox.around(command, guard) if sandbox else (*guard, *command)
    return ("setpriv", "--pdeathsig", signal_name, "--", *guarded)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a command: one that was written by strangers may never end, or never stop talking."""

    seconds: float
    silence: float
    """Longest pause of its output in seconds."""
    output: int
    """Most bytes that it may print."""
    processes: int = 4096
    """Most processes at once, with all that it starts; a make of 256 jobs has some 1500."""
    memory: int = machine_memory() * 3 // 4
    """Most bytes of memory of all its processes, and of each alone."""


BUILD = Bounds(seconds=24 * 3600, silence=3600, output=8 << 20)
"""A build prints a line for each object; the longest step is one link of the largest kernel."""


class BoundsError(Exception):
    """A command was ended because it passed its bounds."""


class OutputBoundError(BoundsError):
    """It printed too much."""


class TimeBoundError(BoundsError):
    """It ran or paused too long."""


class ProcessBoundError(BoundsError):
    """It had too many processes."""


class MemoryBoundError(BoundsError):
    """Its processes had too much memory."""


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """The current work was told to stop."""


class Children:
    """Process groups that are running, so that another thread can end them all at once."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._lock = threading.Lock()
        self.stopped_at: int | None = None
        """When `end_all` was called first, in ns since the epoch."""

    @property
    def stopping(self) -> bool:
        """Whether everything is to end."""
        return self.stopped_at is not None

    def raise_if_stopping(self) -> None:
        """Keep what was cut short by `end_all` from being taken for a result.

        Raises:
            Stopped: after `end_all`.
        """
        if self.stopping:
            raise Stopped

    @contextlib.contextmanager
    def watch(self, group: int) -> Iterator[None]:
        """Register a process group while it runs; end it at once if we are stopping."""
        with self._lock:
            self._groups.add(group)
            if self.stopping:
                _signal(group, signal.SIGTERM)
        try:
            yield
        finally:
            with self._lock:
                self._groups.discard(group)

    def end_all(self) -> None:
        """Ask every process group to end, and every one that is started from now on."""
        with self._lock:
            self.stopped_at = self.stopped_at or time.time_ns()
            for group in self._groups:
                _signal(group, signal.SIGTERM)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def run_logged(
    command: Sequence[str],
    *,
    cwd: Path,
    log: BinaryIO,
    on_line: Callable[[str], None] = lambda line: None,
    environment: Mapping[str, str] | None = None,
    children: Children,
    inherit: Sequence[int] = (),
    bounds: Bounds | None = None,
    sandbox: Sandbox | None = None,
) -> int:
    """Run a command, append its stdout and stderr to `log`, and return its exit status.

    The command inherits the file descriptors `inherit`, and runs in the sandbox if there is one.
    Whatever interrupts us, its whole process group is ended before this returns; `children` lets another
    thread end it. Without `bounds` it has those of a build.

    Raises:
        BoundsError: if it prints too much, runs or pauses too long, or takes too much of the machine.
        OSError: if the command can't be started, or the log can't be written (ENOSPC).
    """
    bounds = bounds or BUILD
    memory = within_limit(resource.RLIMIT_DATA, bounds.memory)
    process = subprocess.Popen(
        ("prlimit", f"--data={memory}", "--", *dying_with_us(command, "TERM", sandbox)),
        cwd=cwd,
        env=dict(environment if environment is not None else clean_environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lifeline(), *inherit),
    )
    try:
        with children.watch(process.pid):
            status = _follow(process, log, on_line, bounds)
            return exit_status(status) if sandbox else status
    finally:
        end_group(process)


def _follow(
    process: subprocess.Popen[bytes], log: BinaryIO, on_line: Callable[[str], None], bounds: Bounds
) -> int:
    watch = _Watch(process, bounds)
    rest = b""
    for chunk in _output(process, watch):
        log.write(chunk)
        log.flush()  # people follow the log, and if we are killed the next run reads it
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            on_line(_text(line))
    if rest:
        on_line(_text(rest))
    watch.heard()  # it closed its output, and may go on
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(watch.patience())


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


def _output(process: subprocess.Popen[bytes], watch: _Watch) -> Iterator[bytes]:
    """What a command prints, up to its bounds."""
    assert process.stdout
    descriptor, left = process.stdout.fileno(), watch.bounds.output
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        if not poll.poll(watch.patience() * 1000):
            continue
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return
        watch.heard()
        yield chunk[:left]
        left -= len(chunk)
        if left < 0:
            raise OutputBoundError(f"more than {watch.bounds.output >> 20} MiB of output")


class _Watch:
    """Keeps a command within its bounds, if it is asked again and again for its `patience`."""

    def __init__(self, process: subprocess.Popen[bytes], bounds: Bounds) -> None:
        self.bounds = bounds
        self._process = process
        self._heard = self._looked = time.monotonic()
        self._deadline = self._heard + bounds.seconds

    def heard(self) -> None:
        """Note that it printed something."""
        self._heard = time.monotonic()

    def patience(self) -> float:
        """Return the seconds until it must be looked at again.

        Raises:
            BoundsError: if it is out of bounds; one that takes too much of the machine is killed at once.
        """
        now = time.monotonic()
        if now >= self._deadline:
            raise TimeBoundError(f"still running after {self.bounds.seconds:.0f} s")
        if now >= self._heard + self.bounds.silence:
            raise TimeBoundError(f"no output for {self.bounds.silence:.0f} s")
        if now >= self._looked + _LOOK_SECONDS:
            self._looked = now
            if error := self._excess():
                _signal(self._process.pid, signal.SIGKILL)
                raise error
        ends = (self._deadline, self._heard + self.bounds.silence, self._looked + _LOOK_SECONDS)
        return max(0.0, min(ends) - now)

    def _excess(self) -> BoundsError | None:
        bounds, usage = self.bounds, usage_of(self._process.pid, self.bounds.processes)
        if usage.processes > bounds.processes:
            return ProcessBoundError(f"more than {bounds.processes} processes at once")
        if usage.memory > bounds.memory:
            return MemoryBoundError(f"more than {bounds.memory >> 20} MiB of memory")
        return None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: politely first, then for good. Does nothing if it is gone."""
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
