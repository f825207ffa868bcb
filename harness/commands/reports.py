# SPDX-License-Identifier: GPL-2.0-only
"""Writes the reports of a folder, and prints its outcome: one row for each kind of folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.commands.results_store import remember
from harness.core.errors import InfrastructureError, UsageError
from harness.core.workspace import Workspace
from harness.engine.run_folder import forget_unreported
from results.bisect.report import assemble_bisection
from results.journal.assemble import assemble
from results.journal.journal import (
    JOURNAL,
    JournalError,
    contradictions_told,
    damaged_lines,
    folder_kind,
    read_events,
)
from results.model.document import DOCUMENTS, FolderKind, Outcome, kind_of, to_json
from results.reports.ci.junit import to_junit
from results.reports.html.run import render_html
from results.reports.html.walk import render_walk
from results.reports.mail.bisect import mails
from results.reports.terminal.bisect import print_bisection
from results.reports.terminal.rerun import print_rerun
from results.reports.terminal.run import print_run
from results.reports.terminal.walk import print_walk
from results.rerun.rerun import assemble_rerun
from results.walk.walk import assemble_walk


@dataclass(frozen=True, slots=True)
class FolderReports:
    """How the folders of one kind are read and reported; their documents are `DOCUMENTS`."""

    assemble: Callable[[Path], Outcome]
    print: Callable[[Any, Console, Path], None]
    files: Mapping[str, Callable[[Any, Path], str]] = field(default_factory=dict)
    """File name → its text, beside the document."""


REPORTS: Mapping[FolderKind, FolderReports] = {
    FolderKind.RUN: FolderReports(
        assemble, print_run, {"report.html": render_html, "junit.xml": lambda run, _: to_junit(run)}
    ),
    FolderKind.WALK: FolderReports(assemble_walk, print_walk, {"walk.html": render_walk}),
    FolderKind.BISECT: FolderReports(
        assemble_bisection, print_bisection, {"bisect.txt": lambda bisection, _: mails(bisection)}
    ),
    FolderKind.RERUN: FolderReports(assemble_rerun, print_rerun),
}


def write_reports(outcome: Outcome, folder: Path) -> None:
    """Write the JSON document and all reports of an outcome into its folder.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    kind = kind_of(outcome)
    texts = {name: render(outcome, folder) for name, render in REPORTS[kind].files.items()}
    texts[DOCUMENTS[kind].file] = to_json(outcome)
    try:
        for name, text in texts.items():
            draft = folder / f".{name}.new"
            draft.write_text(text, encoding="utf-8")
            draft.replace(folder / name)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or folder}: {error.strerror}") from None


def print_outcome(outcome: Outcome, folder: Path, as_json: bool, console: Console) -> int:
    """Print for people, or the JSON document with `run_dir` in addition; returns the exit status."""
    if as_json:
        print(json.dumps({**json.loads(to_json(outcome)), "run_dir": str(folder)}, indent=2))
    else:
        REPORTS[kind_of(outcome)].print(outcome, console, folder)
    return outcome.exit_code


def keep(outcome: Outcome, folder: Path, workspace: Workspace, log: Callable[[str], None]) -> None:
    """Write the reports of a folder, and import it into the store of results.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    write_reports(outcome, folder)
    remember(folder, workspace, log)
    forget_unreported(folder)


def report_again(folder: Path, as_json: bool, console: Console, log: Callable[[str], None]) -> int:
    """Make the reports of a folder from its facts and logs, and print them; returns the exit status.

    Raises:
        UsageError: if the folder is none of this program.
        InfrastructureError: if the folder can't be written.
    """
    try:
        damaged = damaged_lines(folder)
        with contradictions_told(folder):
            outcome = REPORTS[folder_kind(read_events(folder))].assemble(folder)
            write_reports(outcome, folder)
    except JournalError as error:
        raise UsageError(str(error)) from None
    for number in damaged:
        log(f"{folder / JOURNAL}:{number}: damaged, does not count")
    return print_outcome(outcome, folder, as_json, console)
