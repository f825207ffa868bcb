# SPDX-License-Identifier: GPL-2.0-only
"""The program `thp-harness`: registers the commands, and turns errors into messages and exit statuses.

The commands import what they need when they are called, so that help is printed at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any, NoReturn

import click

from harness.cli.bisect import bisect_command
from harness.cli.cache import cache_group
from harness.cli.cluster import cluster_group
from harness.cli.configs import configs_command
from harness.cli.dashboard import dashboard_group
from harness.cli.doctor import doctor_command
from harness.cli.export import export_group
from harness.cli.hosts import hosts_group
from harness.cli.judge import judge_command
from harness.cli.labs import labs_group
from harness.cli.nightly import nightly_command
from harness.cli.options import log
from harness.cli.plan import plan_command
from harness.cli.read import read_command
from harness.cli.report import report_command
from harness.cli.repro import repro_command
from harness.cli.rerun import rerun_command
from harness.cli.results import results_group
from harness.cli.run import run_command
from harness.cli.sections import write_tasks
from harness.cli.series import series_group
from harness.cli.unexpected import unexpected
from harness.cli.walk import walk_command
from harness.core import version
from harness.core.errors import HarnessError, InfrastructureError

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""
RESUME = "The same command resumes the work."


class Commands(click.Group):
    """Turns errors into messages, and every way to stop into an exit status."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by task."""
        write_tasks(self, ctx, formatter)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run a command; neither a user's mistake nor an internal error shows a traceback."""
        signal.signal(signal.SIGTERM, _stop)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(signal.SIGHUP, _stop)
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
        except HarnessError as error:
            code = _complain_of(error)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):
            _complain("stopped", RESUME)
            code = STOPPED
        except BrokenPipeError:
            code = STOPPED
        except OSError as error:
            _complain(f"{error.filename or 'a file'}: {error.strerror or error}", RESUME)
            code = InfrastructureError.default_exit_code
        except Exception as error:
            code = _complain_of(unexpected(error))
        _give_up_stdout()
        sys.exit(code or 0)


def _give_up_stdout() -> None:
    """Let nothing more be written to stdout if it is full or closed: the interpreter would exit with 120."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain_of(error: HarnessError) -> int:
    _complain(str(error), error.hint)
    return error.exit_code


def _stop(number: int, frame: Any) -> None:
    """End the program as on Ctrl-C, also in a background job, which ignores SIGINT.

    For SIGTERM, and for SIGHUP when the terminal is closed.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


def _complain(message: str, hint: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be closed: no reason for another exit status
        log(f"thp-harness: {message}")
        if hint:
            log(f"  {hint}")


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"thp-harness {version.describe()}")
        context.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
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
    """Build a Linux kernel with and without a patch series, boot both, and report what changed.

    Exit status: 0 no regression and every test exercised; 1 regression; 2 usage; 3 infrastructure,
    or not every test was exercised; 130 stopped.
    """


for command in (
    run_command,
    walk_command,
    configs_command,
    bisect_command,
    judge_command,
    plan_command,
    series_group,
    read_command,
    report_command,
    doctor_command,
    nightly_command,
    rerun_command,
    repro_command,
    export_group,
    results_group,
    dashboard_group,
    cache_group,
    hosts_group,
    labs_group,
    cluster_group,
):
    main.add_command(command)
