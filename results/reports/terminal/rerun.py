# SPDX-License-Identifier: GPL-2.0-only
"""A rerun as text: for each kernel a table of its tests, then what went wrong."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from results.model.rerun import Estimate, Rerun, RerunCell, Spread
from results.model.run import Status, Verdict
from results.reports.content import wording
from results.reports.content.search_findings import interval, rerun_findings
from results.reports.terminal.findings import print_findings
from results.reports.terminal.page import STYLES, Page
from results.text import abbrev

_LOOKS = {0: Verdict.UNCHANGED, 1: Verdict.REGRESSION, 3: Verdict.INFRASTRUCTURE}


def print_rerun(rerun: Rerun, console: Console, folder: Path) -> None:
    """Print what a rerun found; the last line is `Rerun folder: PATH`."""
    page = Page(console)
    for cell in rerun.cells:
        _print_cell(page, cell, round(100 * rerun.confidence))
    print_findings(page, rerun_findings(rerun), folder)
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
    table = page.table(*headers, first_width=min(max(len(test.name) for test in cell.tests), 40))
    for test in cell.tests:
        style = STYLES[Status.FAIL] if test.failed else "" if test.passed else STYLES[Verdict.NOT_EXERCISED]
        failed = f"{test.failed} of {test.failed + test.passed}"
        cells = (test.name, failed, str(test.other), _rate(test.failing), _seconds(test.seconds))
        table.add_row(*(page.text(words, style) for words in cells))
    page.show(table)


def _rate(rate: Estimate | None) -> str:
    return interval(rate) if rate else "–"


def _seconds(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:.2f} ({spread.least:.2f}–{spread.most:.2f})"
