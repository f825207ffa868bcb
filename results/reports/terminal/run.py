# SPDX-License-Identifier: GPL-2.0-only
"""A run as text: tables on a terminal, plain aligned lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.model.run import (
    SEVERITY,
    ArchComparison,
    BootEnd,
    Run,
    Status,
    Subject,
    Tally,
    TestComparison,
    Verdict,
)
from results.reports.content import lookup, wording
from results.reports.terminal.measured import print_measured
from results.reports.terminal.page import INDENT, STYLES, Note, Page
from results.text import abbrev

_LONGEST_NAME = 32
"""Columns that a test's name may claim before the counters; a longer one is folded."""


def print_run(run: Run, console: Console, run_dir: Path) -> None:
    """Print what a run found; the last line is `Run folder: PATH`."""
    page = Page(console)
    _print_matrix(page, run)
    for arch in run.arches:
        _print_tests(page, run, arch)
        _print_claims(page, arch)
        print_measured(page, arch)
        _print_details(page, run, arch)
    print_subject(page, run.subject)
    _print_headline(page, run)
    page.line(f"Run folder: {run_dir}")


def _print_matrix(page: Page, run: Run) -> None:
    table = page.table("arch", "base", "series", "verdict")
    for arch in run.arches:
        cells = [lookup.cell_of(run, arch.arch, variant) for variant in ("base", "series")]
        table.add_row(
            page.text(arch.arch, "bold"),
            page.text(wording.kernel_summary(arch, "base", cells[0])),
            page.text(wording.kernel_summary(arch, "series", cells[1])),
            page.marked(arch.verdict),
        )
    page.show(table)


def _print_tests(page: Page, run: Run, arch: ArchComparison) -> None:
    """Print a line per test under a line per suite: whole names leave no room for counters."""
    if not arch.tests:
        return
    width = max(len(test.name.rpartition(".")[2]) for test in arch.tests) + len(INDENT)
    headers = (arch.arch, "base", "series", "verdict", "moved: base | series")
    table = page.table(*headers, first_width=min(width, _LONGEST_NAME))
    seen = ""
    for test in arch.tests:
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


def _print_claims(page: Page, arch: ArchComparison) -> None:
    if not arch.claims:
        return
    table = page.table("claim", "claimed: base | series", "seen: base | series", "verdict")
    for item in arch.claims:
        table.add_row(
            page.text(item.claim.counter),
            page.text(f"{item.claim.base} | {item.claim.series}"),
            page.text(f"{item.base_seen} | {item.series_seen}"),
            page.marked(item.verdict),
        )
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
    words = [f"{pair.name} {wording.change(pair.base)} | {wording.change(pair.series)}" for pair in pairs]
    return Text("\n").join(page.text(line) for line in words)


def _print_details(page: Page, run: Run, arch: ArchComparison) -> None:
    findings = [
        *_arch_findings(arch),
        *_test_findings(run, arch),
        *_claim_findings(arch),
        *_splat_findings(run, arch),
        *_warning_findings(arch),
        *_kernel_findings(run, arch),
    ]
    if not findings:
        return
    page.line(arch.arch, "bold")
    for finding in findings:
        page.finding(finding)
    page.line()


def _arch_findings(arch: ArchComparison) -> Iterator[Note]:
    if arch.allowed_unexercised:
        yield Note("Not everything need be exercised here: --allow-unexercised", Verdict.UNSUPPORTED)
    for note in arch.notes:
        yield Note(note, None)
    if arch.verdict is not Verdict.UNCHANGED:
        of_tests = tuple(f"{test.name} " for test in arch.tests)  # told with the tests
        for reason in arch.reasons:
            if not reason.startswith(of_tests):
                yield Note(reason, None)


def _test_findings(run: Run, arch: ArchComparison) -> Iterator[Note]:
    told = [test for test in arch.tests if test.verdict is not Verdict.UNCHANGED]
    told.sort(key=lambda test: (-SEVERITY[test.verdict], test.reason, _known(test)))
    for (verdict, reason, known), group in groupby(told, key=_what_is_said):
        tests = list(group)
        failed = [test for test in tests if _failures(run, test)]
        for test in failed:
            yield Note(test.name, verdict, (reason, known, *_failures(run, test)))
        idle = [test.name for test in tests if test not in failed]
        if idle:
            head = idle[0] if len(idle) == 1 else wording.count(len(idle), "test")
            yield Note(head, verdict, (reason, known))


def _what_is_said(test: TestComparison) -> tuple[Verdict, str, str]:
    return test.verdict, test.reason, _known(test)


def _known(test: TestComparison) -> str:
    if test.known_failure:
        return f"known failure: {test.known_failure}"
    return f"known gap: {test.known_gap}" if test.known_gap else ""


def _failures(run: Run, test: TestComparison) -> list[str]:
    """Say of each kernel on which a test went wrong why, and where to read it."""
    lines = []
    for variant, tally in (("base", test.base), ("series", test.series)):
        if tally.status in (Status.FAIL, Status.ERROR, Status.MISS):
            why = "" if tally.reason in test.reason else f" {tally.reason}"
            lines.append(f"{variant}: {tally.status}{why} {_place(run, tally)}")
    return lines


def _place(run: Run, tally: Tally) -> str:
    boot = lookup.boot_of(run, tally.boot)
    return wording.place(boot.log, tally.lines) if boot else ""


def _claim_findings(arch: ArchComparison) -> Iterator[Note]:
    for item in arch.claims:
        if item.verdict is not Verdict.UNCHANGED:
            yield Note(f"claim: {item.claim.counter}", item.verdict, (item.reason,))


def _splat_findings(run: Run, arch: ArchComparison) -> Iterator[Note]:
    for splat in arch.splats:
        places = (wording.place(boot.log, found.lines) for boot, found in lookup.sightings(run, splat))
        yield Note(f"splat: {splat.title}", splat.verdict, tuple(places))


def _warning_findings(arch: ArchComparison) -> Iterator[Note]:
    for warning in arch.new_warnings:
        yield Note(f"new warning: {warning.file}:{warning.line}: {warning.text}", None)


def _kernel_findings(run: Run, arch: ArchComparison) -> Iterator[Note]:
    for cell in (cell for cell in run.cells if cell.arch == arch.arch):
        if cell.build and not cell.build.ok:
            mark = Verdict.INFRASTRUCTURE if cell.build.error_is_infrastructure else Status.FAIL
            lines = (*cell.build.error.splitlines(), cell.build.log)
            yield Note(f"build of {cell.variant}", mark, lines)
        for boot in cell.boots:
            if boot.end is not BootEnd.DONE:
                mark = Status.ERROR if boot.end.is_kernels else Verdict.INFRASTRUCTURE
                yield Note(f"boot {boot.id} ({boot.purpose}): {boot.end}", mark, (boot.detail, boot.log))
    yield from _notes(run, arch)


def _notes(run: Run, arch: ArchComparison) -> Iterator[Note]:
    """Tell every note once, with the boots that it is about."""
    boots = [boot for cell in run.cells if cell.arch == arch.arch for boot in cell.boots]
    for note in dict.fromkeys(note for boot in boots for note in boot.notes):
        about = [boot.id for boot in boots if note in boot.notes]
        which = "all boots" if len(about) == len(boots) else ", ".join(about)
        yield Note(f"{which}: {note}", None)


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
