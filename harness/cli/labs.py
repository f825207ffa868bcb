# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness labs`: list and check LAVA labs."""

from __future__ import annotations

import click

from harness.cli.options import as_json_option, complete, print_checks_found, print_document


@click.group("labs")
def labs_group() -> None:
    """List and check LAVA labs.

    Their boards boot the kernels of `run --lab`. Lab records are YAML files in configs/labs and
    ~/.config/thp-harness/labs.
    """


@labs_group.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """List the labs, without connecting to them."""
    from harness.config.catalogue import load_all
    from harness.config.lab import LabRecord
    from harness.machines.lava.listing import as_document, list_labs, print_labs

    labs = list_labs(load_all(LabRecord))
    print_document(as_document(labs), as_json, lambda console: print_labs(labs, console))


@labs_group.command("check")
@click.argument("name", shell_complete=complete("labs"))
@as_json_option
def check_command(name: str, as_json: bool) -> int:
    """Check whether a lab is fit for a run.

    Names a fix for what is wrong; boots nothing. Uploads a small file to where the lab fetches kernels,
    and fetches it. Exit status: 0 fit, 3 not fit.
    """
    from harness.config.catalogue import find
    from harness.config.lab import LabRecord
    from harness.machines.lava.check import as_document, examine

    record = find(LabRecord, name)
    checks = examine(record)
    return print_checks_found(checks, as_document(record, checks), as_json)
