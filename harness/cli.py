"""The command line: parse, call, print. Heavy imports stand inside the commands so that help is instant."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness import __version__
from harness.errors import HarnessError, InfrastructureError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.plan import Plan

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""
RESUME = "The same command goes on where this one stopped."


class Commands(click.Group):
    """Turns our errors into words, and every other way to stop into an exit status."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run a command; never shows a traceback for what a user did."""
        signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
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


def _complain(message: str, hint: str) -> None:
    click.echo(f"thp-harness: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_THP_HARNESS_COMPLETE=bash_source thp-harness)" (or zsh, fish).',
)
@click.version_option(__version__, prog_name="thp-harness")
def main() -> None:
    """Build a Linux kernel with and without a patch series, boot both, and say honestly what changed.

    Exit status: 0 nothing wrong and everything exercised; 1 regression; 2 usage; 3 infrastructure,
    or not everything was exercised; 130 stopped.
    """


def _complete(kind: str) -> Any:
    def complete(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
        from harness.config import CONFIGS

        return sorted(path.stem for path in (CONFIGS / kind).glob(f"{start}*.yaml"))

    return complete


def _planning(command: Any) -> Any:
    """The options that say what to do; `run` and `plan` share them."""
    options = (
        click.option(
            "--arch", "arches", multiple=True, shell_complete=_complete("arches"), metavar="NAME",
            help="Architecture; may be repeated. Default: those of the plan.",
        ),
        click.option(
            "--tree", shell_complete=_complete("trees"), metavar="NAME|PATH[@REV]",
            help="Kernel tree: a name of configs/trees, or a local git checkout (left untouched).",
        ),
        click.option(
            "--series", shell_complete=_complete("series"), metavar="SERIES",
            help="A name of configs/series, a record (.yaml), an mbox, a directory of patches, "
            "git:BASE..TIP, or a Message-ID on lore.",
        ),
        click.option(
            "--plan", "plan_name", default="default", show_default=True, metavar="NAME",
            shell_complete=_complete("plans"), help="Defaults to start from, of configs/plans.",
        ),
        click.option("--allow-fuzz", is_flag=True, help="Place hunks with fuzz where git am refuses."),
        click.option(
            "--allow-unexercised", multiple=True, metavar="ARCH", shell_complete=_complete("arches"),
            help="A known gap: this architecture need not be exercised; may be repeated.",
        ),
        click.option(
            "-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
            help="Jobs of make.  [default: number of CPUs]",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _make_plan(arguments: dict[str, Any]) -> Plan:
    from harness.plan import Request, make_plan

    return make_plan(
        Request(
            arches=arguments["arches"],
            tree=arguments["tree"],
            series=arguments["series"],
            plan=arguments["plan_name"],
            allow_fuzz=arguments["allow_fuzz"],
            allow_unexercised=arguments["allow_unexercised"],
            jobs=arguments["jobs"],
        )
    )


_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


@main.command("run")
@_planning
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@_as_json
def run_command(quiet: bool, as_json: bool, **arguments: Any) -> int:
    """Build and boot base and series, compare them, and write the report.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from harness.output import print_outcome, write_reports
    from harness.progress import Progress
    from harness.run import command_for_people, run
    from harness.workspace import from_environment

    plan = _make_plan(arguments)
    progress = Progress(_console(stderr=True), quiet)
    outcome, run_dir = run(plan, from_environment(), progress, command_for_people())
    write_reports(outcome, run_dir)
    print_outcome(outcome, run_dir, as_json, _console())
    return outcome.exit_code


@main.command("plan")
@_planning
@_as_json
def plan_command(as_json: bool, **arguments: Any) -> None:
    """Show what a run would do, what is cached, and how long it will take."""
    from harness.forecast import forecast, print_forecast
    from harness.workspace import from_environment

    cast = forecast(_make_plan(arguments), from_environment())
    if as_json:
        click.echo(json.dumps(cast.as_document(), indent=2))
    else:
        print_forecast(cast, _console())


@main.command("report")
@click.argument("run_name", metavar="RUN", default="latest")
@_as_json
def report_command(run_name: str, as_json: bool) -> int:
    """Make a run's reports again from its facts and logs, and print them.

    RUN is a folder, a run's name, or `latest`.
    """
    from harness.output import print_outcome, write_reports
    from harness.workspace import from_environment
    from results.assemble import assemble
    from results.journal import JournalError

    run_dir = from_environment().find_run(run_name)
    try:
        outcome = assemble(run_dir)
    except JournalError as error:
        raise UsageError(str(error)) from None
    write_reports(outcome, run_dir)
    print_outcome(outcome, run_dir, as_json, _console())
    return outcome.exit_code


@main.command("doctor")
@click.option("--arch", "arches", multiple=True, shell_complete=_complete("arches"), metavar="NAME")
@click.option("--packages", is_flag=True, help="Only print the missing Debian packages, on one line.")
@_as_json
def doctor_command(arches: tuple[str, ...], packages: bool, as_json: bool) -> int:
    """Say what this machine can do, what is missing, and how to get it."""
    from harness.build.toolchain import missing_packages
    from harness.doctor import chosen_arches, examine, print_checks
    from harness.workspace import from_environment

    chosen = chosen_arches(arches)
    if packages:
        click.echo(" ".join(missing_packages(chosen)))
        return 0
    checks = examine(chosen, from_environment())
    if as_json:
        document = {"schema": "thp-harness/doctor/1", "checks": [check.as_document() for check in checks]}
        click.echo(json.dumps(document, indent=2))
    else:
        print_checks(checks, _console())
    return 0 if all(check.ok is not False for check in checks) else 3
