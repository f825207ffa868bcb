# SPDX-License-Identifier: GPL-2.0-only
"""What the modules of the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")


def complete(kind: str, suffix: str = ".yaml") -> Any:
    """Return a shell completion for the names of a kind of record; for files where no name fits."""

    def names(context: click.Context, parameter: click.Parameter, start: str) -> Any:
        from click.shell_completion import CompletionItem

        from harness.config.catalogue import files

        known = [CompletionItem(name) for name in files(kind, suffix) if name.startswith(start)]
        return known or [CompletionItem(start, type="file")]

    return names


def tell(line: str) -> None:
    """Say something that is no result."""
    click.echo(line, err=True)


def console(*, stderr: bool = False) -> Console:
    """Where tables are printed."""
    from rich.console import Console

    return Console(stderr=stderr)
