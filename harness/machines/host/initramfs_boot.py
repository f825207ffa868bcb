# SPDX-License-Identifier: GPL-2.0-only
"""A physical host as a machine: its own kernel starts ours, its console carries the report.

Ours runs from RAM and restarts the machine at its end. A token on the kernel command line, which the
console shows, proves which kernel reports; a new boot id proves that the host's own one came back.
"""

from __future__ import annotations

import asyncio
import time

from harness.core.process import Children
from harness.machines.base import BootEnding, BootFiles
from harness.machines.console_filter import DONE
from harness.machines.host.boot import LOOK_SECONDS, NEVER_LEFT_SECONDS, POLL_SECONDS, HostBoot
from harness.machines.host.lease import HostLease
from harness.machines.host.recovery import HostStatus, look
from harness.machines.host.remote.pstore import unheard
from harness.machines.host.remote.ssh import LinkError, connected

_FROM_HERE = b"\n[pstore kept this, which the console did not show]\n"


class PhysicalHost(HostBoot):
    """One boot of our initramfs on a physical host."""

    def __init__(self, lease: HostLease, files: BootFiles, children: Children) -> None:
        super().__init__(lease, files, children)
        self._is_last = False
        """The boot after this one is the host's own, if that takes anything."""

    def _look_out(self) -> None:
        """The kernel under test has no network: an answer is from the host's own, before or after."""
        started = time.monotonic()
        patience = max(NEVER_LEFT_SECONDS, self._lease.record.limits.boot_seconds)
        while not self._stopped.wait(LOOK_SECONDS):
            sight = look(self._lease.record, self._lease.memory.standing().away)
            if sight in (HostStatus.BACK, HostStatus.OTHER):
                self._is_back = True
                return
            if sight is HostStatus.SAME and time.monotonic() - started > patience:
                self._trouble = f"{self._method.name} did not start the kernel that was loaded"
                return

    async def read(self) -> bytes:
        """Next bytes of the console, until our kernel's words end; of none, until the host is back."""
        while not self._screen.over:
            over = self._is_back or self._trouble or self._children.stopping
            if self._console and (chunk := self._console.take()):
                kept = self._screen.pass_on(chunk)
                await self._run_only_once()
                if kept:
                    return kept
            elif over:
                return b""
            else:
                await asyncio.sleep(POLL_SECONDS)
        return b""

    async def _run_only_once(self) -> None:
        """As soon as our kernel runs nothing must start it again."""
        if self._screen.proved and not self._is_last and self._method.only_once:
            self._is_last = True
            await asyncio.to_thread(self._method.only_once)

    def _restarts_by_itself(self) -> bool:
        return self._screen.leaving or self._is_back

    def _with_last_words(self, notes: tuple[str, ...]) -> BootEnding:
        """What our kernel left in pstore; it counts where the console has not shown how it ended."""
        record, screen = self._lease.record, self._screen
        try:
            with connected(record) as link:
                kept = self._collect(link)
        except LinkError as error:
            kept, notes = {}, (*notes, f"what pstore kept could not be read: {error}")
        words = b"" if screen.told else unheard(kept, screen.number, screen.recent)
        if not record.is_mute and words:
            words = _FROM_HERE + words
        if trouble := self._trouble or self._doubts(words):
            return BootEnding(broken=True, detail=trouble, notes=notes, kept=kept)
        is_known = screen.done or (record.is_mute and DONE.search(words))
        return BootEnding(False, "", notes, {} if is_known else kept, words)

    def _doubts(self, words: bytes) -> str:
        """Why our kernel may never have run; one that kexec started may have died before its first word."""
        if self._screen.proved or self._screen.token.encode() in words:
            return ""
        if self._lease.record.is_mute:
            return f"there is no console, and pstore {'does not show our token' if words else 'kept nothing'}"
        fell_back = self._method.may_fall_back and self._is_back
        return "the host came back, but the console never showed our kernel's token" if fell_back else ""
