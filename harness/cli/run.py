# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness run`: build and boot base and series."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.cluster import clustering, site_of
from harness.cli.options import HOW_TO_STOP, as_json_option, finish, progress, quiet_option, typed_command
from harness.cli.planning import make_plan_of, planning, sharding, tell_what_is_tested
from harness.cli.sections import SectionedCommand


@click.command("run", cls=SectionedCommand, epilog=HOW_TO_STOP)
@planning
@sharding
@clustering
@quiet_option
@as_json_option
def run_command(quiet: bool, as_json: bool, **arguments: Any) -> int:
    """Build, boot and compare base and series.

    Writes the reports into the run folder. The same command resumes an interrupted run.
    """
    from harness.commands.run import run
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    tell_what_is_tested(arguments, plan)
    with site_of(arguments, workspace) as site:
        outcome, folder = run(plan, workspace, progress(quiet), typed_command(), site)
    return finish(outcome, folder, workspace, as_json)
