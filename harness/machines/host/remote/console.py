# SPDX-License-Identifier: GPL-2.0-only
"""A host's console: the output of a command, a Unix socket, or a file that another program writes."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from harness.config.host import ConsoleFacts, HostRecord
from harness.core.errors import InfrastructureError
from harness.core.process import dying_with_us, lifeline

CHUNK = 1 << 16
POLL_SECONDS = 0.1
REOPEN_SECONDS = 1.0
KEPT_BYTES = 64 << 20
"""Size of the unread output, in bytes; further output is dropped."""
BREAK_SECONDS = 10.0
_LOST = b"\n[the console was lost here, and opened again]\n"


class _Source(Protocol):
    def read(self) -> bytes | None:
        """Next bytes; empty if there are none yet, None if it has ended."""

    def write(self, keys: bytes) -> None: ...

    def close(self) -> None: ...


class _Command:
    """A command, ended with its process group."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            dying_with_us(command, "TERM"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[lifeline()],
            start_new_session=True,
        )
        assert self._process.stdout
        self._output = self._process.stdout.fileno()

    def read(self) -> bytes | None:
        return os.read(self._output, CHUNK) or None if _readable(self._output) else b""

    def write(self, keys: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(keys)
        self._process.stdin.flush()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            assert end
            with contextlib.suppress(OSError):
                end.close()


class _Socket:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(5)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def read(self) -> bytes | None:
        return self._socket.recv(CHUNK) or None if _readable(self._socket.fileno()) else b""

    def write(self, keys: bytes) -> None:
        self._socket.sendall(keys)

    def close(self) -> None:
        self._socket.close()


class _File:
    """What is appended to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)

    def read(self) -> bytes | None:
        chunk = self._file.read(CHUNK)
        if not chunk:
            time.sleep(POLL_SECONDS)
        return chunk

    def write(self, keys: bytes) -> None:
        """Nothing can be typed."""

    def close(self) -> None:
        self._file.close()


def _readable(descriptor: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(POLL_SECONDS))


class Console:
    """An open console. A thread reads it all the time, so that nothing is lost; see `opened`."""

    def __init__(self, record: HostRecord, facts: ConsoleFacts) -> None:
        self._record = record
        self._facts = facts
        self._unread = bytearray()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._source = self._open()
        self.heard = time.monotonic()
        """When it last said something."""
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _open(self) -> _Source:
        facts, path = self._facts, self._record.path
        if facts.command:
            return _Command(facts.command)
        return _Socket(path(facts.socket)) if facts.socket else _File(path(facts.file))

    def _follow(self) -> None:
        while not self._closing.is_set():
            try:
                chunk = self._source.read()
            except OSError:
                chunk = None
            if chunk is None:
                self._open_again()
            elif chunk:
                self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        self.heard = time.monotonic()
        with self._lock:
            self._unread += chunk[: max(KEPT_BYTES - len(self._unread), 0)]

    def _open_again(self) -> None:
        self._source.close()
        while not self._closing.wait(REOPEN_SECONDS):
            try:
                self._source = self._open()
            except OSError:
                continue
            self._keep(_LOST)
            return

    def take(self) -> bytes:
        """What came since the last call."""
        with self._lock:
            chunk = bytes(self._unread)
            self._unread.clear()
        return chunk

    def send_break(self, key: bytes) -> bool:
        """Type a BREAK and a SysRq key (Documentation/admin-guide/sysrq.rst); returns whether it went out."""
        facts = self._facts
        try:
            if facts.break_command:
                run_command(facts.break_command, BREAK_SECONDS)
            elif facts.break_text:
                self._source.write(facts.break_text.encode())
            else:
                return False
            time.sleep(0.3)  # the kernel takes a key within five seconds of the break
            self._source.write(key)
        except (OSError, InfrastructureError):
            return False
        return True

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        self._reader.join()
        self._source.close()


def open_console(record: HostRecord) -> Console:
    """Begin to read the host's console.

    Raises:
        InfrastructureError: if the record has none, or it can't be opened.
    """
    if record.console is None or record.is_mute:
        raise InfrastructureError(
            f"the host {record.name} has no console, and the tests report through it",
            hint=f"Add `console:` to {record.file}; docs/hosts.md tells how.",
        )
    try:
        return Console(record, record.console)
    except OSError as error:
        what = error.filename or record.console.socket or record.console.file
        raise InfrastructureError(
            f"the console of {record.name} can't be opened: {what}: {error.strerror or error}",
            hint=f"See `console:` in {record.file}.",
        ) from None


@contextmanager
def opened(record: HostRecord) -> Iterator[Console]:
    """Keep the console of the host open.

    Raises:
        InfrastructureError: as `open_console`.
    """
    console = open_console(record)
    try:
        yield console
    finally:
        console.close()


def run_command(
    command: tuple[str, ...], seconds: float, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command of a record here. What it prints is not shown: it may hold secrets.

    Raises:
        InfrastructureError: if it fails, or does not end in time.
    """
    try:
        status = subprocess.run(
            dying_with_us(command, "TERM"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lifeline()],
            timeout=seconds,
            check=False,
            env=environment,
        ).returncode
    except OSError as error:
        raise InfrastructureError(f"{command[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"{_called(command)} did not end within {seconds:.0f} s") from None
    if status:
        raise InfrastructureError(f"{_called(command)} ended with status {status}")


def _called(command: tuple[str, ...]) -> str:
    """What people call it: `python -m X` is X."""
    return command[2] if command[:2] == (sys.executable, "-m") else command[0]
