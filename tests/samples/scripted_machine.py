# SPDX-License-Identifier: GPL-2.0-only
"""A machine that plays a script, for the tests of the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core.errors import InfrastructureError
from harness.machines.base import BootEnding

SILENCE = None
"""In a script: says nothing more until it is interrupted or stopped."""


WELL = BootEnding(broken=False, detail="")


@dataclass
class ScriptedMachine:
    """Prints the chunks of its script, one a `read`; then it stops by itself. A number is a pause."""

    script: Sequence[bytes | float | None] = ()
    when_interrupted: Sequence[bytes] = ()
    """What it prints after an interrupt; then it is silent again."""
    ending: BootEnding = WELL
    start_error: str = ""
    panicked: bool = False
    name: str = "scripted"
    accelerator: str = "none"
    command: tuple[str, ...] = ("scripted",)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = list(self.script)

    async def start(self) -> None:
        self.calls.append("start")
        if self.start_error:
            raise InfrastructureError(self.start_error)

    async def read(self) -> bytes:
        while self._left:
            match self._left.pop(0):
                case bytes(chunk):
                    return chunk
                case None:
                    await asyncio.Event().wait()
                case pause:
                    await asyncio.sleep(pause)
        return b""

    async def interrupt(self) -> None:
        self.calls.append("interrupt")
        self._left = [*self.when_interrupted, SILENCE]

    async def stop(self) -> BootEnding:
        self.calls.append("stop")
        return self.ending
