# SPDX-License-Identifier: GPL-2.0-only
"""Commands that write a run in the forms that other programs and people read."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from results.journal.journal import PlanFact
    from results.model.run import Run

_ORIGIN = re.compile(r"[a-z0-9_]+")
_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


def _exporting(command: Any) -> Any:
    """What all forms share: which run, and where to."""
    where = click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Write there, all at once, instead of to stdout.",
    )  # fmt: skip
    return click.argument("run_name", metavar="RUN", default="latest")(where(command))


@click.group("export")
def export_command() -> None:
    """Write a run for another program, or for a mailing list.

    RUN is a folder, the name of a run, or `latest`, the last run.
    """


@export_command.command("junit")
@_exporting
def junit_command(run_name: str, output: Path | None) -> None:
    """JUnit XML, as GitLab and Jenkins read it."""
    from results.reports.ci.junit import to_junit

    _write(to_junit(_find(run_name)[0]), output)


@export_command.command("json")
@_exporting
def json_command(run_name: str, output: Path | None) -> None:
    """results.json, the whole run."""
    from results.model.document import to_json

    _write(to_json(_find(run_name)[0]), output)


@export_command.command("prometheus")
@_exporting
def prometheus_command(run_name: str, output: Path | None) -> None:
    """Gauges for node_exporter's textfile collector; FILE must end in .prom there."""
    from results.reports.ci.prometheus import to_prometheus

    _write(to_prometheus(_find(run_name)[0]), output)


def _check(pattern: re.Pattern[str], wanted: str) -> Callable[..., str]:
    def check(context: click.Context, parameter: click.Parameter, value: str) -> str:
        if value and not pattern.fullmatch(value):
            raise click.BadParameter(f"'{value}' is not {wanted}")
        return value

    return check


@export_command.command("kcidb")
@_exporting
@click.option(
    "--origin", default="thp_harness", show_default=True, metavar="NAME",
    callback=_check(_ORIGIN, "made of a-z, 0-9 and _"),
    help="Name of your CI system, as agreed with KernelCI.",
)  # fmt: skip
@click.option(
    "--url", default="", metavar="URL", callback=_check(_ADDRESS, "an address like https://ci.example/run"),
    help="Where the run folder can be read; without it, logs are excerpts.",
)  # fmt: skip
def kcidb_command(run_name: str, output: Path | None, origin: str, url: str) -> None:
    """A KCIDB 5.3 report; nothing is sent."""
    from results.reports.ci.kcidb import Submission, to_kcidb

    run, folder, plan = _find(run_name)
    _write(to_kcidb(Submission(run, folder, plan.origin, origin, url)), output)


@export_command.command("mail")
@_exporting
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Also to this address; may be repeated.")
@click.option("--cover-letter", is_flag=True, help="Instead: the block to paste below the `---`.")
def mail_command(run_name: str, output: Path | None, cc: tuple[str, ...], cover_letter: bool) -> None:
    """A plain-text report, as a reply to the series' cover letter; nothing is sent."""
    from results.reports.mail.run import cover_block, report_mail

    if cc and cover_letter:
        raise UsageError("--cover-letter makes no mail: there is nothing for --cc", hint="Leave one out.")
    run, folder, _ = _find(run_name)
    _write(cover_block(run) if cover_letter else report_mail(run, folder, cc), output)


@export_command.command("github")
@_exporting
def github_command(run_name: str, output: Path | None) -> None:
    """A step summary and annotations for a GitHub workflow.

    The summary goes to FILE, or is appended to what GITHUB_STEP_SUMMARY names, and then annotations
    go to stdout. Where neither is given, stdout gets the summary alone.
    """
    from results.reports.ci.github import step_summary, workflow_commands

    run, folder, _ = _find(run_name)
    summary, of_step = step_summary(run, folder), os.environ.get("GITHUB_STEP_SUMMARY")
    if output is None and of_step:
        _append(summary, Path(of_step))
    else:
        _write(summary, output)
    if output or of_step:
        _write(workflow_commands(run), None)


def _find(name: str) -> tuple[Run, Path, PlanFact]:
    """A run as its facts and logs have it now.

    Raises:
        UsageError: if there is none, or it is a walk, a bisection or of another version.
    """
    from harness.core.workspace import from_environment
    from results.journal.assemble import assemble, read_plan
    from results.journal.journal import JournalError, read_events

    folder = from_environment().find_run(name)
    try:
        plan = read_plan(read_events(folder))
        if plan.walk or plan.bisect:
            raise UsageError(
                f"{folder.name} is a {'walk' if plan.walk else 'bisection'}, and only runs can be exported",
                hint=f"thp-harness report {folder.name} makes its own reports.",
            )
        return assemble(folder), folder, plan
    except JournalError as error:
        raise UsageError(str(error), hint="Name another run; `latest` is the last one.") from None


def _append(text: str, output: Path) -> None:
    """Add to what earlier steps wrote."""
    try:
        with output.open("ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise InfrastructureError(
            f"{output}: {error.strerror}", hint="GITHUB_STEP_SUMMARY names it; unset it, or give -o."
        ) from None


def _write(text: str, output: Path | None) -> None:
    """Write all of a text or nothing: whoever reads the file at the same time sees the old or the new one."""
    if output is None:
        sys.stdout.buffer.write(text.encode())
        return
    try:
        if output.exists() and not output.is_file():  # a pipe, or /dev/stdout
            output.write_bytes(text.encode())
            return
        draft = output.with_name(f".{output.name}.{os.getpid()}")
        draft.write_bytes(text.encode())
        draft.replace(output)
    except OSError as error:
        raise InfrastructureError(
            f"{output}: {error.strerror}", hint="Choose another file with -o, or leave it out for stdout."
        ) from None
