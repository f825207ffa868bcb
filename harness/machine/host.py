"""A physical host as a machine: its own kernel starts ours with kexec, its console carries the report.

Ours runs from RAM and restarts the machine at its end. A token on the kernel command line, which the
console shows, proves which kernel reports; a new boot id proves that the host's own one came back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time

from harness.errors import InfrastructureError
from harness.hosts.console import Console, open_console, run_command
from harness.hosts.keeper import Keeper
from harness.hosts.link import LinkError, connected
from harness.hosts.method import method_of
from harness.hosts.pstore import collect, inventory, unheard
from harness.hosts.recovery import Sight, identity, look
from harness.machine.base import BootFiles, Ending
from harness.machine.screen import DONE, Screen
from harness.process import Children

HOST = "host "
"""How the names of these machines begin."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 2.0
NEVER_LEFT_SECONDS = 60.0
"""A host that still answers after this did not start our kernel."""
SYSRQ_KEYS = (b"l", b"t")
"""Backtraces of all CPUs, then of all tasks (Documentation/admin-guide/sysrq.rst)."""
_FROM_HERE = b"\n[pstore kept this, which the console did not show]\n"


class PhysicalHost:
    """One boot on a physical host; see `harness.machine.base.Machine`."""

    def __init__(self, keeper: Keeper, files: BootFiles, children: Children) -> None:
        self.name = f"{HOST}{keeper.record.name}"
        self._keeper = keeper
        self._method = method_of(keeper.record)
        self.accelerator = self._method.name
        self._children = children
        token = f"thp.token={secrets.token_hex(8)}"
        self._files = BootFiles(files.kernel, files.initramfs, (token, *files.cmdline))
        self._screen = Screen(token)
        self._console: Console | None = None
        self._left = False
        self._stopped = threading.Event()
        self._trouble = ""
        self._is_back = False
        self._is_last = False
        """The boot after this one is the host's own, if that takes anything."""
        self._known: frozenset[str] = frozenset()
        """What was in pstore before."""

    @property
    def command(self) -> tuple[str, ...]:
        """What has the host start the kernel, in words of the method."""
        files = self._files
        return self._method.words(files.kernel, files.initramfs, files.cmdline)

    @property
    def panicked(self) -> bool:
        """Nobody tells but the console."""
        return False

    async def start(self) -> None:
        """Load the kernel, listen to the console, and let the host go."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        keeper, record = self._keeper, self._keeper.record
        keeper.settle()
        with connected(record) as link:
            keeper.reserve(link)
            if (found := link.users()) and not record.despite_users:
                raise InfrastructureError(
                    f"{record.name} is not taken from under its users: {', '.join(found)}",
                    hint="Ask them to leave, or say `despite_users: true` in the record.",
                )
            before = identity(link)
            self._known = inventory(link)
            self._console = None if record.is_mute else open_console(record)
            self._method.load(link, self._files.kernel, self._files.initramfs, self._files.cmdline)
            keeper.memory.left(self._screen.token, before)
            self._left = True
            self._method.launch(link)
        threading.Thread(target=self._look_out, daemon=True).start()

    def _look_out(self) -> None:
        """The kernel under test has no network: whoever answers is the host's own, from before or after."""
        started = time.monotonic()
        patience = max(NEVER_LEFT_SECONDS, self._keeper.record.limits.boot_seconds)
        while not self._stopped.wait(LOOK_SECONDS):
            sight = look(self._keeper.record, self._keeper.memory.standing().away)
            if sight in (Sight.BACK, Sight.OTHER):
                self._is_back = True
                return
            if sight is Sight.SAME and time.monotonic() - started > patience:
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

    async def interrupt(self) -> None:
        """A BREAK on the console and SysRq keys; where none can be made, an NMI."""
        await asyncio.to_thread(self._interrupt)

    def _interrupt(self) -> None:
        record = self._keeper.record
        if self._console and record.console and record.console.has_break:
            for key in SYSRQ_KEYS:
                self._console.send_break(key)
        elif record.power.nmi:
            with contextlib.suppress(InfrastructureError):  # the way back has more to say of it
                run_command(record.power.nmi, record.power.seconds)

    async def stop(self) -> Ending:
        """See the host back on its own kernel; that may take all that the record's limits allow."""
        self._stopped.set()
        try:
            return await asyncio.to_thread(self._bring_back)
        finally:
            if self._console:
                await asyncio.to_thread(self._console.close)

    def _bring_back(self) -> Ending:
        if not self._left:
            return Ending(broken=True, detail="never started")
        by_itself = self._screen.leaving or self._is_back
        recovery = self._keeper.bring_back(self._console, by_itself=by_itself)
        notes = (f"{self.name}: {recovery}",) if len(recovery.steps) > 1 or not by_itself else ()
        if not recovery.back:
            return Ending(broken=True, detail=f"{self.name} did not come back: {recovery}", notes=notes)
        return self._with_last_words(notes)

    def _with_last_words(self, notes: tuple[str, ...]) -> Ending:
        """What our kernel left in pstore; it counts where the console has not shown how it ended."""
        record, screen = self._keeper.record, self._screen
        try:
            with connected(record) as link:
                kept = collect(link, self._known)
        except LinkError as error:
            kept, notes = {}, (*notes, f"what pstore kept could not be read: {error}")
        words = b"" if screen.told else unheard(kept, screen.number, screen.recent)
        if not record.is_mute and words:
            words = _FROM_HERE + words
        if trouble := self._trouble or self._doubts(words):
            return Ending(broken=True, detail=trouble, notes=notes, kept=kept)
        is_known = screen.done or (record.is_mute and DONE.search(words))
        return Ending(False, "", notes, {} if is_known else kept, words)

    def _doubts(self, words: bytes) -> str:
        """Why our kernel may never have run; one that kexec started may have died before its first word."""
        if self._screen.proved or self._screen.token.encode() in words:
            return ""
        if self._keeper.record.is_mute:
            return f"there is no console, and pstore {'does not show our token' if words else 'kept nothing'}"
        fell_back = self._method.may_fall_back and self._is_back
        return "the host came back, but the console never showed our kernel's token" if fell_back else ""
