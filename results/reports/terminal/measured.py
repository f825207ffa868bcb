# SPDX-License-Identifier: GPL-2.0-only
"""What tests measure, on a terminal: a table for each measure, and its conclusions."""

from __future__ import annotations

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
            page.line(INDENT + section.summary)
        for note in section.notes:
            page.line(INDENT + note, STYLES[Verdict.UNSUPPORTED])
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
        page.line(INDENT * 3 + item.reason)


def _print_judged(page: Page, verdict: Verdict, words: str) -> None:
    page.console.print(page.text(INDENT) + page.marked(verdict) + page.text(f"  {words}"), soft_wrap=True)
