# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness judge`: one commit for `git bisect run`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness.cli.bisect import all_tests_option, bisect_planning, require_arch, until_option
from harness.cli.options import (
    HOW_TO_STOP,
    as_json_option,
    echo,
    print_document,
    progress,
    quiet_option,
    typed_command,
)
from harness.cli.planning import make_plan_of
from harness.cli.unexpected import unexpected
from harness.core.errors import HarnessError, InfrastructureError, UsageError

ABORT, ABORT_USAGE = 128, 129
"""`git bisect run` takes 1 to 127 (but 125) for a bad commit, and stops at more."""


class ForGit(click.Command):
    """A command for `git bisect run`: whatever goes wrong must not look like a bad commit."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line."""
        with _no_bad_commit():
            return super().make_context(*args, **kwargs)

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with _no_bad_commit():
            code = super().invoke(context)
            sys.stdout.flush()
            return code


@contextmanager
def _no_bad_commit() -> Iterator[None]:
    """Give every error an exit status that ends the bisection."""
    try:
        yield
    except HarnessError as error:
        error.exit_code = ABORT_USAGE if isinstance(error, UsageError) else ABORT
        raise
    except click.ClickException as error:
        error.show()
        raise click.exceptions.Exit(ABORT_USAGE) from None
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except OSError as error:
        words = f"{error.filename or 'a file'}: {error.strerror or error}"
        raise InfrastructureError(words, exit_code=ABORT) from None
    except Exception as error:
        raise unexpected(error, ABORT) from None


@click.command("judge", cls=ForGit, epilog=HOW_TO_STOP)
@until_option
@click.option(
    "--boots", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Number of clean boots that make a commit good.",
)  # fmt: skip
@all_tests_option
@bisect_planning
@quiet_option
@as_json_option
def judge_command(
    until: str, boots: int, all_tests: bool, quiet: bool, as_json: bool, **arguments: Any
) -> int:
    """Judge one commit for `git bisect run`.

    The commit is the one that is checked out in the current directory, or in --tree. Uncommitted changes
    are ignored. Exit status: 0 good, 1 bad, 125 the commit can't be judged, 128 and more: stop bisecting.
    """
    from harness.commands.bisect.judge import judge
    from harness.core.workspace import from_environment

    require_arch(arguments)
    if arguments["series"]:
        raise UsageError("judge takes a commit as it is, without a series", hint="Leave --series out.")
    tree = Path(arguments["tree"] or ".").absolute()
    arguments.update(tree=str(tree), series="git:HEAD..HEAD")
    plan, workspace = make_plan_of(arguments), from_environment()
    judgement = judge(plan, until, boots, all_tests, workspace, progress(quiet), typed_command())
    print_document(
        judgement.as_document(),
        as_json,
        lambda console: echo("\n".join(judgement.lines)),
    )
    return judgement.exit_code
