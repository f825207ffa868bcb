# SPDX-License-Identifier: GPL-2.0-only
"""One architecture as a strip of tiles: builds, boots, reports of the kernel, warnings, and each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.compare.verdict import most_serious
from results.model.run import ArchComparison, BootEnd, Cell, Run, Status, Verdict
from results.reports.content import lookup, wording
from results.reports.content.folds import was_booted


@dataclass(frozen=True, slots=True)
class Tile:
    """One thing that was tried."""

    group: str
    """`build`, `boot`, `splats`, `tests`."""
    look: Verdict | Status
    words: str
    anchor: tuple[str, ...]
    """Names of the place in the report that has its evidence."""

    @property
    def is_green(self) -> bool:
        """Whether it needs no attention."""
        return self.look in (Verdict.UNCHANGED, Status.PASS)


def tiles(run: Run, arch: ArchComparison) -> dict[str, list[Tile]]:
    """Return the tiles of an architecture by group, in order."""
    groups: dict[str, list[Tile]] = {}
    for tile in _tiles(run, arch):
        groups.setdefault(tile.group, []).append(tile)
    return groups


def _tiles(run: Run, arch: ArchComparison) -> Iterator[Tile]:
    cells = lookup.cells_of(run, arch.arch)
    for variant, cell in cells.items():
        look, words = _build(cell)
        yield Tile("build", look, f"build of {variant}: {words}", ("arch", arch.arch, "builds"))
    for cell in cells.values():
        for boot in cell.boots if cell and not cell.boots_of else ():
            ill = Status.ERROR if boot.end.is_kernels else Verdict.INFRASTRUCTURE
            look = Status.PASS if boot.end is BootEnd.DONE else ill
            words = f"boot {boot.id}, {boot.purpose}: {boot.end}"
            yield Tile("boot", look, words, ("arch", arch.arch, "boots"))
    if arch.new_warnings:
        words = wording.count(len(arch.new_warnings), "new compiler warning")
        yield Tile("warnings", Verdict.REGRESSION, words, ("arch", arch.arch, "builds"))
    for splat in arch.splats:
        yield Tile("splats", splat.verdict, f"{splat.title}: {splat.verdict}", ("arch", arch.arch, "splats"))
    if not was_booted(run, arch):
        return
    for claim in arch.claims:
        words = f"claim on {claim.claim.counter}: {claim.verdict}"
        yield Tile("claims", claim.verdict, words, ("arch", arch.arch, "claims"))
    for test in arch.tests:
        measured = [item.verdict for item in arch.measurements if item.test == test.name]
        verdict = most_serious([test.verdict, *measured])
        yield Tile("tests", verdict, f"{test.name}: {verdict}", (arch.arch, test.name))


def _build(cell: Cell | None) -> tuple[Verdict | Status, str]:
    if cell is None or cell.build is None:
        return Status.MISS, "not built"
    if cell.build.ok:
        return Status.PASS, "built from the cache" if cell.build.cached else "built"
    return (Verdict.INFRASTRUCTURE if cell.build.error_is_infrastructure else Status.FAIL), "failed"
