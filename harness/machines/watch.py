# SPDX-License-Identifier: GPL-2.0-only
"""Follows one boot on any machine from power-on to its end, and says how it ended.

The console is written to its log byte for byte; what it means is read later, by `results.console.report`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from harness.core.errors import InfrastructureError
from harness.machines.base import Machine
from results.model.run import BootEnd

PANIC = rb"(?P<words>Kernel panic - not syncing[^\r\n]*)(?P<line_end>[\r\n])?"
OVERLAP = 256
"""Bytes of the previous chunk that are searched again, so that a mark cut in two is still seen."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a boot, in seconds and bytes."""

    total: float
    boot_silence: float
    """Longest pause on the console before the guest program says hello."""
    test_silence: float
    """Longest pause after that: a test may print nothing until its time-out."""
    log_bytes: int = 32 << 20
    backtrace: float = 6.0
    """How long to go on listening after an interrupt."""
    power_off: float = 10.0
    """How long the machine may take to stop after the end mark, or to restart after a panic."""


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """How a boot ended, and how long it took in seconds."""

    end: BootEnd
    detail: str
    seconds: float
    notes: tuple[str, ...] = ()
    """As `Ending.notes`."""
    kept: Mapping[str, bytes] = field(default_factory=dict)
    """As `Ending.kept`."""


class _Console:
    """What has been seen on the console so far."""

    def __init__(self, log: BinaryIO, nonce: str, limits: Limits) -> None:
        self.log = log
        self.limits = limits
        self.written = 0
        self.greeted = False
        self.done = False
        self.panic = ""
        self._panic_is_whole = False
        self._tail = b"\n"
        ours = rb"THP:" + nonce.encode()
        mark = ours + rb":\d+:[0-9a-f]{8} "
        self._hello = re.compile(mark + rb"hello ")
        self._done = re.compile(mark + rb"done \d")
        # The same words in a line of the guest program are only what a test printed.
        self._panic = re.compile(rb"[\r\n](?:(?!" + ours + rb")[^\r\n])*?" + PANIC)

    def take(self, chunk: bytes) -> None:
        """Log a chunk and look for the marks that steer the watch."""
        room = self.limits.log_bytes - self.written
        self.log.write(chunk[: max(room, 0)])
        self.written += len(chunk)
        window = self._tail + chunk
        self.greeted = self.greeted or bool(self._hello.search(window))
        self.done = self.done or bool(self._done.search(window))
        if not self._panic_is_whole and (found := self._panic.search(window)):
            self.panic = found["words"].decode(errors="replace")
            self._panic_is_whole = found["line_end"] is not None
        self._tail = window[-OVERLAP:]

    @property
    def flooded(self) -> bool:
        return self.written > self.limits.log_bytes

    @property
    def silence_limit(self) -> float:
        if self.done or self.panic:
            return self.limits.power_off
        return self.limits.test_silence if self.greeted else self.limits.boot_silence


async def watch(machine: Machine, nonce: str, limits: Limits, log: BinaryIO) -> WatchOutcome:
    """Boot a machine and follow it to its end; never raises for what a guest or an emulator does."""
    started = time.monotonic()
    console = _Console(log, nonce, limits)
    try:
        await machine.start()
        early = await _follow(machine, console, time.monotonic() + limits.total)
    except InfrastructureError as error:
        early = (BootEnd.MACHINE, str(error))
    except OSError as error:
        early = (BootEnd.MACHINE, f"the console log could not be written: {error.strerror}")
    finally:
        ending = await machine.stop()
    if ending.words and not (early and early[0] is BootEnd.MACHINE):
        early = _listen_to_the_dead(console, ending.words, early)
    end, detail = early or _explain(machine, console, ending.broken, ending.detail)
    return WatchOutcome(end, detail, time.monotonic() - started, ending.notes, ending.kept)


def _listen_to_the_dead(
    console: _Console, words: bytes, early: tuple[BootEnd, str] | None
) -> tuple[BootEnd, str] | None:
    """Log what the console did not show; an end mark or a panic in it overrides the reason."""
    try:
        console.take(words)
    except OSError as error:
        return BootEnd.MACHINE, f"the console log could not be written: {error.strerror}"
    return None if console.done or console.panic else early


async def _follow(machine: Machine, console: _Console, deadline: float) -> tuple[BootEnd, str] | None:
    """Read until the machine stops (None) or must be stopped (why)."""
    while True:
        silence = console.silence_limit
        patience = min(silence, deadline - time.monotonic())
        chunk = await _read(machine, patience)
        if chunk is None:
            if console.done or console.panic:
                return None
            await _collect_backtrace(machine, console)
            if time.monotonic() - deadline >= -console.limits.backtrace and patience < silence:
                return BootEnd.TIMEOUT, "still running at the time limit"
            return BootEnd.HANG, f"nothing on the console for {silence:.0f} s"
        if not chunk:
            return None
        console.take(chunk)
        if console.flooded:
            return BootEnd.FLOOD, f"the console log passed {console.limits.log_bytes >> 20} MiB"


async def _read(machine: Machine, seconds: float) -> bytes | None:
    """The next bytes of the console; None if there are none in time.

    Not by `wait_for`: before Python 3.12 it forgets a Ctrl-C that comes together with a chunk.
    """
    if seconds <= 0:
        return None
    try:
        async with asyncio.timeout(seconds):
            return await machine.read()
    except TimeoutError:
        return None


async def _collect_backtrace(machine: Machine, console: _Console) -> None:
    await machine.interrupt()
    until = time.monotonic() + console.limits.backtrace
    while chunk := await _read(machine, until - time.monotonic()):
        console.take(chunk)


def _explain(machine: Machine, console: _Console, broken: bool, detail: str) -> tuple[BootEnd, str]:
    """The end of a machine that stopped by itself, or that was past its end mark."""
    if console.done:
        return BootEnd.DONE, "all tests ran"
    if console.panic or machine.panicked:
        return BootEnd.PANIC, console.panic or "the machine reported a guest panic"
    if broken:
        return BootEnd.MACHINE, detail
    return BootEnd.REBOOT, "the guest reset or stopped before the end mark"
