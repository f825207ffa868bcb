# SPDX-License-Identifier: GPL-2.0-only
"""A bisection as text: the commits tested on each architecture, and the result."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from results.bisect.report import name_of
from results.model.bisect import ArchBisection, Ballot, Bisection, CommitResult, Mark
from results.model.run import Verdict
from results.reports.content import wording
from results.reports.mail.bisect import narrowed_command
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
    print_subject(page, bisection.subject)
    page.line(f"looked for: {bisection.until}, with a confidence of {bisection.confidence:g}")
    page.line()
    if not bisection.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('bisection')}.", "bold yellow")
    page.line(bisection.headline, "bold")
    for line in _again(bisection):
        page.line(f"Again: {line}")
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
    if arch.culprit:
        page.line(f"  commit  {arch.culprit.id}")
        page.line(f"  author  {arch.culprit.author}")
        if arch.certainty is not None:
            page.line(f"  sure    to {wording.percent(arch.certainty)}, given all boots")
        for look in arch.looks:
            if look.commit in (arch.culprit, arch.before):
                _print_evidence(page, look)
    page.line()
    for line in arch.git_log.splitlines():
        page.line(f"  {line}")
    page.line()


def _because(look: CommitResult) -> str:
    same = f", booted as {look.same_as}" if look.same_as else ""
    return look.words.removeprefix(f"{look.mark}: ") + same


def _print_evidence(page: Page, look: CommitResult) -> None:
    wanted = Ballot.BAD if look.mark is Mark.BAD else Ballot.GOOD
    vote = next((vote for vote in look.votes if vote.ballot is wanted), None)
    if vote:
        place = wording.place(vote.log, vote.lines)
        page.line(f"  {look.mark}  {name_of(look.commit)}: {vote.words} ({place})")


def _again(bisection: Bisection) -> list[str]:
    """The commands that ask the same of each culprit and its parent only."""
    found = [arch for arch in bisection.arches if arch.culprit]
    return list(dict.fromkeys(narrowed_command(bisection, [arch]) for arch in found))
