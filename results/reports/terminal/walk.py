# SPDX-License-Identifier: GPL-2.0-only
"""A walk as text: patches by architectures, then whatever is not well."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.model.run import Verdict
from results.model.walk import PatchResult, Safe, Walk
from results.reports.content import walk_words as words
from results.reports.content import wording
from results.reports.content.search_findings import walk_findings
from results.reports.terminal.findings import print_findings
from results.reports.terminal.page import STYLES, Page
from results.reports.terminal.run import print_subject
from results.walk.verdict import own_faults

_DIM = "dim"
_PADDING = 2
"""Columns between two columns of a table."""
_SHORTEST_SUBJECT = 12
"""Where there is no room for so much, the numbers of the patches have to do."""


def print_walk(walk: Walk, console: Console, folder: Path) -> None:
    """Print what a walk found; the last line is `Walk folder: PATH`."""
    page = Page(console)
    _print_matrix(page, walk)
    print_findings(page, walk_findings(walk), folder)
    _print_unknown(page, walk)
    _print_inherited(page, walk)
    _print_columns(page, walk)
    print_subject(page, walk.subject)
    _print_headline(page, walk)
    page.line(f"Walk folder: {folder}")


def _print_matrix(page: Page, walk: Walk) -> None:
    cells = [[_cell(page, step) for step in column.steps] for column in walk.columns]
    numbers = [page.text(f"{row.number}", "bold" if row.safe is Safe.NO else "") for row in walk.rows]
    taken = [max(cell.cell_len for cell in column) for column in (numbers, *cells)]
    widths = [max(wide, len(head)) for wide, head in zip(taken, ("", *_arches(walk)), strict=True)]
    room = page.console.width - sum(widths) - _PADDING * len(widths)
    named = room >= _SHORTEST_SUBJECT
    table = page.table("", *_arches(walk), *(["patch"] if named else []))
    for column in table.columns:
        column.no_wrap = True
    for number, row, *steps in zip(numbers, walk.rows, *cells, strict=True):
        table.add_row(number, *steps, *([page.text(_cut(row.subject, room))] if named else []))
    page.show(table)


def _arches(walk: Walk) -> tuple[str, ...]:
    return tuple(column.arch for column in walk.columns)


def _cut(subject: str, room: int) -> str:
    """As much of a subject as there is room for."""
    return subject if len(subject) <= room else f"{subject[: room - 3]}..."


def _cell(page: Page, step: PatchResult) -> Text:
    sign = words.sign(step)
    mark = f"{sign} " if page.unicode or sign.isascii() else ""
    style = _DIM if words.is_another_patchs(step) else STYLES[words.LOOKS[step.state]]
    return page.text(mark + words.short(step), style)


def _print_unknown(page: Page, walk: Walk) -> None:
    """Print why a patch is not known to be safe although no fault of its own was found."""
    faulty = {step.number for column in walk.columns for step in column.steps if own_faults(step)}
    for row in walk.rows:
        settled = row.safe in (Safe.YES, Safe.INHERITS) or (row.safe is Safe.UNKNOWN and not walk.boots)
        if not settled and row.number not in faulty:
            mark = page.marked(words.LOOKS_OF_SAFE[row.safe])
            name = f"patch {row.number}: " if row.number else ""
            page.folded(Text.assemble(mark, page.text(f"  {name}{row.subject}: {row.because}")))


def _print_inherited(page: Page, walk: Walk) -> None:
    """Say once for each stretch of patches that they only have what an earlier one brought."""
    for because, stretch in groupby(walk.rows, key=lambda row: row.because):
        rows = list(stretch)
        if rows[0].safe is Safe.INHERITS:
            first, last = rows[0].number, rows[-1].number
            name = f"patch {first}" if first == last else f"patches {first} to {last}"
            page.folded(page.text(f"{name}: {because}"))
    page.line()


def _print_columns(page: Page, walk: Walk) -> None:
    width = max(len(column.arch) for column in walk.columns)
    for column in walk.columns:
        page.line(f"{column.arch:<{width}}  {column.words}")
    for check in walk.checks:
        style = "" if check.ok else STYLES[Verdict.INFRASTRUCTURE]
        page.line(f"rebuilt: {words.checked(check)}", style)
    if walk.checks:
        page.line(f"            drawn with --seed {walk.seed}")
    page.line()


def _print_headline(page: Page, walk: Walk) -> None:
    if not walk.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('walk')}.", "bold yellow")
    page.line(walk.headline, STYLES[words.LOOKS_OF_SAFE[walk.safe]])
    page.line(f"Exit code {walk.exit_code}: {words.EXIT_MEANINGS.get(walk.exit_code, 'unknown')}")
