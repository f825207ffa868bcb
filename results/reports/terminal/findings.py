# SPDX-License-Identifier: GPL-2.0-only
"""Findings on a terminal: a headline each, then facts, decisive lines of the log, and the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from results.reports.content import excerpt
from results.reports.content.finding import MOST_REASON, Finding
from results.reports.terminal.page import INDENT, Page

_MOST_QUOTED = 10
"""Findings that are shown with their lines; of the others only the headline."""


def print_findings(page: Page, found: Sequence[Finding], folder: Path) -> None:
    """Print findings in their order, the worst of them in full."""
    for finding in found[:_MOST_QUOTED]:
        _print_in_full(page, finding, folder)
        page.line()
    rest = found[_MOST_QUOTED:]
    for finding in rest:
        page.folded(_head(page, finding))
    if rest:
        page.line()


def _head(page: Page, finding: Finding) -> Text:
    title = page.text(f"  {finding.arch}: {finding.title}", "bold")
    return Text.assemble(page.marked(finding.verdict), title)


def _print_in_full(page: Page, finding: Finding, folder: Path) -> None:
    page.folded(_head(page, finding))
    if finding.reason:
        page.folded(page.text(excerpt.cut_line(finding.reason, MOST_REASON)), INDENT)
    for name, value in finding.facts:
        page.folded(page.text(f"{name}: {value}"), INDENT)
    if finding.log:
        page.line(f"{INDENT}log: {finding.place}")
    for _, line in finding.quote(folder):
        page.line(f"{INDENT}| {line}".rstrip(), "dim")
    if finding.command:
        page.line(f"{INDENT}$ {finding.command}")
