# SPDX-License-Identifier: GPL-2.0-only
"""Writes the dashboard: a folder of pages without dependencies."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from results.compare.measures.permutation import p_in_words
from results.dashboard import charts, wordings
from results.dashboard.history import DashboardData, Line, Row, outcome_of_row, read_history
from results.dashboard.logs import log_page
from results.dashboard.machines import machines
from results.dashboard.nights import FindingHistory, NightReport, histories_of, report_of
from results.model.bisect import Bisection
from results.model.document import FolderKind, ResultsError
from results.model.walk import PatchResult, Walk
from results.reports.content import excerpt, walk_words, wording
from results.reports.content.finding import Finding, FindingKind
from results.reports.html.web_page import page_values, strict_environment
from results.store.folder import read_document
from results.store.store import Store
from results.store.trends import Change, Night, step_in_words
from results.text import quantity
from results.walk.verdict import own_faults

MARKER = ".thp-harness-dashboard"
"""A folder with this file is ours to write into, and to take old pages from."""
DEFAULT_NIGHTS = 60
STYLES, SCRIPTS = ("report.css", "walk.css", "dashboard.css"), ("arrows.js", "dashboard.js")
PAGES = ("runs", "tests", "numbers", "measurements", "splats", "flakes", "searches", "machines", "compare")
"""Beside the overview, and the pages of each run, each test and each finding."""
_SUBFOLDERS = ("run", "test", "finding", "log")


class SiteError(Exception):
    """The pages can't be written there; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotOursError(SiteError):
    """The folder has other files: the caller must choose another one."""


@dataclass(frozen=True, slots=True)
class Built:
    """What was written."""

    folder: str
    pages: int
    logs: int
    runs: int
    """Shown, of those in the store."""
    stored_runs: int
    first_page_bytes: int
    page_seconds: float
    """To read the store and write the slowest of the pages."""


def build_site(store: Store, out: Path, nights: int = DEFAULT_NIGHTS) -> Built:
    """Write all pages, in place of those of an earlier build.

    Raises:
        SiteError: if the folder has other files, or can't be written.
        StoreError: if the store can't be read.
    """
    began = monotonic()
    history = read_history(store, nights)
    read = monotonic() - began
    try:
        _claim(out)
        site = _Site(history, out)
        built = site.write()
        return replace(built, page_seconds=round(read + site.slowest, 3))
    except OSError as error:
        raise SiteError(f"{error.filename or out}: {error.strerror}", "Choose another folder.") from None


