# SPDX-License-Identifier: GPL-2.0-only
"""What booted the kernels: emulators and physical hosts, by architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from results.dashboard.history import DashboardData, Line, Row
from results.model.run import Verdict
from results.store.trends import Night


@dataclass(frozen=True, slots=True)
class MachineRow:
    """One kind of machine, or one physical host, on one architecture."""

    name: str
    """As `host labhost (kexec)` or `qemu (tcg)`."""
    arch: str
    nights: list[tuple[Line, Night, Row]] = field(default_factory=list)
    """In which it booted something, oldest first."""

    @property
    def last(self) -> tuple[Line, Night, Row]:
        """The latest of them."""
        return self.nights[-1]

    @property
    def failed(self) -> int:
        """Nights in which the machine or the harness failed on that architecture."""
        return sum(row.verdict == Verdict.INFRASTRUCTURE for _, _, row in self.nights)


def machines(history: DashboardData) -> Sequence[MachineRow]:
    """Every machine of the nights that are shown and were not made up; physical hosts first."""
    found: dict[tuple[str, str], MachineRow] = {}
    booted = (
        (line, night, arch, rows[night.key])
        for line in history.lines
        for arch, rows in line.arch_rows.items()
        for night in line.nights
        if night.key in rows and not night.simulated
    )
    for line, night, arch, row in sorted(booted, key=lambda each: each[1].at):
        for name in filter(None, row.machines.split(", ")):
            found.setdefault((name, arch), MachineRow(name, arch)).nights.append((line, night, row))
    return sorted(found.values(), key=lambda each: (not each.name.startswith("host "), each.name, each.arch))
