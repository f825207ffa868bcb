# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness export`: a run in the formats of other programs, and as a mail."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.errors import InfrastructureError, UsageError
from results.text import without_ci_commands

if TYPE_CHECKING:
    from results.journal.journal import PlanFact
    from results.model.run import Run

_ORIGIN = re.compile(r"[a-z0-9_]+")
_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


def _check(pattern: re.Pattern[str], wanted: str) -> Callable[..., str]:
    def check(context: click.Context, parameter: click.Parameter, value: str) -> str:
        if value and not pattern.fullmatch(value):
            raise click.BadParameter(f"'{value}' is not {wanted}")
        return value

    return check


def _url_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `--url`; `default` says what the format does without it."""
    return click.option(
        "--url", default="", metavar="URL",
        callback=_check(_ADDRESS, "an address like https://ci.example/run"),
        help=f"Address at which the run folder is published.  [default: none, and {default}]",
    )  # fmt: skip


def _exporting(command: Any) -> Any:
    """Add what all formats share: the run, and the output file."""
    where = click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Output file, replaced atomically.  [default: stdout]",
    )  # fmt: skip
    return click.argument("run_name", metavar="RUN", default="latest")(where(command))


@click.group("export")
def export_group() -> None:
    """Write a run for other programs, or as a mail.

    RUN is the folder or the name of a run, or `latest`, the last run (the default).
    """


@export_group.command("junit")
@_exporting
def junit_command(run_name: str, output: Path | None) -> None:
    """Write JUnit XML for GitLab and Jenkins."""
    from results.reports.ci.junit import to_junit

    _write(to_junit(_find(run_name)[0]), output, _in_xml)


@export_group.command("json")
@_exporting
def json_command(run_name: str, output: Path | None) -> None:
    """Write results.json, the whole run."""
    from results.model.document import to_json

    _write(to_json(_find(run_name)[0]), output, _in_json)


@export_group.command("prometheus")
@_exporting
def prometheus_command(run_name: str, output: Path | None) -> None:
    """Write gauges for Prometheus.

    The textfile collector of node_exporter reads FILE if its name ends in .prom.
    """
    from results.reports.ci.prometheus import to_prometheus

    _write(to_prometheus(_find(run_name)[0]), output)


@export_group.command("kcidb")
@_exporting
@click.option(
    "--origin", default="thp_harness", show_default=True, metavar="NAME",
    callback=_check(_ORIGIN, "made of a-z, 0-9 and _"),
    help="Name of your CI system, as agreed with KernelCI.",
)  # fmt: skip
@_url_option("logs are excerpts")
def kcidb_command(run_name: str, output: Path | None, origin: str, url: str) -> None:
    """Write a KCIDB 5.3 report; nothing is sent."""
    from results.reports.ci.kcidb import Submission, to_kcidb

    run, folder, plan = _find(run_name)
    _write(to_kcidb(Submission(run, folder, plan.origin, origin, url)), output, _in_json)


@export_group.command("mail")
@_exporting
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Address for Cc; may be repeated.")
@click.option("--cover-letter", is_flag=True, help="Write only the block to paste below the `---`.")
@_url_option("findings have no links")
def mail_command(
    run_name: str, output: Path | None, cc: tuple[str, ...], cover_letter: bool, url: str
) -> None:
    """Write a mail in reply to the cover letter.

    The mail is plain text; nothing is sent.
    """
    from results.reports.mail.run import cover_block, report_mail

    if cc and cover_letter:
        raise UsageError("--cover-letter makes no mail: there is nothing for --cc", hint="Leave one out.")
    run, folder, _ = _find(run_name)
    _write(cover_block(run, url) if cover_letter else report_mail(run, folder, cc, url), output)


@export_group.command("github")
@_exporting
@_url_option("findings have no links")
def github_command(run_name: str, output: Path | None, url: str) -> None:
    """Write a summary for a GitHub workflow.

    The step summary is written to FILE, or appended to $GITHUB_STEP_SUMMARY, and the annotations go to
    stdout. Without both, only the summary is written, to stdout.
    """
    from results.reports.ci.github import step_summary, workflow_commands

    run, folder, _ = _find(run_name)
    summary, of_step = step_summary(run, folder, url), os.environ.get("GITHUB_STEP_SUMMARY")
    if output is None and of_step:
        _append(summary, Path(of_step))
    else:
        _write(summary, output)
    if output or of_step:
        sys.stdout.buffer.write(workflow_commands(run).encode())


def _find(name: str) -> tuple[Run, Path, PlanFact]:
    """Return a run as its facts and logs have it now.

    Raises:
        UsageError: if there is none, or it is of another kind or version.
    """
    from harness.commands.reports import informed
    from harness.core.workspace import from_environment
    from results.journal.assemble import assemble, read_plan
    from results.journal.journal import JournalError, contradictions_told, folder_kind, read_events
    from results.model.document import DOCUMENTS, FolderKind

    workspace = from_environment()
    folder = workspace.find_run(name)
    try:
        kind = folder_kind(read_events(folder))
        if kind is not FolderKind.RUN:
            raise UsageError(
                f"{folder.name} is a {DOCUMENTS[kind].noun}, and only runs can be exported",
                hint=f"thp-harness report {folder.name} makes its own reports.",
            )
        with contradictions_told(folder):
            return informed(assemble(folder), workspace), folder, read_plan(read_events(folder))
    except JournalError as error:
        raise UsageError(str(error), hint="Name another run; `latest` is the last one.") from None


def _in_xml(char: str) -> str:
    return f"&#{ord(char)};"


def _in_json(char: str) -> str:
    return f"\\u{ord(char):04x}"


def _append(text: str, output: Path) -> None:
    """Append to what earlier steps wrote."""
    try:
        with output.open("ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise InfrastructureError(
            f"{output}: {error.strerror}", hint="GITHUB_STEP_SUMMARY names it; unset it, or give -o."
        ) from None


def _write(text: str, output: Path | None, *spell: Callable[[str], str]) -> None:
    """Write a text atomically: a reader sees the old file or the new one.

    On stdout, the commands of CI services are broken, with `spell` as in `without_ci_commands`.
    """
    if output is None:  # which may be the log of a CI job
        sys.stdout.buffer.write(without_ci_commands(text, *spell).encode())
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