def _claim(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise NotOursError(f"{out} is not a folder", "Choose another one.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).exists():
        raise NotOursError(
            f"{out} has other files", "Choose an empty folder, or one of an earlier dashboard."
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("Made by `thp-harness dashboard build`, which removes what is old in here.\n")
    for name in _SUBFOLDERS:
        (out / name).mkdir(exist_ok=True)


def address(*words: str) -> str:
    """A file name for some words, with the first in it, that no name of a run or a test can misuse."""
    name = " ".join(words)
    readable = re.sub(r"[^A-Za-z0-9_+-]+", "-", words[0]).strip("-")[:80]
    return f"{readable}.{sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


@dataclass
class _Site:
    """One build."""

    history: DashboardData
    out: Path
    written: set[Path] = field(default_factory=set)
    wanted: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    """Lines that pages point at, by run and log."""
    slowest: float = 0.0
    """Seconds of the page that took longest."""

    def __post_init__(self) -> None:
        self.runs: dict[int, Row] = {
            key: row for line in self.history.lines for key, row in line.runs.items()
        }
        self.runs |= {row.id: row for row, _ in self.history.findings}
        self._there: dict[tuple[int, str], bool] = {}
        self._reports = {
            night.key: report_of(line, night, self.history.findings)
            for line in self.history.lines
            for night in line.nights
        }
        self._histories = {
            (line.tree, line.series): histories_of(line, self._reports) for line in self.history.lines
        }
        self.environment = environment()
        self.values = page_values(self.environment, STYLES, SCRIPTS)

    def write(self) -> Built:
        """Write everything, then take away what an earlier build has left."""
        first = self._page("index.html", "overview.html")
        for name in PAGES:
            self._page(f"{name}.html", f"{name}.html", states=self._states() if name == "compare" else "")
        for line in self.history.lines:
            for night in line.nights:
                self._page(self.run_page(night.key), "run.html", line=line, night=night)
            for name in line.names:
                self._page(self.test_page(line, name), "test.html", line=line, name=name)
            for page, seen in self.histories(line).items():
                self._page(self._finding_page(line, page), "finding_nights.html", line=line, seen=seen)
        pages = len(self.written)
        self._write_logs()
        self._sweep()
        shown = sum(len(line.nights) for line in self.history.lines)
        logs = len(self.written) - pages
        return Built(str(self.out), pages, logs, shown, self.history.runs, first, 0.0)

    # Addresses, as seen from the top of the site

    def run_page(self, key: int) -> str:
        """The page of a run."""
        return f"run/{address(self.runs[key].name, self.runs[key].identity)}.html"

    def test_page(self, line: Line, name: str) -> str:
        """The page of a test's history."""
        return f"test/{address(name, line.tree, line.series)}.html"

    def log_line(self, key: int, log: str, line: int | None) -> str:
        """The page of a log at a line; empty if the log is not there any more."""
        if not log or key not in self.runs:
            return ""
        if (key, log) not in self._there:
            self._there[key, log] = excerpt.exists(Path(self.runs[key].path), log)
        if not self._there[key, log]:
            return ""
        lines = self.wanted.setdefault((key, log), set())
        if line:
            lines.add(line)
        return f"{self._log_page(key, log)}{f'#L{line}' if line else ''}"

    def report_of(self, night: Night) -> NightReport:
        """Return the findings of a night."""
        return self._reports[night.key]

    def histories(self, line: Line) -> dict[str, FindingHistory]:
        """Return the findings of all nights that have a page, those seen last first."""
        return self._histories[line.tree, line.series]

    def finding_page(self, line: Line, finding: Finding) -> str:
        """The page of a finding, at its architecture; empty if it has none."""
        if finding.page not in self.histories(line):
            return ""
        return f"{self._finding_page(line, finding.page)}#{finding.address}"

    def _finding_page(self, line: Line, page: str) -> str:
        return f"finding/{address(page, line.tree, line.series)}.html"

    def new_findings(self, line: Line) -> list[Finding]:
        """Return the findings of the last night, other than tests, that the night before did not have."""
        before = line.previous(line.last)
        known = {one.address for one in self.report_of(before).found} if before else set()
        found = self.report_of(line.last).found
        return [one for one in found if one.address not in known and one.kind is not FindingKind.TEST]

    def finding_line(self, key: int, finding: Finding) -> str:
        """The page of the log of a finding, at its first line."""
        return self.log_line(key, finding.log, finding.lines.first if finding.lines else None)

    def document_of(self, folder: Row) -> Walk | Bisection | None:
        """A walk or bisection with its patches, if its folder is still there."""
        with suppress(OSError, ResultsError):
            if folder.kind == FolderKind.WALK:
                return read_document(Walk, Path(folder.path))
            if folder.kind == FolderKind.BISECT:
                return read_document(Bisection, Path(folder.path))
        return None

    def step_line(self, key: int, step: PatchResult) -> str:
        """Where to read what a patch did on an architecture: its own fault, else its boot, else its build."""
        for fault in own_faults(step):
            if fault.log:
                return self.log_line(key, fault.log, fault.lines.first if fault.lines else None)
        if step.boots:
            return self.log_line(key, step.boots[-1].log, None)
        return self.log_line(key, step.build.log, None) if step.build else ""

    def _log_page(self, key: int, log: str) -> str:
        return f"log/{address(log, self.runs[key].identity)}.html"

    def _page(self, path: str, template: str, **values: Any) -> int:
        began, root = monotonic(), "../" * path.count("/")
        text = self.environment.get_template(template).render(
            **values,
            site=self,
            history=self.history,
            root=root,
            here=path,
            **self.values,
        )
        size = self._save(path, text)
        self.slowest = max(self.slowest, monotonic() - began)
        return size

    def _save(self, path: str, text: str) -> int:
        target = self.out / path
        content = text.encode("utf-8", "backslashreplace")
        draft = target.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(target)
        self.written.add(target)
        return len(content)

    def _write_logs(self) -> None:
        for (key, log), lines in self.wanted.items():
            run, target = self.runs[key], self.out / self._log_page(key, log)
            back = f"../{self.run_page(key)}"
            try:
                text = log_page(Path(run.path), log, f"{run.name}: {log}", quote(back), lines)
            except OSError as error:
                text = f"<!DOCTYPE html><title>log</title><p>The log can't be read: {error.strerror}"
            self._save(str(target.relative_to(self.out)), text)

    def _sweep(self) -> None:
        for name in _SUBFOLDERS:
            for old in (self.out / name).glob("*.html"):
                if old not in self.written:
                    old.unlink()

    def _states(self) -> Markup:
        """Every test of every run in one letter: what the page that compares any two runs is made from."""
        runs = []
        for line in self.history.lines:
            for night in reversed(line.nights):
                states = [
                    wordings.LETTERS[outcome_of_row(rows[night.key])] if night.key in rows else " "
                    for rows in line.tests.values()
                ]
                runs.append(
                    {
                        "name": night.name,
                        "page": self.run_page(night.key),
                        "line": self.history.lines.index(line),
                        "states": "".join(states),
                    }
                )
        tests = [
            [[name, arch, self.test_page(line, name)] for name, arch in line.tests]
            for line in self.history.lines
        ]
        words = {
            letter: [str(outcome), wordings.SIGNS[outcome]] for outcome, letter in wordings.LETTERS.items()
        }
        document = json.dumps({"runs": runs, "tests": tests, "words": words})
        return Markup(document.replace("<", "\\u003c"))  # so that no name ends the script element


@cache
def environment() -> Environment:
    """What all pages are made with: strict, and harmless whatever is shown."""
    made = strict_environment("results.dashboard", "results.reports.html")
    made.globals.update(
        wording=wording,
        words=wordings,
        walk_words=walk_words,
        charts=charts,
        machines=machines,
        quantity=quantity,
        p_in_words=p_in_words,
        step_in_words=step_in_words,
        outcome_of_row=outcome_of_row,
        Change=Change,
    )
    return made
