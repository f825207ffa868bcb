"""Writes a run's reports into its folder, and prints its outcome."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from harness.errors import InfrastructureError
from results.document import to_json
from results.export.html import render_html
from results.export.junit import write_junit
from results.export.terminal import print_run
from results.model import Run

RESULTS, REPORT, JUNIT = "results.json", "report.html", "junit.xml"


def write_reports(run: Run, run_dir: Path) -> None:
    """Write results.json, report.html and junit.xml.

    Raises:
        InfrastructureError: if the run folder can't be written.
    """
    try:
        (run_dir / RESULTS).write_text(to_json(run), encoding="utf-8")
        (run_dir / REPORT).write_text(render_html(run, run_dir), encoding="utf-8")
        write_junit(run, run_dir / JUNIT)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or run_dir}: {error.strerror}") from None


def print_outcome(run: Run, run_dir: Path, as_json: bool, console: Console) -> None:
    """Print for people, or the document of results.json with `run_dir` in addition."""
    if as_json:
        print(json.dumps({**json.loads(to_json(run)), "run_dir": str(run_dir)}, indent=2))
    else:
        print_run(run, console, run_dir)
