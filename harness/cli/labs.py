# SPDX-License-Identifier: GPL-2.0-only
"""Commands for LAVA labs: which there are, and whether one is fit for a run."""

from __future__ import annotations

import json

import click

from harness.cli.options import as_json_option, complete
from harness.core.errors import InfrastructureError


@click.group("labs")
def labs_group() -> None:
    """LAVA labs for `run --lab`: list them, look one over.

    Their records are YAML files in configs/labs and ~/.config/thp-harness/labs.
    """


@labs_group.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """List the labs; asks none of them."""
    from rich.console import Console

    from harness.config.catalogue import load_all
    from harness.config.lab import LabRecord
    from harness.machines.lava.listing import as_document, list_labs, print_labs

    labs = list_labs(load_all(LabRecord))
    if as_json:
        click.echo(json.dumps(as_document(labs), indent=2))
    else:
        print_labs(labs, Console())


@labs_group.command("check")
@click.argument("name", shell_complete=complete("labs"))
@as_json_option
def check_command(name: str, as_json: bool) -> int:
    """Say what is wrong with a lab, and how to put it right. Nothing is booted.

    A small file is put where the lab fetches kernels, and fetched from there.

    Exit status: 0 fit for a run, 3 not.
    """
    from rich.console import Console

    from harness.commands.doctor import print_checks
    from harness.config.catalogue import find
    from harness.config.lab import LabRecord
    from harness.machines.lava.check import as_document, examine

    record = find(LabRecord, name)
    checks = examine(record)
    if as_json:
        click.echo(json.dumps(as_document(record, checks), indent=2))
    else:
        print_checks(checks, Console())
    fit = all(check.ok is not False for check in checks)
    return 0 if fit else InfrastructureError.default_exit_code
