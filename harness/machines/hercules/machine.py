# SPDX-License-Identifier: GPL-2.0-only
"""Hercules as a machine: an s390 with huge pages, which QEMU's emulation lacks.

Its consoles lose text, so the guest writes its log to a disk (docs/guest-protocol.md), and what did
not get there any more, the last words of a panic among them, is read out of the guest's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.config.arch import HerculesFacts
from harness.core.errors import InfrastructureError
from harness.core.process import Children, dying_with_us, lifeline
from harness.core.sandbox import Sandbox, exit_status
from harness.machines.base import BootEnding, BootFiles
from harness.machines.hercules.dump import FoundKernel, Unreadable, find_kernel, read_symbols
from harness.machines.hercules.files import (
    CHANNEL,
    COMMANDS,
    CONFIGURATION,
    IMAGE,
    INITRAMFS,
    INITRAMFS_ADDRESS,
    lay_out,
)
from harness.machines.hercules.log_disk import Channel
from harness.machines.hercules.panel import Cpu, Panel

CHUNK = 1 << 16
POLL_SECONDS = 0.1
DUMP_SECONDS = 20.0
QUIT_SECONDS = 3.0
_COMMANDS_VARIABLE = "HERCULES_RC"
_DUMP = "core"
_DUMP_DONE = b"HHCPN170I"
_DUMPED = re.compile(_DUMP_DONE + rb"|HHCPN\d{3}E[^\r\n]*")
_COMPLETE = re.compile(rb"THP:[0-9a-f]{16}:\d+:[0-9a-f]{8} done \d+$")
"""A guest that ends well after this line writes nothing else."""


class Hercules:
    """One boot under Hercules; see `harness.machines.base.Machine`.

    `folder` is made by `start`, replacing what is there, and removed by `stop`. `files.cmdline` has
    the parameters of `facts` already. A System.map beside the kernel is needed to read its log out of
    the guest's memory.
    """

    name = "hercules"
    accelerator = "interpreter"

    def __init__(self, facts: HerculesFacts, files: BootFiles, folder: Path, children: Children) -> None:
        self._facts = facts
        self._files = files
        self._folder = folder
        self._watched_by = children
        self._in_the_book = contextlib.ExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._panel: Panel | None = None
        self._channel = Channel(folder / CHANNEL)
        self._rest: asyncio.Task[bytes] | None = None
        """Collects what `read` has to return when the guest has ended."""
        self._interrupted = False
        self._panicked = False
        self._read_all = False

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; the folder is there as long as the machine."""
        return (
            *("env", "-C", str(self._folder), f"{_COMMANDS_VARIABLE}={COMMANDS}"),
            *self._hercules,
        )

    @property
    def _hercules(self) -> tuple[str, ...]:
        return (self._facts.binary, "-d", "-f", CONFIGURATION, "EXTERNALGUI")

    @property
    def panicked(self) -> bool:
        """Whether a CPU went into a disabled wait without the guest having shut its console before."""
        return self._panicked

    async def start(self) -> None:
        """Write the folder and start Hercules in it."""
        lay_out(self._folder, self._facts, self._files)
        loaded = (self._folder / IMAGE, self._folder / INITRAMFS)
        sandbox = Sandbox(readable=loaded, writable=(self._folder,), unprivileged=True)
        try:
            sandbox.grant()
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_us(self._hercules, "KILL", sandbox),
                cwd=self._folder,
                env={**os.environ, _COMMANDS_VARIABLE: COMMANDS},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lifeline()],
                start_new_session=True,
                limit=CHUNK,
            )
        except OSError as error:
            message = f"{self._facts.binary} could not be started: {error.strerror}"
            raise InfrastructureError(message) from None
        self._in_the_book.enter_context(self._watched_by.watch(self._process.pid))
        self._panel = Panel(self._process, self._facts.cpus)

    async def read(self) -> bytes:
        """Next lines of the guest's log."""
        assert self._panel
        while not self._read_all:
            if self._rest is None and (chunk := self._channel.read()):
                return chunk
            if self._rest is None and await self._has_ended():
                self._rest = asyncio.create_task(self._collect_rest())
            if self._rest:
                # Shielded: the caller may cancel its wait, and ask again.
                rest = await asyncio.shield(self._rest)
                self._read_all = True
                return rest
            await self._panel.wait_for_news(POLL_SECONDS)
        return b""

    async def _has_ended(self) -> bool:
        assert self._panel
        return self._is_lost() or await self._panel.all_stopped()

    def _is_lost(self) -> bool:
        """Whether there is no guest any more, or never was."""
        assert self._panel
        return self._panel.over or bool(self._panel.trouble) or self._told_to_end()

    def _told_to_end(self) -> bool:
        """Whether another process ended it. Its answer to SIGTERM may be lost."""
        assert self._panel
        return self._panel.leaving or self._watched_by.stopping

    async def interrupt(self) -> None:
        """Stop the CPUs; `read` then returns what the memory holds of the log, and where each CPU is."""
        if self._rest is None:
            self._interrupted = True
            self._rest = asyncio.create_task(self._collect_rest())
        await asyncio.shield(self._rest)

    async def _collect_rest(self) -> bytes:
        """The end of the log: what is left on the channel, and what never got there."""
        assert self._panel
        await self._panel.catch_up()
        if self._panel.leaving:
            await self._exited(QUIT_SECONDS)
        stopped = await self._panel.stop_all() if self._interrupted else True
        written = b""
        while chunk := self._channel.read():
            written += chunk
        if self._is_lost():
            return written
        cpus = await self._panel.cpus()
        dead = any(cpu.in_disabled_wait for cpu in cpus.values())
        self._panicked = dead and not self._panel.console_closed
        last = self._channel.last_lines[:1]
        if last and _COMPLETE.search(last[0]) and not self._panicked:
            return written
        try:
            kernel = await self._find_kernel(stopped)
        except Unreadable as error:
            reason = f"hercules: the log can't be read from the guest's memory: {error}\n".encode()
            return written + reason + self._whereabouts(cpus, None)
        return written + self._channel.continued_by(kernel.log) + self._whereabouts(cpus, kernel)

    async def _find_kernel(self, stopped: bool) -> FoundKernel:
        assert self._panel
        if not stopped:
            raise Unreadable("its CPUs do not stop")
        dump = f"savecore {_DUMP} 0 {INITRAMFS_ADDRESS - 1:x}"
        answer = await self._panel.ask(dump, _DUMPED, DUMP_SECONDS)
        if answer != _DUMP_DONE:
            raise Unreadable(answer.decode(errors="replace") if answer else "savecore does not answer")
        return await asyncio.to_thread(self._read_dump)

    def _read_dump(self) -> FoundKernel:
        dump = self._folder / _DUMP
        try:
            return find_kernel(dump, read_symbols(self._files.kernel.with_name("System.map")))
        finally:
            dump.unlink(missing_ok=True)

    def _whereabouts(self, cpus: Mapping[int, Cpu], kernel: FoundKernel | None) -> bytes:
        """For a guest that hangs, what each CPU was doing."""
        if not self._interrupted:
            return b""
        return b"".join(
            f"hercules: CPU {number}: {_doing(cpu, kernel)}, PSW {cpu.psw}\n".encode()
            for number, cpu in sorted(cpus.items())
        )

    async def stop(self) -> BootEnding:
        """End Hercules, politely first; always reaps it and removes the folder."""
        if self._process is None or self._panel is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return BootEnding(broken=True, detail="never started")
        if self._panel.over:
            await self._exited(QUIT_SECONDS)
        told_to_end = self._told_to_end()
        ended_by_us = self._process.returncode is None
        if ended_by_us:
            await self._end()
        code = exit_status(await self._process.wait())
        self._in_the_book.close()
        await self._panel.close()
        if self._rest:
            self._rest.cancel()
            await asyncio.gather(self._rest, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        if not self._panel.trouble and (told_to_end or (code == 0 and not ended_by_us)):
            return BootEnding(broken=True, detail=f"{self._facts.binary} was shut down from outside")
        return self._ending(code, ended_by_us)

    async def _end(self) -> None:
        assert self._process and self._panel
        await self._panel.command("quit")
        for number in (signal.SIGTERM, signal.SIGKILL):
            if await self._exited(QUIT_SECONDS):
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _exited(self, seconds: float) -> bool:
        assert self._process
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return self._process.returncode is not None

    def _ending(self, code: int, ended_by_us: bool) -> BootEnding:
        assert self._panel
        trouble = self._panel.trouble or self._panel.last_words
        if ended_by_us:
            return BootEnding(broken=bool(self._panel.trouble), detail=trouble)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
        return BootEnding(
            broken=True, detail=f"{self._facts.binary} {how}" + (f": {trouble}" if trouble else "")
        )


def _doing(cpu: Cpu, kernel: FoundKernel | None) -> str:
    if cpu.in_user_space:
        return "in a program"
    where = (kernel and kernel.function_at(cpu.address)) or "an unknown place"
    return f"waiting in {where}" if cpu.is_idle else f"in {where}"
