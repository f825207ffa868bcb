# SPDX-License-Identifier: GPL-2.0-only
"""All labs that are known; none of them is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.config.lab import LabRecord

SCHEMA = "thp-harness/labs/1"


@dataclass(frozen=True, slots=True)
class ListedLab:
    """One lab; the token is not in it."""

    name: str
    about: str
    uri: str
    user: str
    arches: tuple[str, ...]
    """For which it has boards."""
    file: str


def list_labs(records: Mapping[str, LabRecord]) -> tuple[ListedLab, ...]:
    """Every lab, by name."""
    return tuple(
        ListedLab(record.name, record.about, record.uri, record.user, tuple(record.boards), str(record.file))
        for _, record in sorted(records.items())
    )


def as_document(labs: tuple[ListedLab, ...]) -> dict[str, Any]:
    """For JSON; see docs/labs.schema.json."""
    return {"schema": SCHEMA, "labs": [asdict(lab) for lab in labs]}


def print_labs(labs: tuple[ListedLab, ...], console: Console) -> None:
    """For people."""
    table = Table(box=None, pad_edge=False)
    for column in ("lab", "boards for", "where", "about"):
        table.add_column(column)
    for lab in labs:
        table.add_row(lab.name, ", ".join(lab.arches), f"{lab.user} at {lab.uri}", lab.about)
    console.print(table)
