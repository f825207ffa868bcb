# SPDX-License-Identifier: GPL-2.0-only
"""Commands for one cell of an earlier run: build it by hand, look into it, boot it many times."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.options import as_json_option, console, quiet_option, tell
from harness.core.errors import InfrastructureError, UsageError

_run_option = click.option(
    "--run", "run_name", default="latest", show_default=True, metavar="RUN",
    help="Folder or name of a run or a walk.",
)  # fmt: skip
_test_option = click.option(
    "--test", "tests", multiple=True, metavar="TEST",
    help="Only these tests: a name or a shell pattern; may be repeated.",
)  # fmt: skip


@click.command("repro")
@click.argument("cell")
@_run_option
@_test_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the script there, and the guest's initramfs beside it.",
)  # fmt: skip
@click.option("--shell", is_flag=True, help="Instead: boot its kernel here, to a shell on the console.")
@click.option("--gdb", is_flag=True, help="Instead: boot its kernel here, and wait for a debugger.")
def repro_command(
    cell: str, run_name: str, tests: tuple[str, ...], output: Path | None, shell: bool, gdb: bool
) -> int:
    """Print a shell script that builds and boots a cell without this program.

    CELL is ARCH/VARIANT of a run, such as x86_64/series, or ARCH for all of its kernels.
    """
    if output and (shell or gdb):
        raise UsageError("--shell and --gdb boot here: there is nothing for --output", hint="Leave one out.")
    if shell or gdb:
        return _boot_here(cell, run_name, tests, shell=shell, gdb=gdb)
    from harness.commands.cell.cell import choose_tests, find_cells
    from harness.commands.cell.repro.script import write_script
    from harness.core.workspace import from_environment

    workspace = from_environment()
    cells = find_cells(workspace.find_run(run_name), cell)
    wanted = choose_tests(cells[0].plan.planned, tests) if tests else ()
    script = write_script(cells, wanted, workspace.cache, output.stem if output else "")
    if output is None:
        sys.stdout.buffer.write(script.text)
        return 0
    _write(output, script.text, script.beside)
    return 0


def _write(output: Path, text: bytes, beside: Any) -> None:
    import shutil

    try:
        output.write_bytes(text)
        output.chmod(0o755)
        for name, path in beside.items():
            shutil.copyfile(path, output.with_name(name))
            tell(f"wrote {output.with_name(name)}")
    except OSError as error:
        raise InfrastructureError(f"{error.filename or output}: {error.strerror}") from None
    tell(f"wrote {output}")


def _boot_here(cell: str, run_name: str, tests: tuple[str, ...], *, shell: bool, gdb: bool) -> int:
    from harness.commands.cache.sharing import in_use
    from harness.commands.cell.cell import choose_tests, find_cell
    from harness.commands.cell.interactive import InteractiveRequest, boot_for_person
    from harness.core.workspace import from_environment

    workspace = from_environment()
    past = find_cell(workspace.find_run(run_name), cell)
    chosen = choose_tests(past.plan.planned, tests)
    with in_use(workspace.cache, tell):
        wish = InteractiveRequest(past, chosen if tests or not shell else (), shell, gdb)
        return boot_for_person(wish, workspace.cache, tell)


@click.command("rerun")
@click.argument("cell")
@click.option("--times", type=click.IntRange(1, 10000), required=True, metavar="N", help="So many times.")
@_run_option
@_test_option
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
    help="CPUs to use.  [default: all]",
)  # fmt: skip
@quiet_option
@as_json_option
def rerun_command(
    cell: str,
    times: int,
    run_name: str,
    tests: tuple[str, ...],
    jobs: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Boot a cell's kernel many times, and say how often each test fails.

    CELL is ARCH/VARIANT of a run, or ARCH for all of its kernels. An interrupted rerun goes on where it
    stopped when the same command is given again. Exit status: 0 nothing ever failed, 1 something did,
    3 nothing could be said.
    """
    from harness.commands.cell.cell import choose_tests, find_cells
    from harness.commands.cell.rerun import RerunRequest, rerun
    from harness.commands.reports import print_rerun_outcome
    from harness.commands.results_store import remember
    from harness.core.progress import Progress
    from harness.core.workspace import from_environment

    workspace = from_environment()
    cells = find_cells(workspace.find_run(run_name), cell)
    request = RerunRequest(cells, times, choose_tests(cells[0].plan.planned, tests), jobs)
    outcome, folder = rerun(request, workspace, Progress(console(stderr=True), quiet))
    remember(folder, workspace, tell)
    print_rerun_outcome(outcome, folder, as_json, console())
    return outcome.exit_code
