# SPDX-License-Identifier: GPL-2.0-only
"""Commands for physical hosts: which there are, whether one is fit for a run, who has it, getting it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, complete
from harness.core.errors import InfrastructureError

if TYPE_CHECKING:
    from harness.config.host import HostRecord
    from harness.machines.host.remote.reservation import Reservation
    from harness.machines.host.remote.state import HostStateFile


_name = click.argument("name", shell_complete=complete("hosts"))


def _known(name: str) -> tuple[HostRecord, HostStateFile]:
    from harness.config.catalogue import find
    from harness.config.host import HostRecord
    from harness.core.workspace import from_environment
    from harness.machines.host.remote.state import HostStateFile

    record = find(HostRecord, name)
    return record, HostStateFile(from_environment().state, record.name)


def _print(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))


@click.group("hosts")
def hosts_group() -> None:
    """Physical hosts for `run --host`: list them, look one over, reserve it, get it back.

    Their records are YAML files in configs/hosts and ~/.config/thp-harness/hosts.
    """


@hosts_group.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """List the hosts, and what is remembered of them; asks none of them."""
    from rich.console import Console

    from harness.config.catalogue import load_all
    from harness.config.host import HostRecord
    from harness.core.workspace import from_environment
    from harness.machines.host.listing import as_document, list_hosts, print_hosts

    hosts = list_hosts(load_all(HostRecord), from_environment().state)
    if as_json:
        _print(as_document(hosts))
    else:
        print_hosts(hosts, Console())


@hosts_group.command("check")
@_name
@as_json_option
def check_command(name: str, as_json: bool) -> int:
    """Say what is wrong with a host, and how to put it right.

    It leaves a line in the host's kernel log, to see whether the console shows it.

    Exit status: 0 fit for a run, 3 not.
    """
    from rich.console import Console

    from harness.commands.doctor import print_checks
    from harness.config.host import arch_of
    from harness.machines.host.check import as_document, examine

    record, memory = _known(name)
    checks = examine(record, arch_of(record), memory)
    if as_json:
        _print(as_document(record, checks))
    else:
        print_checks(checks, Console())
    fit = all(check.ok is not False for check in checks)
    return 0 if fit else InfrastructureError.default_exit_code


@hosts_group.command("recover")
@_name
@as_json_option
def recover_command(name: str, as_json: bool) -> int:
    """Get a host back to its own kernel, by all means that its record has, and forget that it needed care."""
    from contextlib import ExitStack
    from dataclasses import asdict

    from harness.machines.host.lease import HostLease
    from harness.machines.host.recovery import SCHEMA, HostStatus, look
    from harness.machines.host.remote.console import open_console

    record, memory = _known(name)
    keeper = HostLease(record, memory, lambda line: click.echo(line, err=True))
    with ExitStack() as opened:
        by_itself = look(record, memory.standing().away) is HostStatus.BACK
        audible = record.console and not record.is_mute and not by_itself
        console = open_console(record) if audible else None
        if console:
            opened.callback(console.close)
        recovery = keeper.recover(console, by_itself=by_itself)
    if as_json:
        steps = [asdict(step) for step in recovery.steps]
        _print({"schema": SCHEMA, "host": name, "back": recovery.back, "steps": steps})
        return 0 if recovery.back else InfrastructureError.default_exit_code
    if not recovery.back:
        raise InfrastructureError(
            f"{name} did not come back: {recovery}",
            hint="Somebody must look at it; then give this command again.",
        )
    click.echo(f"{name} is back: {recovery}")
    return 0


@hosts_group.command("reserve")
@_name
@click.option(
    "--hours", type=click.FloatRange(0, 24 * 14, min_open=True), metavar="N", help="So long.  [the record's]"
)
@click.option("--for", "purpose", default="by hand", metavar="WORDS", help="What others are told.")
@as_json_option
def reserve_command(name: str, hours: float | None, purpose: str, as_json: bool) -> None:
    """Keep a host for yourself, or keep it longer. Runs of yours may use it, others' may not."""
    from harness.machines.host.remote.reservation import current, take
    from harness.machines.host.remote.ssh import connected

    record, memory = _known(name)
    with connected(record) as link:
        take(link, memory, purpose, hours or record.limits.reserve_hours)
        found = current(link)
    _print_reservation(name, found, as_json)


@hosts_group.command("release")
@_name
@click.option("--force", is_flag=True, help="Also if somebody else has it.")
@as_json_option
def release_command(name: str, force: bool, as_json: bool) -> None:
    """Let others have a host."""
    from harness.machines.host.remote.reservation import current, release
    from harness.machines.host.remote.ssh import connected

    record, memory = _known(name)
    with connected(record) as link:
        release(link, memory, force=force)
        left = current(link)
    if left:
        raise InfrastructureError(f"{name} is not yours: {left}", hint="--force takes it from them.")
    _print_reservation(name, None, as_json)


def _print_reservation(name: str, found: Reservation | None, as_json: bool) -> None:
    from harness.machines.host.remote.reservation import SCHEMA

    if as_json:
        _print({"schema": SCHEMA, "host": name, "reservation": found.as_document() if found else None})
    else:
        click.echo(f"{name} is reserved: {found}" if found else f"{name} is free")
