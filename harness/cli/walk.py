# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness walk`: build and boot every patch of a series."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.cluster import clustering, site_of
from harness.cli.options import HOW_TO_STOP, as_json_option, finish, progress, quiet_option, typed_command
from harness.cli.planning import make_plan_of, planning, tell_what_is_tested
from harness.cli.sections import SectionedCommand
from harness.core.errors import UsageError


@click.command("walk", cls=SectionedCommand, epilog=HOW_TO_STOP)
@planning
@click.option(
    "--only", type=int, multiple=True, metavar="N", help="Patch number; may be repeated.  [default: all]"
)
@click.option("--from", "first", type=int, metavar="N", help="Number of the first patch.  [default: 1]")
@click.option("--no-boot", is_flag=True, help="Build without booting.")
@click.option(
    "--verify-incremental", "checks", type=click.IntRange(min=1), is_flag=False, flag_value=2, default=None,
    metavar="[K]",
    help="Rebuild K kernels of each architecture from scratch and compare them with the incremental builds."
    "  [default of K: 2]",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N",
    help="Random seed for choosing the K kernels (repeats an earlier choice).  [default: random]",
)  # fmt: skip
@clustering
@quiet_option
@as_json_option
def walk_command(
    only: tuple[int, ...],
    first: int | None,
    no_boot: bool,
    checks: int | None,
    seed: int | None,
    quiet: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Build and boot every patch of a series.

    Reports which patches are safe to bisect through. The same command resumes an interrupted walk. Exit
    status: 0 no fault in any patch, 1 a patch has a fault, 3 not every patch could be verified.
    """
    from harness.commands.walk.walk import WalkRequest, walk
    from harness.core.workspace import from_environment
    from harness.plan.patches import Choice

    if only and first is not None:
        raise UsageError("--only and --from exclude each other", hint="Give one of them.")
    plan, workspace = make_plan_of(arguments), from_environment()
    tell_what_is_tested(arguments, plan)
    request = WalkRequest(Choice(only, first), not no_boot, checks or 0, seed)
    with site_of(arguments, workspace) as site:
        outcome, folder = walk(plan, request, workspace, progress(quiet), typed_command(), site)
    return finish(outcome, folder, workspace, as_json)
