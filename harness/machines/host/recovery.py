# SPDX-License-Identifier: GPL-2.0-only
"""Gets a host back to its own kernel: waits for it, then restarts it, each way harder than the one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from harness.config.host import HostRecord
from harness.core.errors import InfrastructureError
from harness.machines.host.labgrid_power import switched
from harness.machines.host.remote.console import Console, run_command
from harness.machines.host.remote.ssh import Link, LinkError, connected
from harness.machines.host.remote.state import BootInProgress, Identity

SCHEMA = "thp-harness/recovery/1"
POLL_SECONDS = 1.0
_ASK = "cat /proc/sys/kernel/random/boot_id /proc/version /proc/cmdline"


class HostStatus(Enum):
    """What a host that should be back turns out to be."""

    BACK = "back on its own kernel"
    SILENT = "it does not answer"
    SAME = "it was never restarted"
    OURS = "it still runs the kernel under test"
    OTHER = "another kernel than its own came back"
    UNTIDY = "what was put there for our kernel is still there"
    STOPPED = "the wait was cancelled"


@dataclass(frozen=True, slots=True)
class RecoveryStep:
    """One way that was tried."""

    way: str
    outcome: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.way}: {self.outcome}, {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What it came to."""

    sight: HostStatus
    steps: tuple[RecoveryStep, ...]

    @property
    def back(self) -> bool:
        """Whether its own kernel was seen to run, in a new boot."""
        return self.sight is HostStatus.BACK

    def __str__(self) -> str:
        return "; ".join(map(str, self.steps)) or self.sight.value


def identity(link: Link) -> Identity:
    """Which boot of which kernel the host runs."""
    boot_id, version, _ = _asked(link)
    return Identity(boot_id, version)


def _asked(link: Link) -> list[str]:
    lines = link.ask(_ASK).split("\n")
    if len(lines) != 3:
        raise LinkError(f"{link.record.name} did not report its kernel: {lines}")
    return lines


def look(record: HostRecord, away: BootInProgress | None) -> HostStatus:
    """See what the host is now; without `away` any kernel of its own will do."""
    try:
        with connected(record) as link:
            return sight_of(link, away)
    except LinkError:
        return HostStatus.SILENT


def sight_of(link: Link, away: BootInProgress | None) -> HostStatus:
    """The same for one that answers.

    Raises:
        LinkError: if it stopped answering.
    """
    boot_id, version, cmdline = _asked(link)
    if away is None:
        return HostStatus.BACK
    if away.token in cmdline:
        return HostStatus.OURS
    if boot_id == away.before.boot_id:
        return HostStatus.SAME
    return HostStatus.BACK if version == away.before.version else HostStatus.OTHER


@dataclass(frozen=True)
class Rescue:
    """One attempt to get a host back."""

    record: HostRecord
    away: BootInProgress | None
    console: Console | None
    stopping: Callable[[], bool]
    log: Callable[[str], None]

    def carry_out(self, *, by_itself: bool) -> Recovery:
        """Try one way after the other; with `by_itself` it is expected to come back without any."""
        steps: list[RecoveryStep] = []
        sight = HostStatus.SILENT
        ways = self._ways() if not by_itself else ((("by itself", None)), *self._ways())
        for way, act in ways:
            if self.stopping():
                return Recovery(HostStatus.STOPPED, tuple(steps))
            started = time.monotonic()
            trouble = act() if act else ""
            if not trouble:
                sight = self._wait(silence_tells=act is not None and way not in (_CYCLE, _OFF_AND_ON))
                trouble = sight.value
            steps.append(RecoveryStep(way, trouble, time.monotonic() - started))
            if sight in (HostStatus.BACK, HostStatus.STOPPED):
                break
            self.log(f"{self.record.name}: {steps[-1]}")
        return Recovery(sight, tuple(steps))

    def _ways(self) -> tuple[tuple[str, Callable[[], str] | None], ...]:
        power = switched(self.record)
        return (
            ("reboot over SSH", self._reboot),
            ("SysRq over the console", self._sysrq),
            *((("NMI", lambda: self._run(power.nmi)),) if power.nmi else ()),
            *(((_CYCLE, self._cycle),) if power.cycle or not power.off else ()),
            *(((_OFF_AND_ON, self._off_and_on),) if power.off else ()),
        )

    def _reboot(self) -> str:
        """Ask the host itself; returns why that did not work."""
        try:
            with connected(self.record) as link:
                # Detached, and later: else the connection may end before the command does.
                command = f"sync; sleep 0.5; {self.record.power.reboot}"
                link.ask(f"setsid sh -c '{command}' >/dev/null 2>&1 </dev/null &", root=True)
        except LinkError as error:
            return str(error)
        return ""

    def _sysrq(self) -> str:
        if self.console is None or not self.console.send_break(b"b"):
            return "no BREAK can be made there"
        return ""

    def _cycle(self) -> str:
        command = switched(self.record).cycle
        return self._run(command) if command else "the record has no `cycle:`"

    def _off_and_on(self) -> str:
        power = switched(self.record)
        if trouble := self._run(power.off):
            return trouble
        time.sleep(power.off_seconds)
        return self._run(power.on)

    def _run(self, command: tuple[str, ...]) -> str:
        """Run a command of the record; returns why it failed."""
        try:
            run_command(command, self.record.power.seconds)
        except InfrastructureError as error:
            return str(error)
        return ""

    def _wait(self, *, silence_tells: bool) -> HostStatus:
        """Wait for the host's own kernel. A console that stays silent tells that nothing has happened."""
        limits, started = self.record.limits, time.monotonic()
        sight = HostStatus.SILENT
        for waited in self._moments(started):
            sight = look(self.record, self.away)
            if sight is HostStatus.BACK or (sight is HostStatus.OTHER):
                return sight
            idle = waited > limits.step_seconds
            heard = self.console is not None and self.console.heard > started
            if idle and (
                sight in (HostStatus.SAME, HostStatus.OURS) or (silence_tells and self.console and not heard)
            ):
                return sight
            if self.stopping():
                return HostStatus.STOPPED
        return sight

    def _moments(self, started: float) -> Iterator[float]:
        """Seconds since `started`, from time to time until the host should long be back."""
        while (waited := time.monotonic() - started) < self.record.limits.back_seconds:
            yield waited
            time.sleep(min(POLL_SECONDS, self.record.limits.step_seconds))


_CYCLE = "power cycle"
_OFF_AND_ON = "power off and on"
