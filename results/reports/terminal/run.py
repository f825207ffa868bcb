# SPDX-License-Identifier: GPL-2.0-only
"""A run as text: tables on a terminal, plain aligned lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.model.run import ArchComparison, Run, Status, Subject, Tally, TestComparison, Verdict
from results.reports.content import lookup, wording
from results.reports.content.findings import findings
from results.reports.content.folds import arch_words, folds, was_booted
from results.reports.terminal.findings import print_findings
from results.reports.terminal.measured import print_measured
from results.reports.terminal.page import INDENT, STYLES, Page
from results.text import abbrev

_PADDING = 2
"""Columns between two columns of a table."""
_LEAST_COUNTERS = 14
"""Columns that are left to the counters: a table that is too wide would be cropped."""
_LONGEST_NAME = 32
"""Columns that a test's name may claim before the counters; a longer one is folded."""


def print_run(run: Run, console: Console, run_dir: Path) -> None:
    """Print what a run found; the last line is `Run folder: PATH`."""
    page = Page(console)
    _print_matrix(page, run)
    _print_counters(page, run)
    print_findings(page, findings(run), run_dir)
    for arch in run.arches:
        _print_tests(page, run, arch)
        _print_claims(page, run, arch)
        print_measured(page, arch)
    _print_reached(page, run)
    _print_folds(page, run)
    _print_notes(page, run)
    print_subject(page, run.subject)
    _print_headline(page, run)
    page.line(f"Run folder: {run_dir}")


def _print_matrix(page: Page, run: Run) -> None:
    table = page.table("arch", "base", "series", "verdict")
    for arch in run.arches:
        cells = lookup.cells_of(run, arch.arch)
        table.add_row(
            page.text(arch.arch, "bold"),
            *(page.text(wording.kernel_summary(arch, *cell)) for cell in cells.items()),
            page.marked(arch.verdict, arch_words(arch)),
        )
    page.show(table)


def _print_counters(page: Page, run: Run) -> None:
    """Print by how much all tests of an architecture together moved the counters that matter."""
    table = page.table("counters", "moved by all tests: base | series")
    for arch in run.arches:
        pairs = lookup.total_counters(run, arch)
        words = _moves(pairs)
        if words and was_booted(run, arch):
            table.add_row(page.text(arch.arch), page.text(", ".join(words)))
    if table.row_count:
        page.show(table)


def _print_tests(page: Page, run: Run, arch: ArchComparison) -> None:
    """Print the tests of which something is to be said, a line per test under a line per suite."""
    told = [test for test in arch.tests if test.verdict is not Verdict.UNCHANGED]
    if not told or not was_booted(run, arch):
        return
    names = max(len(test.name.rpartition(".")[2]) for test in told) + len(INDENT)
    words = [(_status(test.base), _status(test.series), f"  {test.verdict}") for test in told]
    taken = sum(max(map(len, column)) + _PADDING for column in zip(*words, strict=True)) + _PADDING
    width = min(names, _LONGEST_NAME, max(page.console.width - taken - _LEAST_COUNTERS, _LEAST_COUNTERS))
    table = page.table(arch.arch, "base", "series", "verdict", "moved: base | series", first_width=width)
    seen = ""
    for test in told:
        suite, _, case = test.name.rpartition(".")
        if suite != seen:
            table.add_row(page.text(suite, "bold"))
            seen = suite
        table.add_row(
            page.text((INDENT if suite else "") + case),
            page.text(_status(test.base), _status_style(test.base)),
            page.text(_status(test.series), _status_style(test.series)),
            page.marked(test.verdict),
            _counters(page, run, test),
        )
    page.show(table)


def _print_claims(page: Page, run: Run, arch: ArchComparison) -> None:
    if not was_booted(run, arch) or all(item.verdict is Verdict.UNCHANGED for item in arch.claims):
        return
    table = page.table("claim", "claimed: base | series", "seen: base | series", "verdict")
    for item in arch.claims:
        table.add_row(
            page.text(item.claim.counter),
            page.text(f"{item.claim.base or '–'} | {item.claim.series or '–'}"),
            page.text(f"{item.base_seen} | {item.series_seen}"),
            page.marked(item.verdict),
        )
    page.show(table)


