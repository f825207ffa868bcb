# SPDX-License-Identifier: GPL-2.0-only
"""What is in the cache, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.commands.cache.inventory import Item, inventory
from harness.commands.cache.size import show_age, show_size

SCHEMA = "thp-harness/cache/1"


@dataclass(frozen=True, slots=True)
class CacheRow:
    """One thing in the cache; see docs/cache.schema.json."""

    kind: str
    """kernel, objects, ccache, worktree, programs, package, lists, mails, mirror, leftover or other."""
    name: str
    path: str
    """Relative to the cache."""
    arch: str
    """Of a kernel or its objects; else empty."""
    variant: str
    """Of a kernel; else empty."""
    commit: str
    """That a kernel was first built from, or that a worktree is at; else empty."""
    created: str
    """UTC, as ISO 8601 has it."""
    used: str
    """When it was last used, as far as that is known."""
    bytes: int
    """On the disk."""


@dataclass(frozen=True, slots=True)
class Total:
    """All things of one kind."""

    kind: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The whole cache."""

    folder: str
    limit: int
    """The most bytes that stay after a run."""
    bytes: int
    totals: tuple[Total, ...]
    items: tuple[CacheRow, ...]


def list_cache(cache: Path, limit: int) -> Listing:
    """Look at everything; runs may go on meanwhile."""
    items = inventory(cache, time.time())
    return Listing(
        folder=str(cache),
        limit=limit,
        bytes=sum(item.size for item in items),
        totals=_totals(items),
        items=tuple(_row(cache, item) for item in items),
    )


def _totals(items: Sequence[Item]) -> tuple[Total, ...]:
    kinds = dict.fromkeys(item.kind for item in items)
    alike = {kind: [item.size for item in items if item.kind == kind] for kind in kinds}
    return tuple(Total(kind, len(sizes), sum(sizes)) for kind, sizes in alike.items())


def _row(cache: Path, item: Item) -> CacheRow:
    return CacheRow(
        kind=item.kind,
        name=item.name,
        path=str(item.path.relative_to(cache)),
        arch=item.arch,
        variant=item.variant,
        commit=item.commit,
        created=_stamp(item.created),
        used=_stamp(item.used),
        bytes=item.size,
    )


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def print_listing(listing: Listing, console: Console) -> None:
    """For people: every item, then the totals."""
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "name", "age", "last used"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right")
    for row in listing.items:
        table.add_row(row.kind, row.name, _age(row.created), _age(row.used), show_size(row.bytes))
    table.add_row()
    for total in listing.totals:
        table.add_row(total.kind, f"{total.count} in all", "", "", show_size(total.bytes))
    if listing.items:
        console.print(table, markup=False, highlight=False)
    console.print(
        f"{show_size(listing.bytes)} of at most {show_size(listing.limit)} in {listing.folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _age(stamp: str) -> str:
    return show_age(time.time() - datetime.fromisoformat(stamp).timestamp())
