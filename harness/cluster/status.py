# SPDX-License-Identifier: GPL-2.0-only
"""Who is in a cluster, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from harness.cluster.controller import WorkerInfo
from harness.cluster.tags import MEMORY, Ability
from harness.core.version import program_version

SCHEMA = "thp-harness/cluster-status/1"
CERTS_SCHEMA = "thp-harness/cluster-certs/1"


@dataclass(frozen=True, slots=True)
class ListedWorker:
    """One worker."""

    name: str
    machine: str
    harness: str
    """Its version of the program, with a sum of the sources."""
    usable: bool
    """False if that is not ours."""
    cores: int
    memory_mb: int
    tags: tuple[str, ...]
    """What steps are placed by."""


def as_document(members: Sequence[WorkerInfo]) -> dict[str, Any]:
    """For JSON; see docs/cluster-status.schema.json."""
    workers = [asdict(_listed(each)) for each in members]
    return {"schema": SCHEMA, "harness": program_version(), "workers": workers}


def _listed(member: WorkerInfo) -> ListedWorker:
    ability = member.ability
    return ListedWorker(
        name=ability.worker,
        machine=ability.machine,
        harness=ability.harness,
        usable=ability.harness == program_version(),
        cores=ability.cores,
        memory_mb=ability.memory_mb,
        tags=tuple(sorted(member.tags - {MEMORY})),
    )


def print_members(members: Sequence[WorkerInfo], console: Console) -> None:
    """A few lines for each."""
    for member in members:
        ability = member.ability
        console.print(
            f"{ability.worker}: {ability.cores} cores, {ability.memory_mb} MiB",
            highlight=False,
            soft_wrap=True,
        )
        for line in _lines(ability, member.tags):
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if not members:
        console.print("no worker has joined", highlight=False)


def _lines(ability: Ability, tags: frozenset[str]) -> list[str]:
    ours = program_version()
    wrong = f"of program version {ability.harness}, not {ours}: gets nothing to do"
    kvm = sorted(tag.removeprefix("kvm-") for tag in tags if tag.startswith("kvm-"))
    return [
        *([wrong] if ability.harness != ours else []),
        f"builds {', '.join(sorted(ability.compilers)) or 'nothing'}",
        f"boots {', '.join(sorted(ability.qemu)) or 'nothing'}",
        *([f"with KVM: {', '.join(kvm)}"] if kvm else []),
        *([f"with Hercules: {', '.join(sorted(ability.hercules))}"] if ability.hercules else []),
    ]
