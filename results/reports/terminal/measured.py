# SPDX-License-Identifier: GPL-2.0-only
"""What tests measure, on a terminal: a table for each measure, and its conclusions."""

from __future__ import annotations

from rich.text import Text

from results.model.run import ArchComparison, Measurement, Verdict
from results.reports.content.measured import MeasuredSection, pair, sections
from results.reports.terminal.page import INDENT, STYLES, Page


def print_measured(page: Page, arch: ArchComparison) -> None:
    """Print what tests measured; nothing where they measured nothing."""
    for section in sections(arch):
        if section.measure.narrow and section.rows:
            _print_table(page, section)
        else:
            page.line(section.measure.title.lower(), "bold")
        for item in () if section.measure.short_conclusion else section.rows:
            _print_conclusion(page, item)
        for group in section.idle:
            names = ", ".join(item.subject for item in group)
            _print_judged(page, group[0].verdict, f"{names}: {group[0].conclusion or group[0].reason}")
        if section.summary:
            page.folded(page.text(section.summary), INDENT)
        for note in section.notes:
            page.folded(page.text(note, STYLES[Verdict.UNSUPPORTED]), INDENT)
        page.line()


def _print_table(page: Page, section: MeasuredSection) -> None:
    measure = section.measure
    judged = not any(item.conclusion for item in section.rows)
    last = ["verdict"] if judged else ["difference"] if measure.short_conclusion else []
    table = page.table(measure.title.lower(), *measure.narrow, *last)
    for item in section.rows:
        ends = page.marked(item.verdict) if judged else page.text(item.conclusion)
        words = map(page.text, (INDENT + item.subject, *(pair(item, name) for name in measure.narrow)))
        table.add_row(*words, *([ends] if last else []))
    page.show(table)


def _print_conclusion(page: Page, item: Measurement) -> None:
    if item.conclusion:
        _print_judged(page, item.verdict, f"{item.subject}: {item.conclusion}")
    if item.verdict is not Verdict.UNCHANGED and item.reason not in item.conclusion and item.conclusion:
        page.folded(page.text(item.reason), INDENT * 3)


def _print_judged(page: Page, verdict: Verdict, words: str) -> None:
    """Print a conclusion; `unchanged` is the verdict of no rule, so it is not said beside a difference."""
    mark = Text() if verdict is Verdict.UNCHANGED else page.marked(verdict) + Text("  ")
    page.folded(mark + page.text(words), INDENT)
