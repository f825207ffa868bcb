# SPDX-License-Identifier: GPL-2.0-only
"""The command line: parse, call, print. Heavy imports stand inside the commands so that help is instant."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness.cli.bisect import bisect_command, judge_command
from harness.cli.cache import cache_group
from harness.cli.cell import repro_command, rerun_command
from harness.cli.cluster import cluster_group, clustering, site_of
from harness.cli.dashboard import dashboard_command
from harness.cli.export import export_command
from harness.cli.hosts import hosts_group
from harness.cli.labs import labs_group
from harness.cli.nightly import nightly_command
from harness.cli.options import as_json_option, complete, console, quiet_option, tell
from harness.cli.planning import make_plan_of, planning, sharding
from harness.cli.results import results_command
from harness.core import version
from harness.core.errors import HarnessError, InfrastructureError, UsageError

if TYPE_CHECKING:
    pass

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""
RESUME = "The same command goes on where this one stopped."


class Commands(click.Group):
    """Turns our errors into words, and every other way to stop into an exit status."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run a command; never shows a traceback for what a user did."""
        signal.signal(signal.SIGTERM, _stop)
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except HarnessError as error:
            _complain(str(error), error.hint)
            code = error.exit_code
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):
            _complain("stopped", RESUME)
            code = STOPPED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = STOPPED
        except OSError as error:
            _complain(f"{error.filename or 'a file'}: {error.strerror or error}", RESUME)
            code = InfrastructureError.default_exit_code
        sys.exit(code or 0)


def _stop(number: int, frame: Any) -> None:
    """SIGTERM ends us as Ctrl-C does, also where a shell made its background job deaf to that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


def _complain(message: str, hint: str) -> None:
    click.echo(f"thp-harness: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"thp-harness {version.describe()}")
        context.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_THP_HARNESS_COMPLETE=bash_source thp-harness)" (or zsh, fish).',
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the commit, and exit.",
)
def main() -> None:
    """Build a Linux kernel with and without a patch series, boot both, and say honestly what changed.

    Exit status: 0 nothing wrong and everything exercised; 1 regression; 2 usage; 3 infrastructure,
    or not everything was exercised; 130 stopped.
    """


@main.command("run")
@planning
@sharding
@clustering
@quiet_option
@as_json_option
def run_command(quiet: bool, as_json: bool, **arguments: Any) -> int:
    """Build and boot base and series, compare them, and write the report.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from harness.commands.reports import print_outcome, write_reports
    from harness.commands.results_store import remember
    from harness.commands.run import command_for_people, run
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    progress = Progress(console(stderr=True), quiet)
    with site_of(arguments, workspace) as site:
        outcome, run_dir = run(plan, workspace, progress, command_for_people(), site)
    write_reports(outcome, run_dir)
    remember(run_dir, workspace, tell)
    print_outcome(outcome, run_dir, as_json, console())
    return outcome.exit_code


@main.command("walk")
@planning
@click.option("--only", type=int, multiple=True, metavar="N", help="Only this patch; may be repeated.")
@click.option("--from", "first", type=int, metavar="N", help="Only this patch and those after it.")
@click.option("--no-boot", is_flag=True, help="Only build.")
@click.option(
    "--verify-incremental",
    "checks",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=2,
    default=None,
    metavar="[K]",
    help="Build K kernels of each architecture once more from nothing, and compare.  [K: 2]",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Draw the same K kernels as then.")
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
    """Build and boot every patch of a series, and say which are safe to bisect through.

    An interrupted walk goes on where it stopped when the same command is given again. Exit status:
    0 nothing wrong with any patch, 1 a patch is bad, 3 not everything could be said.
    """
    from harness.commands.reports import print_walk_outcome, write_walk_reports
    from harness.commands.results_store import remember
    from harness.commands.run import command_for_people
    from harness.commands.walk.walk import WalkRequest, walk
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment
    from harness.plan.patches import Choice

    if only and first is not None:
        raise UsageError("--only and --from exclude each other", hint="Give one of them.")
    plan, workspace = make_plan_of(arguments), from_environment()
    request = WalkRequest(Choice(only, first), not no_boot, checks or 0, seed)
    progress = Progress(console(stderr=True), quiet)
    with site_of(arguments, workspace) as site:
        outcome, folder = walk(plan, request, workspace, progress, command_for_people(), site)
    write_walk_reports(outcome, folder)
    remember(folder, workspace, tell)
    print_walk_outcome(outcome, folder, as_json, console())
    return outcome.exit_code


@main.command("plan")
@planning
@sharding
@as_json_option
def plan_command(as_json: bool, **arguments: Any) -> None:
    """Show what a run would do, what is cached, and how long it will take."""
    from harness.commands.cache.sharing import in_use
    from harness.commands.forecast import forecast, print_forecast
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    workspace.create()
    with in_use(workspace.cache, tell):
        cast = forecast(plan, workspace)
    if as_json:
        click.echo(json.dumps(cast.as_document(), indent=2))
    else:
        print_forecast(cast, console())


@main.command("report")
@click.argument("run_name", metavar="RUN", default="latest")
@as_json_option
def report_command(run_name: str, as_json: bool) -> int:
    """Make reports again from the facts and logs of a run, and print them.

    RUN is a folder, or the name of a run, walk, bisection or rerun, or `latest`, the last run.
    """
    from harness.commands.reports import report_again
    from harness.core.workspace import from_environment

    return report_again(from_environment().find_run(run_name), as_json, console())


@main.command("doctor")
@click.option("--arch", "arches", multiple=True, shell_complete=complete("arches"), metavar="NAME")
@click.option("--packages", is_flag=True, help="Only print the missing Debian packages, on one line.")
@as_json_option
def doctor_command(arches: tuple[str, ...], packages: bool, as_json: bool) -> int:
    """Say what this machine can do, what is missing, and how to get it."""
    from harness.build.toolchain import missing_packages
    from harness.commands.doctor import chosen_arches, examine, print_checks
    from harness.core.workspace import from_environment

    chosen = chosen_arches(arches)
    if packages:
        click.echo(" ".join(missing_packages(chosen)))
        return 0
    checks = examine(chosen, from_environment())
    if as_json:
        document = {"schema": "thp-harness/doctor/1", "checks": [check.as_document() for check in checks]}
        click.echo(json.dumps(document, indent=2))
    else:
        print_checks(checks, console())
    return 0 if all(check.ok is not False for check in checks) else 3


main.add_command(cache_group)
main.add_command(repro_command)
main.add_command(rerun_command)
main.add_command(export_command)
main.add_command(results_command)
main.add_command(hosts_group)
main.add_command(labs_group)
main.add_command(dashboard_command)
main.add_command(cluster_group)
main.add_command(bisect_command)
main.add_command(nightly_command)
main.add_command(judge_command)
