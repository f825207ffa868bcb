# SPDX-License-Identifier: GPL-2.0-only
"""A run as one HTML file that needs nothing else: no network, no scripts it can't do without."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment

from results.compare.reached import words as reached
from results.model.run import SEVERITY, ArchComparison, Boot, LineRange, Run, Status, TestComparison, Verdict
from results.reports.content import build_facts, excerpt, lookup, measured, wording
from results.reports.content.excerpt import NumberedLines
from results.reports.content.finding import PAGES, by_page
from results.reports.content.findings import findings
from results.reports.content.folds import folds, notable, was_booted
from results.reports.content.tiles import tiles
from results.reports.html.bars import bars
from results.reports.html.timeline import timeline
from results.reports.html.web_page import page_values, slug, strict_environment

_OUTPUT_LINES_GREEN = 12
_OUTPUT_LINES = 80
_LOG_LINES = 60
_TAIL_LINES = 30
_SHORT_COMMAND = 90
"""Characters up to which a command stays on one line."""


def render_html(run: Run, run_dir: Path) -> str:
    """Render the report page of a run, to be saved in its run folder: links to logs are relative."""
    found = findings(run)
    return render_page(
        "report.html", ("report.css", "reached.css"), Logs(run_dir), run=run, findings=found,
        folds=folds(run), pages=by_page(found),
    )  # fmt: skip


def render_findings(run: Run, run_dir: Path) -> dict[str, str]:
    """Render the page of each finding, by its name in the folder `PAGES` of the run folder."""
    logs = Logs(run_dir, "../")
    return {
        f"{name}.html": render_page("finding.html", ("report.css",), logs, run=run, findings=found)
        for name, found in by_page(findings(run)).items()
    }


def render_page(template: str, styles: Sequence[str], logs: Logs, **values: object) -> str:
    """Render a page that has the logs of a folder at hand, and needs nothing else."""
    environment = _environment()
    parts = page_values(environment, styles, ("arrows.js", "report.js"))
    return environment.get_template(template).render(**values, **parts, logs=logs)


class Logs:
    """The logs of a run folder, read when the page needs some lines of them."""

    def __init__(self, run_dir: Path, root: str = "") -> None:
        self._run_dir = run_dir
        self.root = root
        """Relative address of the run folder, as seen from the page."""

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._run_dir

    def link(self, log: str) -> str | None:
        """Return a relative address of a log that is there."""
        return self.root + quote(log) if excerpt.exists(self._run_dir, log) else None

    def lines(self, boot: Boot | None, lines: LineRange | None) -> NumberedLines | None:
        """Read some lines of a boot's console."""
        if boot is None or lines is None:
            return None
        return self.part(boot.log, lines)

    def part(self, log: str, lines: LineRange) -> NumberedLines | None:
        """Read some lines of a log."""
        return excerpt.read_lines(self._run_dir, log, lines, _LOG_LINES)

    def tail(self, log: str) -> NumberedLines | None:
        """Read the last lines of a log."""
        return excerpt.read_tail(self._run_dir, log, _TAIL_LINES)


@cache
def _environment() -> Environment:
    environment = strict_environment("results.reports.html")
    environment.globals.update(
        wording=wording,
        lookup=lookup,
        measured=measured,
        reached=reached,
        notable=notable,
        tiles=tiles,
        was_booted=was_booted,
        build_rows=build_facts.build_rows,
        probe_rows=build_facts.probe_rows,
        identical_images=build_facts.identical_images,
        anchor=_anchor,
        command_lines=_command_lines,
        output_lines=_output_lines,
        log_judges=_log_judges,
        by_suite=_by_suite,
        worst_first=_worst_first,
        PAGES=PAGES,
        bars=bars,
        timeline=timeline,
        UNCHANGED=Verdict.UNCHANGED,
    )
    return environment


def _anchor(*names: str) -> str:
    return "--".join(map(slug, names))


def _command_lines(command: Sequence[str]) -> list[str]:
    """Break a command line before its options, so that it can be read and still be pasted."""
    whole = shlex.join(command)
    if len(whole) <= _SHORT_COMMAND:
        return [whole]
    lines: list[list[str]] = [[]]
    for word in command:
        if word.startswith("-") and lines[-1]:
            lines.append([])
        lines[-1].append(word)
    return " \\\n    ".join(map(shlex.join, lines)).split("\n")


def _output_lines(test: TestComparison, output: Sequence[str]) -> tuple[str, ...]:
    green = test.verdict is Verdict.UNCHANGED
    return excerpt.shorten(output, _OUTPUT_LINES_GREEN if green else _OUTPUT_LINES)


def _log_judges(test: TestComparison, status: Status) -> bool:
    """Whether a reader needs the console itself, beyond the test's own output."""
    return status in (Status.FAIL, Status.ERROR, Status.MISS) and test.verdict is not Verdict.UNCHANGED


def _by_suite(tests: Sequence[TestComparison]) -> list[tuple[str, list[tuple[str, TestComparison]]]]:
    """Group tests by their suite, each with its short name, in the plan's order."""
    suites: dict[str, list[tuple[str, TestComparison]]] = {}
    for test in tests:
        suite, _, case = test.name.rpartition(".")
        suites.setdefault(suite, []).append((case, test))
    return list(suites.items())


def _worst_first(arch: ArchComparison) -> list[TestComparison]:
    """Return the tests that need a reader's attention."""
    told = [test for test in arch.tests if test.verdict is not Verdict.UNCHANGED]
    return sorted(told, key=lambda test: -SEVERITY[test.verdict])
