# SPDX-License-Identifier: GPL-2.0-only
"""What every boot on a physical host has in common: who has the host, how it is left, how it is got back."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping

from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.machines.base import BootEnding, BootFiles
from harness.machines.console_filter import ConsoleFilter
from harness.machines.host.lease import HostLease
from harness.machines.host.recovery import identity
from harness.machines.host.remote.console import Console, open_console, run_command
from harness.machines.host.remote.pstore import collect, inventory
from harness.machines.host.remote.ssh import Link, connected
from harness.machines.host.start.method import method_of

HOST = "host "
"""How the names of these machines begin."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 2.0
NEVER_LEFT_SECONDS = 60.0
"""A host that still answers after this did not start our kernel."""
SYSRQ_KEYS = (b"l", b"t")
"""Backtraces of all CPUs, then of all tasks (Documentation/admin-guide/sysrq.rst)."""


class HostBoot(ABC):
    """One boot on a physical host; see `harness.machines.base.Machine`."""

    panicked = False
    """Panics are visible only on the console."""
    waits_for_restart = False
    """It is for us to restart it when all tests are done."""

    def __init__(self, lease: HostLease, files: BootFiles, children: Children) -> None:
        self.name = f"{HOST}{lease.record.name}"
        self._lease = lease
        self._method = method_of(lease.record)
        self.accelerator = self._method.name
        self._children = children
        token = f"thp.token={secrets.token_hex(8)}"
        self._files = BootFiles(files.kernel, files.initramfs, (token, *files.cmdline))
        self._screen = ConsoleFilter(token)
        self._console: Console | None = None
        self._left = False
        self._stopped = threading.Event()
        self._trouble = ""
        self._is_back = False
        self._known: frozenset[str] = frozenset()
        """What was in pstore before."""

    @property
    def command(self) -> tuple[str, ...]:
        """What has the host start the kernel, in words of the method."""
        files = self._files
        return self._method.words(files.kernel, files.initramfs, files.cmdline)

    async def start(self) -> None:
        """Load the kernel, listen to the console, and let the host go."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        lease, record = self._lease, self._lease.record
        lease.settle()
        with connected(record) as link:
            lease.reserve(link)
            if (found := link.users()) and not record.despite_users:
                raise InfrastructureError(
                    f"{record.name} is not taken from under its users: {', '.join(found)}",
                    hint="Ask them to log out, or set `despite_users: true` in the record.",
                )
            before = identity(link)
            self._known = inventory(link)
            self._console = open_console(record) if self._has_console else None
            self._load(link)
            lease.memory.left(self._screen.token, before)
            self._left = True
            self._method.launch(link)
        threading.Thread(target=self._look_out, daemon=True).start()

    @property
    def _has_console(self) -> bool:
        return not self._lease.record.is_mute

    def _load(self, link: Link) -> None:
        self._method.load(link, self._files.kernel, self._files.initramfs, self._files.cmdline)

    @abstractmethod
    def _look_out(self) -> None:
        """Watch the host in a separate thread until stopped."""

    @abstractmethod
    async def read(self) -> bytes:
        """Return the next bytes of the boot's log; empty at its end."""

    async def interrupt(self) -> None:
        """A BREAK on the console and SysRq keys; where none can be made, an NMI."""
        await asyncio.to_thread(self._interrupt)

    def _interrupt(self) -> None:
        record = self._lease.record
        if self._console and record.console and record.console.has_break:
            for key in SYSRQ_KEYS:
                self._console.send_break(key)
        elif record.power.nmi:
            with contextlib.suppress(InfrastructureError):  # the way back has more to say of it
                run_command(record.power.nmi, record.power.seconds)

    async def stop(self) -> BootEnding:
        """See the host back on its own kernel; that may take all that the record's limits allow."""
        self._stopped.set()
        try:
            return await asyncio.to_thread(self._bring_back)
        finally:
            if self._console:
                await asyncio.to_thread(self._console.close)

    def _bring_back(self) -> BootEnding:
        if not self._left:
            return BootEnding(broken=True, detail="never started")
        by_itself = self._restarts_by_itself()
        recovery = self._lease.bring_back(self._console, by_itself=by_itself)
        is_usual = len(recovery.steps) <= 1 and (by_itself or self.waits_for_restart)
        notes = () if is_usual else (f"{self.name}: {recovery}",)
        if not recovery.back:
            return BootEnding(broken=True, detail=f"{self.name} did not come back: {recovery}", notes=notes)
        return self._with_last_words(notes)

    @abstractmethod
    def _restarts_by_itself(self) -> bool:
        """Whether the host can be waited for."""

    @abstractmethod
    def _with_last_words(self, notes: tuple[str, ...]) -> BootEnding:
        """How it ended, with what a restart has left alone."""

    def _collect(self, link: Link) -> Mapping[str, bytes]:
        """What our kernel left in pstore."""
        return collect(link, self._known)
