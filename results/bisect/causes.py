# SPDX-License-Identifier: GPL-2.0-only
"""Predicates for bisections after a run: one for each regression, as for `--until`."""

from __future__ import annotations

from collections.abc import Iterator

from results.compare.tally import reached_tests
from results.model.run import ArchComparison, Cell, Run, Verdict

Causes = dict[str, tuple[str, ...]]
"""Predicate → architectures."""


def causes(run: Run) -> Causes:
    """Return the regressions of a run; those of tests are left out for a kernel that does not boot."""
    found: Causes = {}
    for arch in run.arches:
        cell = next(cell for cell in run.cells if (cell.arch, cell.variant) == (arch.arch, "series"))
        for until in _of_arch(arch, cell):
            found[until] = (*found.get(until, ()), arch.arch)
    return found


def _of_arch(arch: ArchComparison, cell: Cell) -> Iterator[str]:
    if arch.verdict is not Verdict.REGRESSION:
        return
    if cell.build and not cell.build.ok:
        yield "does not build"
    elif cell.boots and not any(reached_tests(boot) for boot in cell.boots):
        yield "does not boot"
    else:
        yield from (f"{test.name} fails" for test in arch.tests if test.verdict is Verdict.REGRESSION)
        yield from dict.fromkeys(f"warning appears in {warning.file}" for warning in arch.new_warnings)


def new_causes(run: Run, before: Run | None) -> Causes:
    """Return the regressions of each architecture that the night before did not have."""
    old = causes(before) if before else {}
    found: Causes = {}
    for until, arches in causes(run).items():
        if new := tuple(arch for arch in arches if arch not in old.get(until, ())):
            found[until] = new
    return found
