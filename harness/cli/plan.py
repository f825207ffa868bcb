# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness plan`: what a run would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, log, print_document
from harness.cli.planning import make_plan_of, planning, sharding, tell_what_is_tested
from harness.cli.sections import SectionedCommand

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plan.plan import Plan


@click.command("plan", cls=SectionedCommand)
@planning
@sharding
@click.option(
    "--onto", multiple=True, metavar="TREE|REV",
    help="Only show whether the series applies to this tree, or branch of --tree; may be repeated.",
)  # fmt: skip
@as_json_option
def plan_command(onto: tuple[str, ...], as_json: bool, **arguments: Any) -> int:
    """Show what a run would build and boot.

    Lists the sources, the tests, the cached kernels and the expected duration; builds nothing.
    """
    from harness.commands.cache.sharing import in_use
    from harness.commands.forecast import forecast, print_forecast
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    tell_what_is_tested(arguments, plan)
    workspace.create()
    with in_use(workspace.cache, log):
        if onto:
            return _print_bases(plan, onto, workspace.cache, as_json)
        cast = forecast(plan, workspace)
    print_document(cast.as_document(), as_json, lambda console: print_forecast(cast, console))
    return 0


def _print_bases(plan: Plan, names: tuple[str, ...], cache: Path, as_json: bool) -> int:
    """Print a table of the trees that a series applies to; the exit code is 0 if there is any."""
    from rich.markup import escape
    from rich.table import Table

    from harness.plan.onto import as_document, rows, try_bases

    trials = list(try_bases(plan, names, cache, log))
    table = Table(box=None, pad_edge=False)
    for column in ("tree", "kernel", "commit", "series"):
        table.add_column(column, overflow="fold")
    for row in rows(trials):
        table.add_row(*map(escape, row))
    print_document(as_document(trials), as_json, lambda console: console.print(table))
    return 0 if any(trial.applies for trial in trials) else 2
