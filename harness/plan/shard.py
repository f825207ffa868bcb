# SPDX-License-Identifier: GPL-2.0-only
"""A plan split among machines: which architectures each of them takes. Pure.

All machines must come to the same answer without asking each other, so it rests on the records of
`configs/` alone: not on what this machine has cached, nor on how long anything took here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.config.arch import ArchRecord
from harness.core.errors import UsageError
from results.text import amount

KERNELS = 2
"""Base and series; they are compared, so one machine has both."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts, counted from 1."""

    number: int
    count: int

    @classmethod
    def from_text(cls, text: str) -> Shard:
        """Read `2/5`.

        Raises:
            UsageError: if it is anything else.
        """
        found = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
        if not found or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard {text!r} is not I/N", hint="Like 1/3, 2/3 and 3/3 on three machines.")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def take(self, arches: Sequence[ArchRecord]) -> tuple[ArchRecord, ...]:
        """The architectures of this part, in the plan's order.

        Raises:
            UsageError: if there are more parts than kernels, so that some would do nothing and look well.
        """
        kernels = {arch.kernel_name for arch in arches}
        if self.count > len(kernels):
            raise UsageError(
                f"--shard {self}: there is not enough for {self.count} machines, the plan has "
                f"{amount(len(kernels), 'architecture')}",
                hint=f"Split it among {len(kernels)} at most.",
            )
        own = split(arches, self.count)[self.number - 1]
        return tuple(arch for arch in arches if arch in own)


def split(arches: Sequence[ArchRecord], count: int) -> list[list[ArchRecord]]:
    """Give the longest task left to the shard with the least work; modes of one kernel stay together."""
    kernels: dict[str, list[ArchRecord]] = {}
    for arch in arches:
        kernels.setdefault(arch.kernel_name, []).append(arch)
    parts: list[list[ArchRecord]] = [[] for _ in range(count)]
    for _, modes in sorted(kernels.items(), key=lambda item: (-seconds(item[1]), item[0])):
        min(parts, key=seconds).extend(modes)
    return parts


def seconds(arches: Sequence[ArchRecord]) -> float:
    """How long both kernels of some architectures take from nothing, boots included."""
    builds = {arch.kernel_name: arch.typical.build_seconds for arch in arches}
    return KERNELS * (sum(builds.values()) + sum(arch.typical.boot_seconds for arch in arches))
