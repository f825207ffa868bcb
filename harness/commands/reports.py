# SPDX-License-Identifier: GPL-2.0-only
"""Writes a run's reports into its folder, and prints its outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from harness.core.errors import InfrastructureError, UsageError
from results.bisect.report import assemble_bisection
from results.journal.assemble import assemble, read_plan
from results.journal.journal import JournalError, read_events
from results.model import bisect_document, rerun_document, walk_document
from results.model.bisect import Bisection
from results.model.document import to_json
from results.model.rerun import Rerun
from results.model.run import Run
from results.model.walk import Walk
from results.reports.ci.junit import to_junit
from results.reports.html.run import render_html
from results.reports.html.walk import render_walk
from results.reports.mail.bisect import mails
from results.reports.terminal.bisect import print_bisection
from results.reports.terminal.rerun import print_rerun
from results.reports.terminal.run import print_run
from results.reports.terminal.walk import print_walk
from results.rerun.rerun import assemble_rerun, is_rerun
from results.walk.walk import assemble_walk

RESULTS, REPORT, JUNIT = "results.json", "report.html", "junit.xml"
WALK_RESULTS, WALK_REPORT = "walk.json", "walk.html"
BISECT_RESULTS, BISECT_MAIL = "bisect.json", "bisect.txt"
RERUN_RESULTS = "rerun.json"


def write_reports(run: Run, run_dir: Path) -> None:
    """Write results.json, report.html and junit.xml.

    Raises:
        InfrastructureError: if the run folder can't be written.
    """
    with _writing(run_dir):
        (run_dir / RESULTS).write_text(to_json(run), encoding="utf-8")
        (run_dir / REPORT).write_text(render_html(run, run_dir), encoding="utf-8")
        (run_dir / JUNIT).write_text(to_junit(run), encoding="utf-8")


def print_outcome(run: Run, run_dir: Path, as_json: bool, console: Console) -> None:
    """Print for people, or the document of results.json with `run_dir` in addition."""
    if as_json:
        _print_document(to_json(run), run_dir)
    else:
        print_run(run, console, run_dir)


def write_walk_reports(walk: Walk, folder: Path) -> None:
    """Write walk.json and walk.html.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    with _writing(folder):
        (folder / WALK_RESULTS).write_text(walk_document.to_json(walk), encoding="utf-8")
        (folder / WALK_REPORT).write_text(render_walk(walk, folder), encoding="utf-8")


def print_walk_outcome(walk: Walk, folder: Path, as_json: bool, console: Console) -> None:
    """Print for people, or the document of walk.json with `run_dir` in addition."""
    if as_json:
        _print_document(walk_document.to_json(walk), folder)
    else:
        print_walk(walk, console, folder)


def write_bisect_reports(bisection: Bisection, folder: Path) -> None:
    """Write bisect.json, and bisect.txt, which is the mail.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    with _writing(folder):
        (folder / BISECT_RESULTS).write_text(bisect_document.to_json(bisection), encoding="utf-8")
        (folder / BISECT_MAIL).write_text(mails(bisection), encoding="utf-8")


def print_bisect_outcome(bisection: Bisection, folder: Path, as_json: bool, console: Console) -> None:
    """Print for people, or the document of bisect.json with `run_dir` in addition."""
    if as_json:
        _print_document(bisect_document.to_json(bisection), folder)
    else:
        print_bisection(bisection, console, folder)


def write_rerun_report(outcome: Rerun, folder: Path) -> None:
    """Write rerun.json.

    Raises:
        InfrastructureError: if the folder can't be written.
    """
    with _writing(folder):
        (folder / RERUN_RESULTS).write_text(rerun_document.to_json(outcome), encoding="utf-8")


def print_rerun_outcome(outcome: Rerun, folder: Path, as_json: bool, console: Console) -> None:
    """Print for people, or the document of rerun.json with `run_dir` in addition."""
    if as_json:
        _print_document(rerun_document.to_json(outcome), folder)
    else:
        print_rerun(outcome, console, folder)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfrastructureError(f"{error.filename or folder}: {error.strerror}") from None


def _print_document(text: str, folder: Path) -> None:
    print(json.dumps({**json.loads(text), "run_dir": str(folder)}, indent=2))


def report_again(folder: Path, as_json: bool, console: Console) -> int:
    """Make the reports of a run, a walk, a bisection or a rerun from its facts; returns the exit status.

    Raises:
        UsageError: if the folder is none of them.
    """
    try:
        events = list(read_events(folder))
        if is_rerun(events):
            outcome = assemble_rerun(folder)
            write_rerun_report(outcome, folder)
            print_rerun_outcome(outcome, folder, as_json, console)
            return outcome.exit_code
        if read_plan(events).walk:
            walk = assemble_walk(folder)
            write_walk_reports(walk, folder)
            print_walk_outcome(walk, folder, as_json, console)
            return walk.exit_code
        if read_plan(events).bisect:
            bisection = assemble_bisection(folder)
            write_bisect_reports(bisection, folder)
            print_bisect_outcome(bisection, folder, as_json, console)
            return bisection.exit_code
        run = assemble(folder)
    except JournalError as error:
        raise UsageError(str(error)) from None
    write_reports(run, folder)
    print_outcome(run, folder, as_json, console)
    return run.exit_code
