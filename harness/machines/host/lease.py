# SPDX-License-Identifier: GPL-2.0-only
"""Reserves a host for a run, and brings it back to its own kernel at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from harness.config.host import HostRecord
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.process import Children
from harness.machines.host.recovery import HostStatus, Recovery, RecoveryStep, Rescue
from harness.machines.host.remote.console import Console
from harness.machines.host.remote.reservation import Reservation, current, release, take
from harness.machines.host.remote.ssh import Link, connected
from harness.machines.host.remote.state import HostState, HostStateFile
from harness.machines.host.start.method import Method, method_of

PURPOSE = "a run"


class HostLease:
    """The host of one run; `take` it, and `give_back` at the end whatever happened."""

    def __init__(
        self,
        record: HostRecord,
        memory: HostStateFile,
        log: Callable[[str], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.record = record
        self.memory = memory
        self.boots = threading.Lock()
        """Held for each boot: there is only one machine."""
        self._log = log
        self._stopping = stopping
        self._held = ExitStack()

    def take(self) -> None:
        """Get the host back if an earlier run left it away, and reserve it.

        Raises:
            InfrastructureError: if it needs care, can't be reached, or another user has it.
        """
        self._held.enter_context(self.memory.alone())
        try:
            self.settle()
            with connected(self.record) as link:
                self.reserve(link)
        except BaseException:
            self._held.close()
            raise

    def settle(self) -> None:
        """Have the host on its own kernel.

        Raises:
            InfrastructureError: if it needs care.
        """
        standing = self.memory.standing()
        if not standing.needs_care and standing.away:
            self._log(f"{self.record.name} is away since {standing.away.since}: waiting for it")
            self.bring_back(None, by_itself=True)
            standing = self.memory.standing()
        if standing.needs_care or standing.away:
            raise InfrastructureError(
                f"the host {self.record.name} needs care: {standing.needs_care or 'it is still away'}",
                hint=f"Look at it; then: thp-harness hosts recover {self.record.name}",
            )

    def reserve(self, link: Link) -> None:
        """Reserve the host, or renew that; what the user reserved by hand is left as it is.

        Raises:
            Reserved: if another user has it.
        """
        if not self._is_by_hand(current(link)):
            take(link, self.memory, PURPOSE, self.record.limits.reserve_hours)

    def bring_back(self, console: Console | None, *, by_itself: bool) -> Recovery:
        """Wait for the host's own kernel, restart the host if it does not come, and remember the outcome."""
        standing = self.memory.standing()
        rescue = Rescue(self.record, standing.away, console, self._stopping, self._log)
        method = method_of(self.record)
        trouble = _trouble_of(method.only_once) if method.only_once else ""
        recovery = rescue.carry_out(by_itself=by_itself)
        if recovery.back and (trouble := trouble or self._tidy(method)):
            recovery = Recovery(
                HostStatus.UNTIDY, (*recovery.steps, RecoveryStep("tidying up", trouble, 0.0))
            )
        self.memory.note(
            "recovery", sight=recovery.sight.name, steps=[asdict(step) for step in recovery.steps]
        )
        if recovery.back:
            self.memory.remember(HostState())
        elif recovery.sight is not HostStatus.STOPPED:
            self.memory.remember(replace(standing, needs_care=str(recovery)))
        return recovery

    def _tidy(self, method: Method) -> str:
        """Leave nothing on the host that could start again; returns why that did not work."""
        if method.tidy is None:
            return ""
        tidy = method.tidy

        def act() -> None:
            with connected(self.record) as link:
                tidy(link)

        return _trouble_of(act)

    def recover(self, console: Console | None, *, by_itself: bool) -> Recovery:
        """As `bring_back`, after a person has checked the host; clears its `needs care` state."""
        with self.memory.alone():
            recovery = self.bring_back(console, by_itself=by_itself)
        if recovery.back:
            self._release()
        return recovery

    def give_back(self) -> None:
        """Let others have the host; says what went wrong with that, and does not raise."""
        with self._held:
            standing = self.memory.standing()
            if not (standing.needs_care or standing.away):
                self._release()

    def _release(self) -> None:
        try:
            with connected(self.record) as link:
                if not self._is_by_hand(current(link)):
                    release(link, self.memory)
        except HarnessError as error:
            self._log(f"{self.record.name} stays reserved: {error}")

    def _is_by_hand(self, found: Reservation | None) -> bool:
        """Whether we have reserved it, but not for a run."""
        if found is None or found.owner != self.memory.owner():
            return False
        return not found.words.endswith(f": {PURPOSE}")


def take_host(record: HostRecord, state: Path, log: Callable[[str], None], children: Children) -> HostLease:
    """Reserve a host for the run of these children; `state` is the state folder of the program.

    Raises:
        InfrastructureError: as `HostLease.take`.
    """
    lease = HostLease(record, HostStateFile(state, record.name), log, lambda: children.stopping)
    lease.take()
    return lease


def _trouble_of(act: Callable[[], None]) -> str:
    try:
        act()
    except InfrastructureError as error:
        return str(error)
    return ""
