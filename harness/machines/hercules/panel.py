# SPDX-License-Identifier: GPL-2.0-only
"""The operator's panel of a running Hercules: commands in, messages and the state of the CPUs out.

Started with the argument EXTERNALGUI, Hercules takes commands on stdin, writes its messages to
stdout, together with whatever the guest's console prints, and the state of one CPU to stderr, every
50 ms if it has changed. The guest can't write to stderr, so that is what tells how the guest is.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

CHUNK = 1 << 16
KEPT = 1 << 16
ANSWER_SECONDS = 2.0
_STATUS = re.compile(
    rb"STATUS=CP(?P<cpu>[0-9A-F]{2}) PSW=(?P<mask>[0-9A-F]{8} [0-9A-F]{8}) (?P<address>[0-9A-F]{16})"
    rb" (?P<flags>\S+) instcount=(?P<instructions>\d+)"
)
_NOISE = re.compile(rb"^(?:STATUS|MIPS|SIOS|DEV[A-Z]|SYS)=.*\n?|^HHC\w+I .*\n?|^\s*\n", re.MULTILINE)
_COMMANDS_DONE = b"HHCPN013I"
_SERIOUS = re.compile(rb"HHC[A-Z]{2}\d{3}[ES] [^\r\n]*")
_CONSOLE_CLOSED = b"HHCCP042I"
"""The guest has shut its console: it powers off or restarts, on purpose."""
_LEAVING = re.compile(rb"HHCIN(?:098|900)I")
"""Hercules shuts down; told so by a signal, it lets the guest power off first, and sometimes gets stuck."""
_PROBE = "archmode"
_PROBED = re.compile(rb"HHCPN126I")
_WAIT, _USER = 1 << (63 - 14), 1 << (63 - 15)
_ENABLED = 1 << (63 - 6) | 1 << (63 - 7) | 1 << (63 - 13)
"""PSW bits: input/output, external and machine check interrupts (z/Architecture Principles of Operation)."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """The state of a CPU."""

    mask: int
    address: int
    """Both halves of the PSW."""
    stopped: bool
    has_run: bool

    @property
    def in_disabled_wait(self) -> bool:
        """Nothing can wake it: this is how a kernel ends that has panicked."""
        return self.stopped and bool(self.mask & _WAIT) and not self.mask & _ENABLED

    @property
    def is_idle(self) -> bool:
        """It waits for an interrupt."""
        return bool(self.mask & _WAIT)

    @property
    def in_user_space(self) -> bool:
        """A program runs on it, not the kernel."""
        return bool(self.mask & _USER)

    @property
    def psw(self) -> str:
        """As Hercules prints it."""
        return f"{self.mask >> 32:08X} {self.mask & 0xFFFFFFFF:08X} {self.address:016X}"


class Panel:
    """What Hercules says, and a way to tell it something."""

    def __init__(self, process: asyncio.subprocess.Process, cpus: int) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._cpu_count = cpus
        self._cpus: dict[int, Cpu] = {}
        self._said = b""
        self._opening = b""
        self._words = b""
        self._news = asyncio.Event()
        self.console_closed = False
        self.leaving = False
        """Hercules has begun to shut down."""
        self.over = False
        """Hercules has ended."""
        self._followers = [
            asyncio.create_task(self._follow_messages()),
            asyncio.create_task(self._follow_status()),
        ]

    async def _follow_messages(self) -> None:
        while chunk := await self._stdout.read(CHUNK):
            if _COMMANDS_DONE not in self._opening:
                self._opening = (self._opening + chunk)[:KEPT]
            self._said = (self._said + chunk)[-KEPT:]
            self.console_closed = self.console_closed or _CONSOLE_CLOSED in self._said
            self.leaving = self.leaving or _LEAVING.search(self._said) is not None
            self._news.set()
        self.over = True
        self._news.set()

    async def _follow_status(self) -> None:
        pending = b""
        while chunk := await self._stderr.read(CHUNK):
            whole, newline, pending = (pending + chunk)[-KEPT:].rpartition(b"\n")
            for found in _STATUS.finditer(whole):
                self._cpus[int(found["cpu"], 16)] = Cpu(
                    mask=int(found["mask"].replace(b" ", b""), 16),
                    address=int(found["address"], 16),
                    stopped=found["flags"].startswith(b"M"),
                    has_run=int(found["instructions"]) > 0,
                )
            self._words = (self._words + _NOISE.sub(b"", whole + newline))[-KEPT:]
            self._news.set()

    @property
    def trouble(self) -> str:
        """Why there is no guest, in Hercules' words: it did not like its configuration, or could not load."""
        if _COMMANDS_DONE not in self._opening and not self.over:
            return ""
        complaints = [found.decode(errors="replace").strip() for found in _SERIOUS.findall(self._opening)]
        return "; ".join(complaints)

    @property
    def last_words(self) -> str:
        """What it wrote to stderr that is not the state of a CPU."""
        return self._words.decode(errors="replace").strip()

    async def wait_for_news(self, seconds: float) -> None:
        """Return when Hercules has said anything, or after some time."""
        self._news.clear()
        if not self.over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def command(self, text: str) -> None:
        """Type a command."""
        with contextlib.suppress(OSError):
            self._stdin.write(text.encode() + b"\n")
            await self._stdin.drain()

    async def ask(self, command: str, answer: re.Pattern[bytes], seconds: float) -> bytes | None:
        """Type a command, and wait for a message that answers it."""
        self._said = b""
        await self.command(command)
        until = asyncio.get_running_loop().time() + seconds
        while not (found := answer.search(self._said)):
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self.over:
                return None
            await self.wait_for_news(left)
        return found.group()

    async def catch_up(self) -> None:
        """Return when all that Hercules has said until now is read: the state of a CPU runs ahead of it."""
        await self.ask(_PROBE, _PROBED, ANSWER_SECONDS)

    async def cpus(self) -> Mapping[int, Cpu]:
        """The state of every CPU that answers; that of the others is not told by itself."""
        for number in [*range(1, self._cpu_count), 0]:
            if self._cpu_count > 1:
                await self._look_at(number)
        return dict(self._cpus)

    async def _look_at(self, number: int) -> None:
        self._cpus.pop(number, None)
        await self.command(f"cpu {number:x}")
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while number not in self._cpus and not self.over:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await self.wait_for_news(left)

    async def all_stopped(self) -> bool:
        """Whether the guest has come to its end: CPU 0 is looked at first, for it needs no question."""
        first = self._cpus.get(0)
        if first is None or not (first.stopped and first.has_run):
            return False
        cpus = await self.cpus()
        return len(cpus) == self._cpu_count and all(cpu.stopped for cpu in cpus.values())

    async def stop_all(self) -> bool:
        """Stop every CPU; return whether they have stopped."""
        await self.command("stopall")
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while not await self.all_stopped():
            if self.over or asyncio.get_running_loop().time() > until:
                return False
            await self.wait_for_news(0.1)
        return True

    async def close(self) -> None:
        """Stop listening, after Hercules has ended."""
        await asyncio.wait(self._followers, timeout=1)
        for task in self._followers:
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)
