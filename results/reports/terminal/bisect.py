# SPDX-License-Identifier: GPL-2.0-only
"""A bisection as text: the commits tested on each architecture, and the result."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from results.bisect.report import name_of
from results.model.bisect import ArchBisection, Bisection, CommitResult, Mark
from results.model.run import Verdict
from results.reports.content import wording
from results.reports.content.search_findings import bisection_findings
from results.reports.terminal.findings import print_findings
from results.reports.terminal.page import STYLES, Page
from results.reports.terminal.run import print_subject

_LOOKS = {
    Mark.GOOD: STYLES[Verdict.UNCHANGED],
    Mark.BAD: STYLES[Verdict.REGRESSION],
    Mark.SKIP: STYLES[Verdict.NOT_EXERCISED],
}
EXIT_MEANINGS = {
    0: "the commit is found",
    2: "the good commit is bad, or the bad commit is good",
    3: "inconclusive",
}


def print_bisection(bisection: Bisection, console: Console, folder: Path) -> None:
    """Print what a bisection found; the last line is `Bisection folder: PATH`."""
    page = Page(console)
    for arch in bisection.arches:
        _print_arch(page, arch)
    print_findings(page, bisection_findings(bisection), folder)
    print_subject(page, bisection.subject)
    page.line(f"looked for: {bisection.until}, with a confidence of {bisection.confidence:g}")
    page.line()
    if not bisection.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('bisection')}.", "bold yellow")
    page.line(bisection.headline, "bold")
    page.line(f"Exit code {bisection.exit_code}: {EXIT_MEANINGS.get(bisection.exit_code, 'unknown')}")
    page.line(f"Bisection folder: {folder}")


def _print_arch(page: Page, arch: ArchBisection) -> None:
    table = page.table(arch.arch, "", "because", "commit")
    table.columns[-1].overflow = "ellipsis"
    for look in arch.looks:
        table.add_row(
            page.text(name_of(look.commit)),
            page.text(str(look.mark or ""), _LOOKS[look.mark] if look.mark else ""),
            page.text(_because(look)),
            page.text(look.commit.subject),
        )
    if arch.looks:
        page.show(table)
    page.line(f"{arch.arch}: {arch.words}", "bold")
    page.line()
    for line in arch.git_log.splitlines():
        page.line(f"  {line}")
    page.line()


def _because(look: CommitResult) -> str:
    same = f", booted as {look.same_as}" if look.same_as else ""
    return look.words.removeprefix(f"{look.mark}: ") + same
