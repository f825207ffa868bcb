# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness rerun`: boot a kernel of an earlier run many times."""

from __future__ import annotations

import os

import click

from harness.cli.options import HOW_TO_STOP, as_json_option, finish, progress, quiet_option
from harness.cli.repro import run_option, test_option


@click.command("rerun", epilog=HOW_TO_STOP)
@click.argument("cell")
@click.option(
    "--times", type=click.IntRange(1, 10000), required=True, metavar="N", help="Number of boots per kernel."
)
@run_option
@test_option
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
    help="Number of CPUs to use.  [default: all]",
)  # fmt: skip
@quiet_option
@as_json_option
def rerun_command(
    cell: str, times: int, run_name: str, tests: tuple[str, ...], jobs: int, quiet: bool, as_json: bool
) -> int:
    """Boot a kernel many times for failure rates.

    Reports how often each test fails. CELL is ARCH/VARIANT of a run, or ARCH for all kernels of an
    architecture. The same command resumes an interrupted rerun. Exit status: 0 no failure, 1 at least one
    failure, 3 no result.
    """
    from harness.commands.cell.cell import choose_tests, find_cells
    from harness.commands.cell.rerun import RerunRequest, rerun
    from harness.core.workspace import from_environment

    workspace = from_environment()
    cells = find_cells(workspace.find_run(run_name), cell)
    request = RerunRequest(cells, times, choose_tests(cells[0].plan.planned, tests), jobs)
    outcome, folder = rerun(request, workspace, progress(quiet))
    return finish(outcome, folder, workspace, as_json)