def _print_reached(page: Page, run: Run) -> None:
    """Print how many of the changed lines ran on each architecture."""
    if run.reached is None:
        return
    table = page.table("changed lines", "ran", "only when an allocation failed", "did not run")
    for share in (kernel.share for kernel in run.reached.kernels if not kernel.error):
        never = share.lines - share.reached
        table.add_row(
            page.text(share.name),
            page.text(f"{share.reached} of {share.lines}"),
            page.text(str(share.fault_only)),
            page.text(str(never), STYLES[Verdict.NOT_EXERCISED] if never else ""),
        )
    if table.row_count:
        page.show(table)


def _status(tally: Tally) -> str:
    flaky = 0 < tally.failures < tally.runs
    return f"{tally.status} {tally.failures}/{tally.runs}" if flaky else str(tally.status)


def _status_style(tally: Tally) -> str:
    """Colour a status; a pass that was not exercised is never green."""
    idle = tally.status is Status.PASS and not tally.exercised
    return STYLES[Verdict.NOT_EXERCISED] if idle else STYLES.get(tally.status, "")


def _counters(page: Page, run: Run, test: TestComparison) -> Text:
    pairs = lookup.evidence_counters(run, test)
    words = _moves(pairs)
    return Text("\n").join(page.text(line) for line in words)


def _moves(pairs: Sequence[lookup.CounterPair]) -> list[str]:
    return [f"{pair.name} {wording.change(pair.base)} | {wording.change(pair.series)}" for pair in pairs]


def _print_folds(page: Page, run: Run) -> None:
    """Print what needs no attention or was not tested, one line each."""
    for fold in folds(run):
        mark = page.marked(fold.verdict, "") if fold.verdict else page.text(page.moved)
        page.folded(Text.assemble(mark, " ", page.text(fold.words)))
    page.line()


def _print_notes(page: Page, run: Run) -> None:
    """Print each note once, with the boots that it is about."""
    said = [f"{arch.arch}: {note}" for arch in run.arches for note in _notes(run, arch)]
    for note in said:
        page.folded(page.text(note))
    if said:
        page.line()


def _notes(run: Run, arch: ArchComparison) -> Iterator[str]:
    if arch.allowed_unexercised:
        yield "not everything need be exercised: --allow-unexercised"
    yield from arch.notes
    yield from (f"{name} is gone with the series" for name in arch.gone_tests)
    boots = [boot for cell in run.cells if cell.arch == arch.arch for boot in cell.boots]
    for note in dict.fromkeys(note for boot in boots for note in boot.notes):
        about = [boot.id for boot in boots if note in boot.notes]
        yield note if len(about) == len(boots) else f"{', '.join(about)}: {note}"


def print_subject(page: Page, subject: Subject) -> None:
    """Print what was tested, and every doubt about it."""
    page.line(f"tree    {subject.tree} {subject.tree_version}  {abbrev(subject.base_commit)}")
    for fix in subject.tree_fixes:
        page.line(f"        with our fix: {fix.subject}")
    page.line(f"series  {wording.series_name(subject)}  {abbrev(subject.series_commit)}")
    if subject.stand_in:
        page.line("        STAND-IN: not the real series, only one that takes its place", "bold yellow")
    for hunk in subject.fuzzed:
        words = f"{hunk.file} hunk {hunk.hunk} placed with fuzz {hunk.fuzz}, offset {hunk.offset}"
        page.line(f"        FUZZ: {words} ({hunk.patch})", "yellow")
    for note in subject.notes:
        page.line(f"note    {note}", "yellow")
    page.line()


def _print_headline(page: Page, run: Run) -> None:
    if not run.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('run')}.", "bold yellow")
    page.line(run.headline, STYLES[run.verdict])
    page.line(f"Exit code {run.exit_code}: {wording.EXIT_MEANINGS.get(run.exit_code, 'unknown')}")
