# SPDX-License-Identifier: GPL-2.0-only
"""The system that is installed on a physical host, started by the kernel under test.

It comes up with its SSH server; over that the guest program is put there, started, and followed. It goes on
without a connection, and its log is on a disk: a connection that is lost costs only time, and what was not
read of a boot that died is found when the host is back. A console, if there is one, adds its last words.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.build.build_cache import VMLINUX
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.machines.base import BootEnding, BootFiles
from harness.machines.console_filter import DONE, RECENT, last_number
from harness.machines.host.boot import LOOK_SECONDS, NEVER_LEFT_SECONDS, POLL_SECONDS, HostBoot
from harness.machines.host.lease import HostLease
from harness.machines.host.recovery import HostStatus, identity, sight_of
from harness.machines.host.remote import guest
from harness.machines.host.remote.host_boot_params import fetch_initramfs, own_words
from harness.machines.host.remote.pstore import unheard
from harness.machines.host.remote.running_kernel import WHAT_TELLS, mismatch
from harness.machines.host.remote.ssh import Link, LinkError, Unreachable, connected

FOLLOW_SECONDS = 1.0
SILENT_NOTE = (
    "our kernel never answered over SSH: what the root file system and the network need must be built in "
    "(`kconfig:` of the host's record)"
)
_FROM_HERE = b"\n[found when the host was back, or on its console]\n"


class InstalledSystem(HostBoot):
    """One boot of a host's own system."""

    waits_for_restart = True

    def __init__(self, lease: HostLease, files: BootFiles, folder: Path, children: Children) -> None:
        """`folder` holds the host's initramfs while the boot lasts."""
        super().__init__(lease, files, children)
        system = lease.record.system
        assert system
        self._system = system
        self._programs = files.initramfs
        self._files = replace(self._files, initramfs=Path(system.initramfs))
        self._folder = folder
        self._boot_id = ""
        """Of our kernel, once it has answered and is the right one."""
        self._lock = threading.Lock()
        self._unread = b""
        self._recent = b""
        self._offset = 0
        """Bytes of the guest program's log that were fetched."""
        self._over = False
        self._status: int | None = None
        """The guest program has ended, with this."""

    @property
    def _has_console(self) -> bool:
        record = self._lease.record
        return record.console is not None and not record.is_mute

    def _load(self, link: Link) -> None:
        """With what starts the host's own kernel, and our parameters behind it: the last one counts."""
        self._folder.mkdir(parents=True)
        initramfs = self._folder / "initramfs"
        fetch_initramfs(link, self._system, initramfs)
        words = own_words(link.ask("cat /proc/cmdline"))
        self._files = replace(self._files, cmdline=(*words, *self._files.cmdline))
        self._method.load(link, self._files.kernel, initramfs, self._files.cmdline)

    def _look_out(self) -> None:
        started = time.monotonic()
        while not self._stopped.is_set() and not self._over:
            try:
                with connected(self._lease.record) as link:
                    self._visit(link, time.monotonic() - started)
            except LinkError:
                pass  # it is not up yet, or the way there is interrupted
            except InfrastructureError as error:
                self._end(str(error))
            self._stopped.wait(LOOK_SECONDS)

    def _visit(self, link: Link, waited: float) -> None:
        """Do what there is to do, as long as the connection lasts."""
        limits = self._lease.record.limits
        sight = sight_of(link, self._lease.memory.standing().away)
        if sight is HostStatus.OURS:
            self._attend(link)
        elif sight is not HostStatus.SAME:
            self._is_back = True
            self._end()
        elif waited > max(NEVER_LEFT_SECONDS, limits.boot_seconds):
            self._end(f"{self._method.name} did not start the kernel that was loaded")

    def _end(self, trouble: str = "") -> None:
        self._trouble = trouble
        self._over = True

    def _attend(self, link: Link) -> None:
        try:
            is_there = self._provide(link)
        except Unreachable:
            raise
        except LinkError as error:
            self._end(str(error))
            return
        if is_there:
            self._follow(link)

    def _provide(self, link: Link) -> bool:
        """Have the guest program run; raises if the kernel is not the one that was to be tested."""
        boot_id = identity(link).boot_id
        if not self._boot_id:
            release, _, notes = link.ask(WHAT_TELLS, root=True).partition("\n")
            trouble = mismatch(self._files.kernel.with_name(VMLINUX), release, base64.b64decode(notes))
            if trouble:
                raise InfrastructureError(f"{self._lease.record.name}: {trouble}")
            if self._method.only_once:
                self._method.only_once()
            self._boot_id = boot_id
        if boot_id != self._boot_id:
            self._end()  # it has died, and was started once more
            return False
        if not guest.is_started(link):
            guest.install(link, self._programs)
            guest.start(link)
        return True

    def _follow(self, link: Link) -> None:
        while not self._stopped.is_set():
            news = guest.look_after(link, self._offset)
            if news.boot_id != self._boot_id:
                return
            if news.lines:
                self._keep(news.lines)
            elif news.status is not None:
                self._status = news.status
                self._end()
                return
            else:
                self._stopped.wait(FOLLOW_SECONDS)

    def _keep(self, lines: bytes) -> None:
        with self._lock:
            self._unread += lines
            self._recent = (self._recent + lines)[-RECENT:]
            self._offset += len(lines)

    async def read(self) -> bytes:
        """Next bytes of the log that the guest program writes there."""
        while True:
            is_last = self._over or self._children.stopping
            with self._lock:
                lines, self._unread = self._unread, b""
            if lines or is_last:
                return lines
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> BootEnding:
        """As every host; what was fetched of it is not needed any more."""
        try:
            return await super().stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _restarts_by_itself(self) -> bool:
        self._hear()
        return self._is_back or (self._screen.told and not self._screen.done)

    def _hear(self) -> None:
        """What of the console is ours; before our kernel has shown its token there, nothing is."""
        if self._console and not self._screen.over:
            with contextlib.suppress(InfrastructureError):
                self._screen.pass_on(self._console.take())

    def _with_last_words(self, notes: tuple[str, ...]) -> BootEnding:
        self._hear()
        try:
            with connected(self._lease.record) as link:
                kept = {**self._collect(link), **guest.clear_away(link, self._offset)}
        except LinkError as error:
            kept, notes = {}, (*notes, f"what was left on the host could not be read: {error}")
        if DONE.search(self._recent):
            return BootEnding(False, "", notes)
        words = self._words(kept)
        is_known = bool(DONE.search(words))
        if self._status == 0 and not is_known:
            self._trouble = f"the report on {self._lease.record.name} has no end: is its disk full?"
        if trouble := self._trouble or self._doubts(words):
            return BootEnding(broken=True, detail=trouble, notes=notes, kept=kept)
        if self._status is not None:
            notes = (*notes, f"the guest program ended with status {self._status}, the kernel went on")
        if not self._boot_id:
            notes = (*notes, SILENT_NOTE)
        return BootEnding(False, "", notes, {} if is_known else kept, words)

    def _words(self, kept: Mapping[str, bytes]) -> bytes:
        """Fetch all unread output: of the disk, of pstore, of the console."""
        heard = {"console-serial": self._screen.recent} if self._screen.proved else {}
        words = unheard({**kept, **heard}, last_number(self._recent), self._recent)
        return _FROM_HERE + words if words else b""

    def _doubts(self, words: bytes) -> str:
        """Why our kernel may never have run; one that kexec started may have died before its first word."""
        if self._boot_id or self._screen.proved or self._screen.token.encode() in words:
            return ""
        fell_back = self._method.may_fall_back and self._is_back
        return "the host came back, but our kernel was never seen there" if fell_back else ""
