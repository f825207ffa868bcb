# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness repro`: build and boot a kernel of an earlier run by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.options import log
from harness.core.errors import InfrastructureError, UsageError

run_option = click.option(
    "--run", "run_name", default="latest", show_default=True, metavar="RUN",
    help="Folder or name of a run or a walk; `latest` is the last run.",
)  # fmt: skip
test_option = click.option(
    "--test", "tests", multiple=True, metavar="TEST",
    help="Name or shell pattern of the tests to run; may be repeated.  [default: all]",
)  # fmt: skip


@click.command("repro")
@click.argument("cell")
@run_option
@test_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the script to FILE, and the guest's initramfs beside it.  [default: stdout]",
)  # fmt: skip
@click.option("--shell", is_flag=True, help="Boot the kernel here with a shell on the console; no script.")
@click.option("--gdb", is_flag=True, help="Boot the kernel here, halted for a debugger; no script.")
def repro_command(
    cell: str, run_name: str, tests: tuple[str, ...], output: Path | None, shell: bool, gdb: bool
) -> int:
    """Print a script that builds and boots a kernel.

    The script works without this program. CELL is ARCH/VARIANT of a run, such as x86_64/series, or ARCH
    for all kernels of an architecture.
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
            log(f"wrote {output.with_name(name)}")
    except OSError as error:
        raise InfrastructureError(f"{error.filename or output}: {error.strerror}") from None
    log(f"wrote {output}")


def _boot_here(cell: str, run_name: str, tests: tuple[str, ...], *, shell: bool, gdb: bool) -> int:
    from harness.commands.cache.sharing import in_use
    from harness.commands.cell.cell import choose_tests, find_cell
    from harness.commands.cell.interactive import InteractiveRequest, boot_for_person
    from harness.core.workspace import from_environment

    workspace = from_environment()
    past = find_cell(workspace.find_run(run_name), cell)
    chosen = choose_tests(past.plan.planned, tests)
    with in_use(workspace.cache, log):
        request = InteractiveRequest(past, chosen if tests or not shell else (), shell, gdb)
        return boot_for_person(request, workspace.cache, log)
