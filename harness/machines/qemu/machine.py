# SPDX-License-Identifier: GPL-2.0-only
"""QEMU as a machine: console on stdio, control by QMP over an inherited socket.

No path in the file system is needed (a UNIX socket's name is limited to 107 bytes), and QEMU
dies with us, whatever ends us: it has a parent-death signal and a separate process group.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

from harness.config.arch import QemuFacts
from harness.core.errors import InfrastructureError
from harness.core.process import Children, dying_with_us, lifeline
from harness.core.sandbox import Sandbox, exit_status
from harness.machines.base import BootEnding, BootFiles
from harness.machines.qemu.accel import KVM_DEVICE
from results.model.run import ICOUNT

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

CHUNK = 1 << 16
STDERR_KEPT = 1 << 14
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
KILLED_FROM_OUTSIDE = "terminating on signal"
"""What QEMU says on stderr, with exit status 0, when it gets SIGTERM."""
SYSRQ_KEYS = (b"l", b"t")
"""Backtraces of all CPUs, then of all tasks (Documentation/admin-guide/sysrq.rst)."""


def command_line(facts: QemuFacts, files: BootFiles, accelerator: str) -> tuple[str, ...]:
    """The QEMU command that a person would type; the console is on stdio."""
    counts = accelerator == ICOUNT
    accel = "kvm" if accelerator == "kvm" else f"tcg,thread={'single' if counts else 'multi'}"
    cpu = facts.kvm_cpu if accelerator == "kvm" else facts.cpu
    return (
        facts.binary,
        *("-machine", facts.machine, "-accel", accel),
        *(("-icount", "shift=0,sleep=off") if counts else ()),
        *(("-cpu", cpu) if cpu else ()),
        *("-smp", str(1 if counts else facts.cpus), "-m", str(facts.memory_mb)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-nic", "none"),
        *("-sandbox", SANDBOX, "-no-reboot", "-action", "panic=none"),
        *facts.devices,
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-kernel", str(files.kernel), "-initrd", str(files.initramfs)),
        *("-append", " ".join(files.cmdline)),
    )


class Qemu:
    """One boot under QEMU; see `harness.machines.base.Machine`."""

    name = "qemu"

    def __init__(self, facts: QemuFacts, files: BootFiles, accelerator: str, children: Children) -> None:
        self.accelerator = accelerator
        self._in_the_book = contextlib.ExitStack()
        self._watched_by = children
        self._facts = facts
        self._command = command_line(facts, files, accelerator)
        self._sandbox = Sandbox(
            readable=(files.kernel, files.initramfs),
            devices=(KVM_DEVICE,) if accelerator == "kvm" else (),
            unprivileged=True,
        )
        self._process: asyncio.subprocess.Process | None = None
        self._qmp: QMPClient | None = None
        self._to_disconnect: QMPClient | None = None
        self._background: list[asyncio.Task[None]] = []
        self._stderr = b""
        self._panicked = False

    @property
    def command(self) -> tuple[str, ...]:
        """The command line for people; ours has the QMP socket in addition."""
        return self._command

    @property
    def panicked(self) -> bool:
        """Whether QMP reported GUEST_PANICKED."""
        return self._panicked

    async def start(self) -> None:
        """Start QEMU and connect to its monitor."""
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        monitor = ("-chardev", f"socket,id=qmp,fd={fd}", "-mon", "chardev=qmp,mode=control")
        try:
            self._sandbox.grant()
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_us((*self._command, *monitor), "KILL", self._sandbox),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lifeline(), fd],
                start_new_session=True,
                limit=CHUNK,
            )
        except OSError as error:
            ours.close()
            message = f"{self._facts.binary} could not be started: {error.strerror}"
            raise InfrastructureError(message) from None
        finally:
            theirs.close()
        self._in_the_book.enter_context(self._watched_by.watch(self._process.pid))
        self._background = [
            asyncio.create_task(self._keep_stderr()),
            asyncio.create_task(self._listen(ours)),
        ]

    async def _keep_stderr(self) -> None:
        assert self._process and self._process.stderr
        while chunk := await self._process.stderr.read(CHUNK):
            self._stderr = (self._stderr + chunk)[-STDERR_KEPT:]

    async def _listen(self, control: socket.socket) -> None:
        """Follow QMP events; a monitor that is lost ends this quietly, for the process tells the rest."""
        from qemu.qmp import EventListener, QMPClient, QMPError

        client = QMPClient("guest")
        listener = EventListener(names=["GUEST_PANICKED"])
        client.register_listener(listener)
        self._to_disconnect = client  # also if QEMU goes while they greet each other
        try:
            await client.connect(control)
            self._qmp = client
            async for _ in listener:
                self._panicked = True
        except (QMPError, OSError, EOFError):
            control.close()

    async def read(self) -> bytes:
        """Next bytes of the serial console."""
        assert self._process and self._process.stdout
        return await self._process.stdout.read(CHUNK)

    async def interrupt(self) -> None:
        """NMI, or a break on the serial line followed by SysRq keys, as the record says."""
        if self._facts.interrupt == "nmi":
            await self._execute("inject-nmi")
            return
        for key in SYSRQ_KEYS:
            await self._execute("chardev-send-break", id="console")
            await self._type(key)

    async def _execute(self, command: str, **arguments: Any) -> None:
        from qemu.qmp import QMPError

        if self._qmp:
            with contextlib.suppress(QMPError, OSError, EOFError, TimeoutError):
                async with asyncio.timeout(5):
                    await self._qmp.execute(command, arguments or None)

    async def _type(self, keys: bytes) -> None:
        assert self._process and self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.write(keys)
            await self._process.stdin.drain()
        await asyncio.sleep(0.5)  # let the guest take the key before the next break

    async def stop(self) -> BootEnding:
        """Wait briefly for QEMU to exit by itself, else end it; always reaps it."""
        if self._process is None:
            return BootEnding(broken=True, detail="never started")
        ended_by_us = not await self._exited(0.5 if self._at_end() else 0.0)
        if ended_by_us:
            await self._execute("quit")
            if not await self._exited(3):
                self._kill()
        code = exit_status(await self._process.wait())
        self._in_the_book.close()
        await self._finish_background()
        return self._ending(code, ended_by_us)

    def _at_end(self) -> bool:
        assert self._process and self._process.stdout
        return self._process.stdout.at_eof()

    async def _exited(self, seconds: float) -> bool:
        assert self._process
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
        return self._process.returncode is not None

    def _kill(self) -> None:
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _finish_background(self) -> None:
        stderr, listener = self._background
        await asyncio.wait([stderr], timeout=1)
        stderr.cancel()
        listener.cancel()  # it would wait for ever: it does not notice that QEMU is gone
        await asyncio.gather(stderr, listener, return_exceptions=True)
        if self._to_disconnect:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await self._to_disconnect.disconnect()

    def _ending(self, code: int, ended_by_us: bool) -> BootEnding:
        words = self._stderr.decode(errors="replace").strip()
        if ended_by_us or (code == 0 and KILLED_FROM_OUTSIDE not in words):
            return BootEnding(broken=False, detail=words)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
        return BootEnding(broken=True, detail=f"{self._facts.binary} {how}" + (f": {words}" if words else ""))
