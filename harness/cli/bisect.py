# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness bisect`: the first bad patch of a series, or commit of a tree."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from harness.cli.options import HOW_TO_STOP, as_json_option, finish, progress, quiet_option, typed_command
from harness.cli.planning import make_plan_of, planning
from harness.core.errors import UsageError

ALL = "all"
until_option = click.option(
    "--until", required=True, metavar="PREDICATE",
    help="Symptom to look for: 'TEST fails', 'COUNTER > N [in TEST]', 'splat SIGNATURE', 'does not boot', "
    "'does not build', 'warning appears [in FILE]'.",
)  # fmt: skip
all_tests_option = click.option(
    "--all-tests", is_flag=True, help="Run all tests in each boot, not only those that --until names."
)
bisect_planning = partial(planning, compares=False)


@click.command("bisect", epilog=HOW_TO_STOP)
@until_option
@click.option(
    "--good", default="", metavar="PATCH|REV",
    help="Known-good patch number or revision of --tree.  [default: 0, the base]",
)  # fmt: skip
@click.option(
    "--bad", default="", metavar="PATCH|REV",
    help="Known-bad patch number or revision.  [default: last patch, or the revision of --tree]",
)  # fmt: skip
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.99, show_default=True, metavar="P",
    help="Probability that the answer must have when the failure is intermittent.",
)  # fmt: skip
@all_tests_option
@bisect_planning
@quiet_option
@as_json_option
def bisect_command(
    until: str,
    good: str,
    bad: str,
    confidence: float,
    all_tests: bool,
    quiet: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Find the first bad patch or commit.

    Searches a series, or the history of a tree. Give --arch for each architecture, or `all`. With --tree
    PATH, revisions as --good and --bad, and no --series, the history of that tree is bisected. The same
    command resumes an interrupted bisection. Exit status: 0 found, 2 good is bad or bad is good, 3 not
    found.
    """
    from harness.commands.bisect.bisect import BisectRequest, bisect
    from harness.commands.bisect.commits import is_patch
    from harness.commands.results_store import get_ready
    from harness.core.workspace import from_environment

    require_arch(arguments)
    patches = all(is_patch(name) for name in (good, bad) if name)
    in_history = bool(arguments["tree"]) and not arguments["series"] and bool(good or bad) and not patches
    if in_history:
        arguments["series"] = f"git:{good}..{bad}"
    plan, workspace = make_plan_of(arguments), from_environment()
    request = BisectRequest(until, good, bad, confidence, all_tests, in_history)
    get_ready()
    outcome, folder = bisect(plan, request, workspace, progress(quiet), typed_command())
    return finish(outcome, folder, workspace, as_json)


def require_arch(arguments: dict[str, Any]) -> None:
    """Replace `all` by the plan's own architectures.

    Raises:
        UsageError: without --arch.
    """
    if not arguments["arches"]:
        raise UsageError("--arch is missing", hint=f"Name an architecture, or --arch {ALL}.")
    if ALL in arguments["arches"]:
        arguments["arches"] = ()
