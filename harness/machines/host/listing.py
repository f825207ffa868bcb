# SPDX-License-Identifier: GPL-2.0-only
"""All hosts that are known, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.config.host import HostRecord
from harness.machines.host.remote.state import HostStateFile

SCHEMA = "thp-harness/hosts/1"


@dataclass(frozen=True, slots=True)
class ListedHost:
    """One host; nothing here needs the host to be asked."""

    name: str
    arch: str
    about: str
    where: str
    """`USER@ADDRESS:PORT`."""
    needs_care: str
    away_since: str
    file: str


def list_hosts(records: Mapping[str, HostRecord], state: Path) -> tuple[ListedHost, ...]:
    """Every host, by name."""
    return tuple(_listed(record, HostStateFile(state, name)) for name, record in sorted(records.items()))


def _listed(record: HostRecord, memory: HostStateFile) -> ListedHost:
    standing = memory.standing()
    return ListedHost(
        name=record.name,
        arch=record.arch,
        about=record.about,
        where=f"{record.ssh.user}@{record.ssh.address}:{record.ssh.port}",
        needs_care=standing.needs_care,
        away_since=standing.away.since if standing.away else "",
        file=str(record.file),
    )


def as_document(hosts: tuple[ListedHost, ...]) -> dict[str, Any]:
    """For JSON; see docs/hosts.schema.json."""
    return {"schema": SCHEMA, "hosts": [asdict(host) for host in hosts]}


def print_hosts(hosts: tuple[ListedHost, ...], console: Console) -> None:
    """For people."""
    table = Table(box=None, pad_edge=False)
    for column in ("host", "arch", "where", "state", "about"):
        table.add_column(column)
    for host in hosts:
        table.add_row(host.name, host.arch, host.where, _standing(host), host.about)
    console.print(table)


def _standing(host: ListedHost) -> str:
    if host.needs_care:
        return "needs care"
    return f"away since {host.away_since}" if host.away_since else "well"
