# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness hosts`: list, check, recover and reserve physical hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    as_json_option,
    complete,
    echo,
    log,
    print_checks_found,
    print_document,
    print_json,
)
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


@click.group("hosts")
def hosts_group() -> None:
    """List, check and reserve physical hosts.

    They boot the kernels of `run --host`. Host records are YAML files in configs/hosts and
    ~/.config/thp-harness/hosts.
    """


@hosts_group.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """List the hosts and their last known state.

    Connects to none of them.
    """
    from harness.config.catalogue import load_all
    from harness.config.host import HostRecord
    from harness.core.workspace import from_environment
    from harness.machines.host.listing import as_document, list_hosts, print_hosts

    hosts = list_hosts(load_all(HostRecord), from_environment().state)
    print_document(as_document(hosts), as_json, lambda console: print_hosts(hosts, console))


@hosts_group.command("check")
@_name
@as_json_option
def check_command(name: str, as_json: bool) -> int:
    """Check whether a host is fit for a run.

    Names a fix for what is wrong. Writes a line into the host's kernel log to test its console. Exit
    status: 0 fit, 3 not fit.
    """
    from harness.config.host import arch_of
    from harness.machines.host.check import as_document, examine

    record, memory = _known(name)
    checks = examine(record, arch_of(record), memory)
    return print_checks_found(checks, as_document(record, checks), as_json)


@hosts_group.command("recover")
@_name
@as_json_option
def recover_command(name: str, as_json: bool) -> int:
    """Bring a host back to its own kernel.

    Tries all methods of the host record, and clears the failure state of the host. Exit status: 0 the
    host is back, 3 it is not.
    """
    from contextlib import ExitStack
    from dataclasses import asdict

    from harness.machines.host.lease import HostLease
    from harness.machines.host.recovery import SCHEMA, HostStatus, look
    from harness.machines.host.remote.console import open_console

    record, memory = _known(name)
    lease = HostLease(record, memory, log)
    with ExitStack() as opened:
        by_itself = look(record, memory.standing().away) is HostStatus.BACK
        audible = record.console and not record.is_mute and not by_itself
        console = open_console(record) if audible else None
        if console:
            opened.callback(console.close)
        recovery = lease.recover(console, by_itself=by_itself)
    if as_json:
        steps = [asdict(step) for step in recovery.steps]
        print_json({"schema": SCHEMA, "host": name, "back": recovery.back, "steps": steps})
        return 0 if recovery.back else InfrastructureError.default_exit_code
    if not recovery.back:
        raise InfrastructureError(
            f"{name} did not come back: {recovery}",
            hint="Somebody must look at it; then give this command again.",
        )
    echo(f"{name} is back: {recovery}")
    return 0


@hosts_group.command("reserve")
@_name
@click.option(
    "--hours", type=click.FloatRange(0, 24 * 14, min_open=True), metavar="N",
    help="Reservation length in hours.  [default: from the host record]",
)  # fmt: skip
@click.option(
    "--for", "purpose", default="by hand", show_default=True, metavar="REASON",
    help="Reason shown to other users.",
)  # fmt: skip
@as_json_option
def reserve_command(name: str, hours: float | None, purpose: str, as_json: bool) -> None:
    """Reserve a host, or extend a reservation.

    Only your own runs may use a host that you reserved.
    """
    from harness.machines.host.remote.reservation import current, take
    from harness.machines.host.remote.ssh import connected

    record, memory = _known(name)
    with connected(record) as link:
        take(link, memory, purpose, hours or record.limits.reserve_hours)
        found = current(link)
    _print_reservation(name, found, as_json)


@hosts_group.command("release")
@_name
@click.option("--force", is_flag=True, help="Release the reservation of another user, too.")
@as_json_option
def release_command(name: str, force: bool, as_json: bool) -> None:
    """Release a reserved host."""
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
        print_json({"schema": SCHEMA, "host": name, "reservation": found.as_document() if found else None})
    else:
        echo(f"{name} is reserved: {found}" if found else f"{name} is free")
