# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import click

from harness.cli.options import as_json_option, complete, echo, print_checks_found


@click.command("doctor")
@click.option(
    "--arch", "arches", multiple=True, shell_complete=complete("arches"), metavar="NAME",
    help="Architecture to check for; may be repeated.  [default: those of a bare `run`]",
)  # fmt: skip
@click.option("--packages", is_flag=True, help="Print only the missing Debian packages, on one line.")
@as_json_option
def doctor_command(arches: tuple[str, ...], packages: bool, as_json: bool) -> int:
    """Check what this machine has, and what it lacks.

    Checks the tools, the emulators, the disk space and the memory, and names a fix for what is missing.
    Exit status: 0 nothing is missing, 3 something is.
    """
    from harness.build.toolchain import missing_packages
    from harness.commands.doctor import chosen_arches, examine, verdict
    from harness.core.workspace import from_environment

    chosen = chosen_arches(arches)
    if packages:
        echo(" ".join(missing_packages(chosen)))
        return 0
    checks = examine(chosen, from_environment())
    document = {"schema": "thp-harness/doctor/1", "checks": [check.as_document() for check in checks]}
    code = print_checks_found(checks, document, as_json)
    if not as_json:
        click.echo(f"\n{verdict(checks, missing_packages(chosen))}")
    return code
