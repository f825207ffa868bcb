# SPDX-License-Identifier: GPL-2.0-only
"""Writes the reports of a folder, and prints its outcome: one row for each kind of folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.commands.results_store import remember
from harness.core.errors import InfrastructureError, UsageError
from harness.core.workspace import Workspace
from harness.engine.run_folder import forget_unreported
from results.bisect.report import assemble_bisection
from results.configs.conclude import assemble_configs
from results.journal.assemble import assemble
from results.journal.journal import (
    JOURNAL,
    JournalError,
    contradictions_told,
    damaged_lines,
    folder_kind,
    read_events,
)
from results.model.bisect import Bisection
from results.model.document import DOCUMENTS, FolderKind, Outcome, ResultsError, kind_of, to_json
from results.model.run import Run, Verdict
from results.model.walk import Walk
from results.reports.ci.junit import to_junit
from results.reports.content.finding import PAGES
from results.reports.html.run import render_findings, render_html
from results.reports.html.walk import render_walk
from results.reports.mail.bisect import mails
from results.reports.terminal.bisect import print_bisection
from results.reports.terminal.configs import print_configs
from results.reports.terminal.rerun import print_rerun
from results.reports.terminal.run import print_run
from results.reports.terminal.walk import print_walk
from results.rerun.rerun import assemble_rerun
from results.walk.walk import assemble_walk

_SEARCHES_READ = 20
"""Latest walks, and as many bisections, that may explain a finding."""


@dataclass(frozen=True, slots=True)
class FolderReports:
    """How the folders of one kind are read and reported; their documents are `DOCUMENTS`."""

    assemble: Callable[[Path], Outcome]
    print: Callable[[Any, Console, Path], None]
    files: Mapping[str, Callable[[Any, Path], str]] = field(default_factory=dict)
    """File name → its text, beside the document."""
    pages: Callable[[Any, Path], Mapping[str, str]] | None = None
    """File name → text of the pages of its findings, which have a folder of their own."""


REPORTS: Mapping[FolderKind, FolderReports] = {
    FolderKind.RUN: FolderReports(
        assemble,
        print_run,
        {"report.html": render_html, "junit.xml": lambda run, _: to_junit(run)},
        render_findings,
    ),
    FolderKind.WALK: FolderReports(assemble_walk, print_walk, {"walk.html": render_walk}),
    FolderKind.BISECT: FolderReports(
        assemble_bisection, print_bisection, {"bisect.txt": lambda bisection, _: mails(bisection)}
    ),
    FolderKind.RERUN: FolderReports(assemble_rerun, print_rerun),
    FolderKind.CONFIG: FolderReports(assemble_configs, print_configs),
}


def write_reports(outcome: Outcome, folder: Path) -> None:
    """Write the JSON document and all reports of an outcome into its folder.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    kind = kind_of(outcome)
    reports = REPORTS[kind]
    texts = {name: render(outcome, folder) for name, render in reports.files.items()}
    texts[DOCUMENTS[kind].file] = to_json(outcome)
    pages = reports.pages(outcome, folder) if reports.pages else {}
    try:
        _replace_all(pages, folder / PAGES)
        _write_all(texts, folder)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or folder}: {error.strerror}") from None


def _replace_all(pages: Mapping[str, str], folder: Path) -> None:
    """Write pages, and take away those of an earlier report."""
    if pages:
        folder.mkdir(exist_ok=True)
    _write_all(pages, folder)
    for old in folder.glob("*.html"):
        if old.name not in pages:
            old.unlink()


def _write_all(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        draft = folder / f".{name}.new"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)


def informed(run: Run, workspace: Workspace) -> Run:
    """Add the first bad patches that walks and bisections of the series found to a run."""
    if run.verdict is Verdict.UNCHANGED:
        return run
    from results.reports.content.introduced import introductions

    return replace(run, introduced=introductions(run, _searches(workspace)))


def _searches(workspace: Workspace) -> list[Walk | Bisection]:
    """Read the latest walks and bisections, the latest first."""
    from results.store.folder import read_document

    found: list[Walk | Bisection] = []
    for folder in _latest(workspace.home(FolderKind.BISECT)):
        with suppress(OSError, ResultsError):
            found.append(read_document(Bisection, folder))
    for folder in _latest(workspace.home(FolderKind.WALK)):
        with suppress(OSError, ResultsError):
            found.append(read_document(Walk, folder))
    return sorted(found, key=lambda search: search.started, reverse=True)


def _latest(home: Path) -> list[Path]:
    return sorted(home.glob("*"), reverse=True)[:_SEARCHES_READ]


def print_outcome(outcome: Outcome, folder: Path, as_json: bool, console: Console) -> int:
    """Print for people, or the JSON document with `run_dir` in addition; returns the exit status."""
    if as_json:
        print(json.dumps({**json.loads(to_json(outcome)), "run_dir": str(folder)}, indent=2))
    else:
        REPORTS[kind_of(outcome)].print(outcome, console, folder)
    return outcome.exit_code


def keep(outcome: Outcome, folder: Path, workspace: Workspace, log: Callable[[str], None]) -> Outcome:
    """Write the reports of a folder, and import it into the store of results.

    Returns the outcome with what earlier walks and bisections explain of it.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    if isinstance(outcome, Run):
        outcome = informed(outcome, workspace)
    write_reports(outcome, folder)
    remember(folder, workspace, log)
    forget_unreported(folder)
    return outcome


def report_again(
    folder: Path, workspace: Workspace, as_json: bool, console: Console, log: Callable[[str], None]
) -> int:
    """Make the reports of a folder from its facts and logs, and print them; returns the exit status.

    Raises:
        UsageError: if the folder is none of this program.
        InfrastructureError: if the folder can't be written.
    """
    try:
        damaged = damaged_lines(folder)
        with contradictions_told(folder):
            outcome = REPORTS[folder_kind(read_events(folder))].assemble(folder)
            if isinstance(outcome, Run):
                outcome = informed(outcome, workspace)
            write_reports(outcome, folder)
    except JournalError as error:
        raise UsageError(str(error)) from None
    for number in damaged:
        log(f"{folder / JOURNAL}:{number}: damaged, does not count")
    return print_outcome(outcome, folder, as_json, console)
