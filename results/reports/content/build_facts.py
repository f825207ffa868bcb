# SPDX-License-Identifier: GPL-2.0-only
"""What two builds or two machines are, side by side, as rows of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from results.model.run import Boot, Build, Capabilities, Cell
from results.reports.content import wording
from results.text import abbrev


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact of base and series, and how they differ."""

    name: str
    base: str
    series: str
    difference: str = ""


def build_rows(base: Build | None, series: Build | None) -> list[FactRow]:
    """Return the facts of two builds, sizes with their differences."""
    words: list[tuple[str, Callable[[Build], str]]] = [
        ("compiler", lambda build: build.compiler),
        ("commit", lambda build: abbrev(build.commit)),
        ("configuration", lambda build: build.configuration),
        ("build time", _build_time),
        ("image SHA-256", lambda build: build.image_sha256[:16]),
    ]
    sizes: list[tuple[str, Callable[[Build], int]]] = [
        ("image", lambda build: build.image_bytes),
        ("text", lambda build: build.text_bytes),
        ("data", lambda build: build.data_bytes),
        ("bss", lambda build: build.bss_bytes),
        ("symbols set to y", lambda build: build.symbols),
        ("warnings", lambda build: len(build.warnings)),
    ]
    return [
        *(FactRow(name, _said(base, say), _said(series, say)) for name, say in words),
        *(_size_row(name, base, series, size) for name, size in sizes),
    ]


def identical_images(base: Build | None, series: Build | None) -> bool:
    """Whether both kernels are the same bytes, so that comparing them compares nothing."""
    if base is None or series is None or not base.image_sha256:
        return False
    return base.image_sha256 == series.image_sha256


def probe_rows(base: Cell | None, series: Cell | None) -> list[FactRow]:
    """Return what the guest's probe found on both kernels."""
    found = [_facts(_first_capabilities(cell)) for cell in (base, series)]
    names = dict.fromkeys([*found[0], *found[1]])
    rows = [FactRow(name, found[0].get(name, "none"), found[1].get(name, "none")) for name in names]
    return [
        FactRow(row.name, row.base, row.series, "" if row.base == row.series else "differs") for row in rows
    ]


def _said(build: Build | None, say: Callable[[Build], str]) -> str:
    return "none" if build is None else say(build) or "none"


def _build_time(build: Build) -> str:
    time = wording.duration(build.seconds)
    return f"{time} (from the cache)" if build.cached else time


def _size_row(name: str, base: Build | None, series: Build | None, size: Callable[[Build], int]) -> FactRow:
    before, after = (None if build is None or not build.ok else size(build) for build in (base, series))
    return FactRow(name, _grouped(before), _grouped(after), _difference(before, after))


def _grouped(number: int | None) -> str:
    return "none" if number is None else f"{number:,}"


def _difference(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return ""
    if before == after:
        return "0"
    share = f" ({(after - before) / before:+.3%})" if before else ""
    return f"{after - before:+,}{share}"


def _first_capabilities(cell: Cell | None) -> Capabilities | None:
    boots: tuple[Boot, ...] = cell.boots if cell else ()
    return next((boot.capabilities for boot in boots if boot.capabilities), None)


def _facts(found: Capabilities | None) -> dict[str, str]:
    if found is None:
        return {}
    if found.facts:
        return dict(found.facts)
    return {"release": found.release, "machine": found.machine, "thp": "1" if found.thp else "0"}
