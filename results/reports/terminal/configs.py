# SPDX-License-Identifier: GPL-2.0-only
"""A study of configurations as text: a row for each, then what the series brings."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rich.console import Console

from results.model.configs import ConfigResult, Configs, ConfigState, Toolchain
from results.model.run import Verdict
from results.reports.content import wording
from results.reports.content.config_findings import config_findings
from results.reports.terminal.findings import print_findings
from results.reports.terminal.page import STYLES, Page
from results.reports.terminal.run import print_subject

_LOOKS = {0: Verdict.UNCHANGED, 1: Verdict.REGRESSION, 3: Verdict.INFRASTRUCTURE}
_OF_STATE = {
    ConfigState.COMPILED: Verdict.UNCHANGED,
    ConfigState.NOTHING_NEW: Verdict.UNCHANGED,
    ConfigState.NOT_HERE: Verdict.UNSUPPORTED,
    ConfigState.BASE_FAILS: Verdict.FAILS_ON_BOTH,
    ConfigState.INFRASTRUCTURE: Verdict.INFRASTRUCTURE,
}
_EXITS = {
    0: "no new error or warning",
    1: "the series brings an error or a warning",
    3: "infrastructure failed, or nothing was compiled",
}
_MOST_LINES = 10


def print_configs(configs: Configs, console: Console, folder: Path) -> None:
    """Print what a study of configurations found; the last line is its folder."""
    page = Page(console)
    _print_table(page, configs)
    _print_reasons(page, configs)
    print_findings(page, config_findings(configs), folder)
    _print_lines(page, configs)
    for note in configs.about:
        page.folded(page.text(note))
    page.line()
    print_subject(page, configs.subject)
    if not configs.complete:
        page.line(f"INCOMPLETE: {wording.unfinished('study')}.", "bold yellow")
    page.line(configs.headline, STYLES[_LOOKS[configs.exit_code]])
    page.line(f"Exit code {configs.exit_code}: {_EXITS[configs.exit_code]}")
    page.line(f"Folder: {folder}")


def _print_table(page: Page, configs: Configs) -> None:
    """Show the configurations in which something was compiled."""
    if not (shown := [result for result in configs.configurations if result.objects]):
        return
    table = page.table("arch", "configuration", "objects", "the same", "")
    for result in shown:
        bad = any(
            (place.arch, place.toolchain, place.configuration) == (result.arch, result.toolchain, result.name)
            for new in configs.found
            for place in new.places
        )
        verdict = Verdict.REGRESSION if bad else _OF_STATE[result.state]
        words = "new errors or warnings" if bad else "nothing new" if verdict is Verdict.UNCHANGED else None
        row = (_arch(result), result.name, str(len(result.objects)), str(result.equal))
        table.add_row(*map(page.text, row), page.marked(verdict, words))
    page.show(table)


def _arch(result: ConfigResult) -> str:
    return result.arch if result.toolchain is Toolchain.GCC else f"{result.arch} ({result.toolchain})"


def _print_reasons(page: Page, configs: Configs) -> None:
    """Say why the others were not compiled, or say nothing of the series; alike ones together."""
    others = [result for result in configs.configurations if result.reason]
    others.sort(key=lambda result: (str(result.state), result.reason, result.arch))
    for (state, reason), alike in groupby(others, key=lambda result: (result.state, result.reason)):
        names = ", ".join(f"{_arch(result)}/{result.name}" for result in alike)
        page.folded(page.marked(_OF_STATE[state]) + page.text(f"  {names}: {reason}"))
    if others:
        page.line()


def _print_lines(page: Page, configs: Configs) -> None:
    reached = configs.lines - len(configs.unreached)
    page.line(f"{reached} of {wording.count(configs.lines, 'changed line')} of C compiled at least once")
    for line in configs.unreached[:_MOST_LINES]:
        page.line(f"  {line.file}:{line.line}: {line.reason}", "dim")
    if more := len(configs.unreached) - _MOST_LINES:
        page.line(f"  and {more} more", "dim") if more > 0 else None
