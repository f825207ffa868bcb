# SPDX-License-Identifier: GPL-2.0-only
"""The one protocol that every machine speaks: start, read the console, interrupt, stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What a machine boots."""

    kernel: Path
    initramfs: Path
    cmdline: tuple[str, ...]
    nonce: str = ""
    """Marks the lines of the guest program; for machines that others watch."""
    seconds: float = 0.0
    """Upper bound of the boot in seconds, for a scheduler outside of this program."""


@dataclass(frozen=True, slots=True)
class BootEnding:
    """How a machine stopped, as far as the machine knows."""

    broken: bool
    """The machine failed, not the guest: the emulator crashed, or was killed from outside."""
    detail: str
    notes: tuple[str, ...] = ()
    """What the reader of a report must know of this boot."""
    kept: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the guest left behind where a restart leaves them alone, by name."""
    words: bytes = b""
    """Kernel messages that the console did not show."""


class Machine(Protocol):
    """One boot of one machine.

    The calls come in this order: `start` once, `read` until it returns nothing, `interrupt` at
    any time between, `stop` once at the end whatever happened.
    """

    name: str
    accelerator: str

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that starts the machine, for people to repeat."""

    @property
    def panicked(self) -> bool:
        """Whether the machine was told of a guest panic."""

    async def start(self) -> None:
        """Power on.

        Raises:
            InfrastructureError: if the machine can't be started.
        """

    async def read(self) -> bytes:
        """Next bytes of the console; empty when the machine has stopped."""

    async def interrupt(self) -> None:
        """Make a hung kernel show where it is (NMI or SysRq); does nothing where that is impossible."""

    async def stop(self) -> BootEnding:
        """Make sure that nothing of the machine is left, and say how it ended."""
