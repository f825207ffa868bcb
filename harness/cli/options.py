# SPDX-License-Identifier: GPL-2.0-only
"""What the modules of the command line share: options, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.errors import InfrastructureError
from results.text import printable_lines

if TYPE_CHECKING:
    from rich.console import Console

    from harness.core.check import Check
    from harness.core.progress import Progress
    from harness.core.workspace import Workspace
    from results.model.document import Outcome

HOW_TO_STOP = (
    "To stop: Ctrl-C, or kill -TERM PID. In the background, and where a shell or a service has SIGINT "
    "ignored (nohup COMMAND &), only TERM works. Either way everything that it has started ends first."
)
"""Epilog of the commands that take long."""
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no progress on stderr.")


def complete(kind: str, suffix: str = ".yaml") -> Any:
    """Return a shell completion for the names of a kind of record; for files where no name fits."""

    def names(context: click.Context, parameter: click.Parameter, start: str) -> Any:
        from click.shell_completion import CompletionItem

        from harness.config.catalogue import files

        known = [CompletionItem(name) for name in files(kind, suffix) if name.startswith(start)]
        return known or [CompletionItem(start, type="file")]

    return names


def log(line: str) -> None:
    """Print a line that is no result, on stderr."""
    echo(line, err=True)


def echo(text: str, *, err: bool = False) -> None:
    """Print lines of text on stdout or stderr, without anything that a terminal would obey."""
    click.echo(printable_lines(text), err=err)


def console(*, stderr: bool = False) -> Console:
    """Return where tables are printed."""
    from harness.cli.terminal import EscapingConsole

    return EscapingConsole(stderr=stderr)


def progress(quiet: bool) -> Progress:
    """Return the progress that is shown on stderr."""
    from harness.core.progress import Progress

    return Progress(console(stderr=True), quiet)


def typed_command(arguments: Sequence[str] = tuple(sys.argv)) -> tuple[str, ...]:
    """Return the command line as it was typed, without the program's path."""
    return ("thp-harness", *arguments[1:])


def print_json(document: Mapping[str, Any]) -> None:
    """Print a JSON document on stdout."""
    click.echo(json.dumps(document, indent=2))


def print_document(document: Mapping[str, Any], as_json: bool, show: Callable[[Console], None]) -> None:
    """Print a JSON document if `--json` asks for it, else let `show` print for people."""
    if as_json:
        print_json(document)
    else:
        show(console())


def print_checks_found(checks: Sequence[Check], document: Mapping[str, Any], as_json: bool) -> int:
    """Print checks; returns the exit status, which is 3 if one of them found something wrong."""
    from harness.commands.doctor import print_checks

    print_document(document, as_json, lambda console: print_checks(checks, console))
    fit = all(check.ok is not False for check in checks)
    return 0 if fit else InfrastructureError.default_exit_code


def finish(outcome: Outcome, folder: Path, workspace: Workspace, as_json: bool) -> int:
    """Write the reports of a folder, import it into the store and print it; returns the exit status."""
    from harness.commands.reports import keep, print_outcome

    return print_outcome(keep(outcome, folder, workspace, log), folder, as_json, console())
