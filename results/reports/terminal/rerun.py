# SPDX-License-Identifier: GPL-2.0-only
"""A rerun as text: for each kernel a table of its tests, then what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from results.model.rerun import Estimate, Rerun, RerunCell, RerunTest, Spread
from results.model.run import Status, Verdict
from results.reports.content import wording
from results.reports.terminal.page import STYLES, Note, Page
from results.text import abbrev

_LOOKS = {0: Verdict.UNCHANGED, 1: Verdict.REGRESSION, 3: Verdict.INFRASTRUCTURE}


def print_rerun(rerun: Rerun, console: Console, folder: Path) -> None:
    """Print what a rerun found; the last line is `Rerun folder: PATH`."""
    page = Page(console)
    for cell in rerun.cells:
        _print_cell(page, cell, round(100 * rerun.confidence))
    if not rerun.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('rerun')}.", "bold yellow")
    page.line(rerun.headline, STYLES[_LOOKS[rerun.exit_code]])
    page.line(f"Rerun folder: {folder}")


def _print_cell(page: Page, cell: RerunCell, confidence: int) -> None:
    page.line(
        f"{cell.arch}/{cell.variant}: {wording.count(cell.rounds, 'round')}, "
        f"{wording.count(cell.boots, 'boot')}, "
        f"{cell.left_out} left out for infrastructure; image {abbrev(cell.image_sha256)}",
        "bold",
    )
    headers = ("test", "failed", "other", f"rate ({confidence} %)", "seconds")
    table = page.table(*headers, first_width=max(len(test.name) for test in cell.tests))
    for test in cell.tests:
        style = STYLES[Status.FAIL] if test.failed else "" if test.passed else STYLES[Verdict.NOT_EXERCISED]
        failed = f"{test.failed} of {test.failed + test.passed}"
        cells = (test.name, failed, str(test.other), _rate(test.failing), _seconds(test.seconds))
        table.add_row(*(page.text(words, style) for words in cells))
    page.show(table)
    for finding in _findings(cell):
        page.finding(finding)
    page.line()


def _rate(rate: Estimate | None) -> str:
    return "{} ({} to {})".format(*map(wording.percent, (rate.seen, rate.low, rate.high))) if rate else "–"


def _seconds(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:.2f} ({spread.least:.2f}–{spread.most:.2f})"


def _findings(cell: RerunCell) -> Iterator[Note]:
    if cell.died and cell.dying:
        words = f"the guest died in {len(cell.died)} of {cell.boots} boots, {_rate(cell.dying)}"
        yield Note(words, Status.ERROR, (_boots(cell.died),))
    for splat in cell.splats:
        words = f"{splat.title}: in {len(splat.boots)} of {cell.boots} boots, {_rate(splat.coming)}"
        yield Note(words, Status.FAIL, (f"signature {splat.signature}", _boots(splat.boots)))
    for test in cell.tests:
        if test.reasons:
            yield Note(test.name, Status.FAIL if test.failed else Status.SKIP, _reasons(test))


def _reasons(test: RerunTest) -> tuple[str, ...]:
    return (*(f"{count} × {reason}" for reason, count in test.reasons.items()), _boots(test.boots))


def _boots(names: tuple[str, ...], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"logs: {', '.join(names[:shown])}{more}" if names else ""
