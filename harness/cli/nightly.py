# SPDX-License-Identifier: GPL-2.0-only
"""The command for cron, systemd and CI: one night after another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harness.cli.cluster import clustering, site_of
from harness.cli.options import as_json_option, console, quiet_option
from harness.cli.planning import make_plan_of, planning


@click.command("nightly")
@click.option(
    "--force", is_flag=True, help="Run even if nothing has changed since a run that came to its end."
)
@click.option(
    "--bisect-minutes", type=click.FloatRange(min=0), default=0, show_default=True, metavar="N",
    help="Look for the patch that broke a test, for so long; what is not found goes on the next night.",
)  # fmt: skip
@click.option(
    "--keep-runs", type=click.IntRange(min=1), metavar="N",
    help="Remove the folders of all but the last N runs; the store keeps their results.",
)  # fmt: skip
@click.option(
    "--dashboard", type=click.Path(path_type=Path, file_okay=False), metavar="OUT",
    help="Make the pages of all nights in this folder anew.",
)  # fmt: skip
@planning
@clustering
@quiet_option
@as_json_option
def nightly_command(
    force: bool,
    bisect_minutes: float,
    keep_runs: int | None,
    dashboard: Path | None,
    quiet: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Run what a plan says if anything has changed, and say what is new since the night before.

    Fetches the tree, and does nothing more if sources, tests, configuration and compilers are those of
    an earlier run. One night at a time; an interrupted one goes on where it stopped. Exit status: that
    of the run; as long as nothing changes, that of the last one.
    """
    from harness.commands.nightly import NightRequest, nightly
    from harness.commands.run import command_for_people
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    request = NightRequest(plan, force, 60 * bisect_minutes, keep_runs or 0, dashboard)
    progress = Progress(console(stderr=True), quiet)
    with site_of(arguments, workspace) as site:
        report = nightly(request, workspace, progress, command_for_people(), site)
    if as_json:
        click.echo(json.dumps(report.as_document(), indent=2))
    else:
        for line in report.lines:
            click.echo(line)
    return report.exit_code
