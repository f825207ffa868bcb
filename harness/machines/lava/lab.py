# SPDX-License-Identifier: GPL-2.0-only
"""A lab for the time of a run: its server, where its files are put, and whether it has the boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.config.arch import ArchRecord
from harness.config.lab import BoardFacts, LabRecord, board_of, read_token
from harness.machines.lava.artifacts import ArtifactStore
from harness.machines.lava.job import example
from harness.machines.lava.server import LabError, LabServer, TokenRefused


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that knows us and has what we need."""

    record: LabRecord
    server: LabServer
    depot: ArtifactStore

    def board(self, arch: ArchRecord) -> BoardFacts:
        """The boards of an architecture."""
        return board_of(self.record, arch)


def open_lab(record: LabRecord, arches: Sequence[ArchRecord]) -> Lab:
    """Say who we are, and see that there are boards for these architectures.

    Raises:
        InfrastructureError: if the lab does not answer, does not know us, or lacks a device type.
        UsageError: for an architecture that the record has no boards for.
    """
    server = LabServer(record, read_token(record))
    if not server.whoami():
        raise TokenRefused(
            f"lab {record.name} rejects the token", hint=f"Look at `user:` and `token:` in {record.file}."
        )
    known = server.device_types()
    for arch in arches:
        wanted = example(record, board_of(record, arch))["device_type"]
        if wanted not in known:
            raise LabError(
                f"lab {record.name} has no boards of type {wanted}, which {arch.name} needs",
                hint=f"It has: {', '.join(known) or 'none for you'}.",
            )
    depot = ArtifactStore(record)
    depot.tidy()
    return Lab(record, server, depot)
