# SPDX-License-Identifier: GPL-2.0-only
"""The fault sweep, page-table costs, timings and fork storms on a terminal: a line for each."""

from __future__ import annotations

from results.model.run import ArchComparison, Verdict
from results.reports.content import numbers, storms
from results.reports.terminal.page import INDENT, STYLES, Page


def print_numbers(page: Page, arch: ArchComparison) -> None:
    """Print what guest tests measured; nothing where they measured nothing."""
    _print_sweeps(page, arch)
    _print_costs(page, arch)
    _print_timings(page, arch)
    _print_storms(page, arch)


def _print_sweeps(page: Page, arch: ArchComparison) -> None:
    if not arch.sweeps:
        return
    table = page.table("fault sweep", "n", "failed", "failed splits handled", "verdict")
    for sweep in numbers.with_rows(arch.sweeps):
        base, series = sweep.base, sweep.series
        table.add_row(
            page.text(INDENT + sweep.operation),
            page.text(f"{len(base.rows)} | {len(series.rows)}"),
            page.text(f"{numbers.fired(base)} | {numbers.fired(series)}"),
            page.text(f"{numbers.handled(base)} | {numbers.handled(series)}"),
            page.marked(sweep.verdict),
        )
    page.show(table)
    for idle in numbers.without_rows(arch.sweeps):
        _line(page, idle.sweeps[0].verdict, f"{idle.names}: {idle.sweeps[0].reason}")
    for words in (numbers.split_summary(arch.sweeps), *numbers.left_out(arch.sweeps)):
        if words:
            page.line(INDENT + words)
    page.line()


def _print_costs(page: Page, arch: ArchComparison) -> None:
    for cost in arch.costs:
        page.line("page-table cost", "bold")
        if cost.summary:
            page.line(INDENT + cost.summary)
        if cost.verdict is not Verdict.UNCHANGED:
            _line(page, cost.verdict, cost.reason)
        page.line()


def _print_timings(page: Page, arch: ArchComparison) -> None:
    if not arch.timings:
        return
    table = page.table("timing", "median: base | series", "spread", "difference")
    for timing in arch.timings:
        kernels = (timing.base, timing.series)
        table.add_row(
            page.text(INDENT + timing.what),
            page.text(" | ".join(map(numbers.middle, kernels))),
            page.text(" | ".join(map(numbers.spread, kernels))),
            page.text(timing.conclusion),
        )
    page.show(table)
    for note in dict.fromkeys(timing.note for timing in arch.timings if timing.note):
        page.line(INDENT + note, STYLES[Verdict.UNSUPPORTED])
    page.line()


def _print_storms(page: Page, arch: ArchComparison) -> None:
    if not arch.storms:
        return
    table = page.table("fork storm", *(column.head for column in storms.NARROW))
    for item in arch.storms:
        cells = [column.both(item) for column in storms.NARROW]
        table.add_row(*map(page.text, (INDENT + storms.short_step(item), *cells)))
    page.show(table)
    for item in arch.storms:
        _line(page, item.verdict, f"{storms.step(item)}: {item.conclusion}")
    for note in dict.fromkeys(item.note for item in arch.storms if item.note):
        page.line(INDENT + note, STYLES[Verdict.UNSUPPORTED])
    page.line()


def _line(page: Page, verdict: Verdict, words: str) -> None:
    page.console.print(page.text(INDENT) + page.marked(verdict) + page.text(f"  {words}"), soft_wrap=True)
