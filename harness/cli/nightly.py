# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness nightly`: a run for cron, systemd and CI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.cluster import clustering, site_of
from harness.cli.options import (
    HOW_TO_STOP,
    as_json_option,
    echo,
    print_document,
    progress,
    quiet_option,
    typed_command,
)
from harness.cli.planning import make_plan_of, planning
from harness.cli.sections import SectionedCommand


@click.command("nightly", cls=SectionedCommand, epilog=HOW_TO_STOP)
@click.option("--force", is_flag=True, help="Run even if nothing has changed since the last complete run.")
@click.option(
    "--bisect-minutes", type=click.FloatRange(min=0), default=0, show_default=True, metavar="N",
    help="Time limit in minutes for bisecting new failures; the next night resumes what is unfinished.",
)  # fmt: skip
@click.option(
    "--keep-runs", type=click.IntRange(min=1), metavar="N",
    help="Number of run folders to keep; the store keeps the results of the others.  [default: all]",
)  # fmt: skip
@click.option(
    "--dashboard", type=click.Path(path_type=Path, file_okay=False), metavar="OUT",
    help="Regenerate the dashboard in this directory.",
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
    """Run a plan if anything has changed.

    Reports the changes since the night before. Fetches the tree, and runs nothing if the sources, the
    tests, the configuration, the compilers and this program are those of an earlier run. The same command
    resumes an interrupted night; a second one at the same time ends with 3. Exit status: that of the run,
    or of the last one if nothing changed.
    """
    from harness.commands.nightly import NightRequest, nightly
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    request = NightRequest(plan, force, 60 * bisect_minutes, keep_runs or 0, dashboard)
    with site_of(arguments, workspace) as site:
        report = nightly(request, workspace, progress(quiet), typed_command(), site)
    print_document(report.as_document(), as_json, lambda console: echo("\n".join(report.lines)))
    return report.exit_code
