# SPDX-License-Identifier: GPL-2.0-only
"""Commands that look for the commit that began something."""

from __future__ import annotations

import json
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.cli.options import as_json_option, console, quiet_option, tell
from harness.cli.planning import make_plan_of, planning
from harness.core.errors import HarnessError, InfrastructureError, UsageError

ALL = "all"
ABORT, ABORT_USAGE = 128, 129
"""`git bisect run` takes 1 to 127 (but 125) for a bad commit, and stops at more."""
_until = click.option(
    "--until", required=True, metavar="WHAT",
    help="What to look for: 'TEST fails', 'COUNTER > N [in TEST]', 'splat SIGNATURE', 'does not boot', "
    "'does not build', 'warning appears [in FILE]'.",
)  # fmt: skip
_all_tests = click.option(
    "--all-tests", is_flag=True, help="Run all tests in each boot, not only those that --until is about."
)
_planning = partial(planning, compares=False)


@click.command("bisect")
@_until
@click.option(
    "--good",
    default="",
    metavar="PATCH|REV",
    help="Where it is not seen: a patch by its number, or a revision of --tree.  [default: 0, no patch]",
)
@click.option(
    "--bad",
    default="",
    metavar="PATCH|REV",
    help="Where it is.  [default: the last patch, or the revision of --tree]",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.9999),
    default=0.99,
    show_default=True,
    metavar="P",
    help="How sure the answer must be of a failure that does not come every time.",
)
@_all_tests
@_planning
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
    """Find the patch of a series, or the commit of a tree, with which something began.

    Give --arch for each architecture, or `all`. With --tree PATH, revisions as --good and --bad, and no
    --series it goes through the history of that tree. An interrupted bisection goes on where it
    stopped when the same command is given again. Exit status: 0 found, 2 good is bad or bad is good,
    3 it could not be said.
    """
    from harness.commands.bisect.bisect import BisectRequest, bisect
    from harness.commands.bisect.commits import is_patch
    from harness.commands.reports import print_bisect_outcome, write_bisect_reports
    from harness.commands.results_store import get_ready, remember
    from harness.commands.run import command_for_people
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment

    _require_arch(arguments)
    patches = all(is_patch(name) for name in (good, bad) if name)
    in_history = bool(arguments["tree"]) and not arguments["series"] and bool(good or bad) and not patches
    if in_history:
        arguments["series"] = f"git:{good}..{bad}"
    plan, workspace = make_plan_of(arguments), from_environment()
    request = BisectRequest(until, good, bad, confidence, all_tests, in_history)
    progress = Progress(console(stderr=True), quiet)
    get_ready()
    outcome, folder = bisect(plan, request, workspace, progress, command_for_people())
    write_bisect_reports(outcome, folder)
    remember(folder, workspace, tell)
    print_bisect_outcome(outcome, folder, as_json, console())
    return outcome.exit_code


def _require_arch(arguments: dict[str, Any]) -> None:
    """`all` is what a plan begins with."""
    if not arguments["arches"]:
        raise UsageError("--arch is missing", hint=f"Name an architecture, or --arch {ALL}.")
    if ALL in arguments["arches"]:
        arguments["arches"] = ()


class ForGit(click.Command):
    """A command for `git bisect run`: whatever goes wrong must not look like a bad commit."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except click.ClickException as error:
            error.show()
            raise click.exceptions.Exit(ABORT_USAGE) from None

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except HarnessError as error:
            error.exit_code = ABORT_USAGE if isinstance(error, UsageError) else ABORT
            raise
        except OSError as error:
            words = f"{error.filename or 'a file'}: {error.strerror or error}"
            raise InfrastructureError(words, exit_code=ABORT) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:
            traceback.print_exc()
            return ABORT


@click.command("judge", cls=ForGit)
@_until
@click.option(
    "--boots",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="So many clean boots make a commit good.",
)
@_all_tests
@_planning
@quiet_option
@as_json_option
def judge_command(
    until: str, boots: int, all_tests: bool, quiet: bool, as_json: bool, **arguments: Any
) -> int:
    """Judge the commit that is checked out here (or in --tree): for `git bisect run`.

    Changes that are not committed don't count. Exit status: 0 good, 1 bad, 125 nothing can be said of
    this commit, 128 and more: stop bisecting.
    """
    from harness.commands.bisect.judge import judge
    from harness.commands.run import command_for_people
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment

    _require_arch(arguments)
    if arguments["series"]:
        raise UsageError("judge takes a commit as it is, without a series", hint="Leave --series out.")
    tree = Path(arguments["tree"] or ".").absolute()
    arguments.update(tree=str(tree), series="git:HEAD..HEAD")
    progress = Progress(console(stderr=True), quiet)
    judgement = judge(
        make_plan_of(arguments), until, boots, all_tests, from_environment(), progress, command_for_people()
    )
    if as_json:
        click.echo(json.dumps(judgement.as_document(), indent=2))
    else:
        for line in judgement.lines:
            click.echo(line)
    return judgement.exit_code
