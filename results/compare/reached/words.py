# SPDX-License-Identifier: GPL-2.0-only
"""Which of the changed lines ran, in the words, marks and rows that all reports show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from results.model.reached import (
    ChangedFile,
    DiffRow,
    LineReach,
    Reach,
    ReachedLine,
    ReachedRun,
    ReachedShare,
)
from results.text import amount, join

SIGNS: Mapping[Reach, str] = {
    Reach.REACHED: "●",
    Reach.FAULT_ONLY: "◐",
    Reach.NOT_REACHED: "○",
    Reach.NOT_COMPILED: "·",
}
"""Shapes that need no colour."""
MEANINGS: Mapping[Reach, str] = {
    Reach.REACHED: "ran",
    Reach.FAULT_ONLY: "ran only when an allocation failed",
    Reach.NOT_REACHED: "did not run",
    Reach.NOT_COMPILED: "is not compiled there",
}
_FIRST = 3
"""Lines that a sentence names."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A changed line on one architecture."""

    arch: str
    reach: Reach | None
    """None of a line that is no code."""
    words: str = ""
    tests: int = 0
    """Number of the list of tests that ran it; 0 for none."""

    @property
    def sign(self) -> str:
        """One character."""
        return SIGNS[self.reach] if self.reach else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the diff with a cell for each architecture."""

    row: DiffRow
    cells: tuple[Cell, ...]
    reach: Reach | None
    """The best of all architectures; None of a line that is no code."""


@dataclass(frozen=True, slots=True)
class FileView:
    """The diff of one file."""

    path: str
    share: ReachedShare
    hunks: tuple[tuple[Row, ...], ...]


@dataclass(slots=True)
class DiffView:
    """The whole diff."""

    arches: tuple[str, ...]
    files: list[FileView] = field(default_factory=list)
    test_lists: list[tuple[str, ...]] = field(default_factory=list)
    """Which tests ran a line; each list once, numbered from 1."""


def diff_view(reached: ReachedRun) -> DiffView:
    """Lay out the diff, with references to the lists of tests; files that did not run in whole come first."""
    view = DiffView(tuple(kernel.share.name for kernel in reached.kernels))
    numbers: dict[tuple[str, ...], int] = {}
    lines = {(line.path, line.number): line for line in reached.lines}
    shares = {share.name: share for share in reached.files}
    for file in reached.diff:
        share = shares.get(file.path, ReachedShare(file.path, 0, 0))
        view.files.append(FileView(file.path, share, tuple(_hunks(file, view.arches, lines, numbers))))
    view.files.sort(key=lambda file: (not file.share.lines, file.share.reached == file.share.lines))
    view.test_lists = list(numbers)
    return view


def _hunks(
    file: ChangedFile,
    arches: tuple[str, ...],
    lines: Mapping[tuple[str, int], ReachedLine],
    numbers: dict[tuple[str, ...], int],
) -> Iterator[tuple[Row, ...]]:
    for hunk in file.hunks:
        rows = []
        for row in hunk:
            line = lines.get((file.path, row.number)) if row.mark == "+" else None
            known = {each.arch: each for each in line.arches} if line else {}
            cells = tuple(_cell(arch, known.get(arch), numbers) for arch in arches)
            rows.append(Row(row, cells, line.reach if line else None))
        yield tuple(rows)


def _cell(arch: str, line: LineReach | None, numbers: dict[tuple[str, ...], int]) -> Cell:
    if line is None:
        return Cell(arch, None)
    number = numbers.setdefault(line.tests, len(numbers) + 1) if line.tests else 0
    return Cell(arch, line.reach, f"{arch}: {describe(line)}", number)


def describe(line: LineReach) -> str:
    """Say what is known of a line on an architecture: `ran in 3 tests`."""
    if line.reach is Reach.NOT_COMPILED:
        return f"not compiled: {line.why}"
    if line.reach is Reach.NOT_REACHED:
        return "did not run"
    words = f"ran in {amount(len(line.tests), 'test')}"
    return words if line.reach is Reach.REACHED else f"{words}, only when an allocation failed"


def share_words(share: ReachedShare) -> str:
    """`281 of 312 ran, 12 of them only when an allocation failed`."""
    some = f", {share.fault_only} of them only when an allocation failed"
    return f"{share.reached} of {share.lines} ran" + (some if share.fault_only else "")


def sentences(reached: ReachedRun) -> Iterator[str]:
    """Say what a review has to look at."""
    total = reached.total
    lost = [kernel.share.name for kernel in reached.kernels if kernel.error]
    if lost:
        yield f"which changed lines ran is not known on {join(lost)}: {_error(reached)}"
    if not total.lines:
        if len(lost) < len(reached.kernels):
            yield "no kernel here compiles a changed line"
        return
    unreached = reached.unreached
    where = join([kernel.share.name for kernel in reached.kernels if not kernel.error])
    if unreached:
        first = join([f"{line.path}:{line.number}" for line in unreached[:_FIRST]])
        on_error = sum(line.on_error for line in unreached)
        paths = f", {on_error} of them on the path of an error" if on_error else ""
        never = f"{len(unreached)} of {total.lines} changed lines ran nowhere ({where})"
        yield f"{never}{paths}, first of all {first}"
    else:
        yield f"all {total.lines} changed lines ran ({where})"
    if total.fault_only:
        yield f"{amount(total.fault_only, 'changed line')} ran only when an allocation failed"
    for why, lines in _left_out(reached).items():
        yield f"{amount(lines, 'changed line')} compiled on no architecture here: {why}"


def _error(reached: ReachedRun) -> str:
    return next(kernel.error for kernel in reached.kernels if kernel.error).partition("\n")[0]


def _left_out(reached: ReachedRun) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in reached.lines:
        if line.reach is Reach.NOT_COMPILED:
            why = join(dict.fromkeys(each.why for each in line.arches if each.why))
            found[why] = found.get(why, 0) + 1
    return found


def places(lines: tuple[ReachedLine, ...]) -> Iterator[tuple[str, tuple[ReachedLine, ...]]]:
    """Group lines that follow each other in a file: what a reader looks at together."""
    group: list[ReachedLine] = []
    for line in sorted(lines, key=lambda line: (line.path, line.number)):
        if group and (line.path, line.number) > (group[-1].path, group[-1].number + 2):
            yield _place(group), tuple(group)
            group = []
        group.append(line)
    if group:
        yield _place(group), tuple(group)


def _place(group: list[ReachedLine]) -> str:
    first, last = group[0], group[-1]
    numbers = f"{first.number}-{last.number}" if last.number > first.number else str(first.number)
    return f"{first.path}:{numbers}"
