# SPDX-License-Identifier: GPL-2.0-only
"""The commands that make a cluster, and the options that use one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, console, tell
from harness.core.errors import UsageError

if TYPE_CHECKING:
    from harness.core.workspace import Workspace
    from harness.engine.executor import Site

_FOLDER = click.Path(path_type=Path, file_okay=False)
exchange_option = click.option(
    "--exchange", type=_FOLDER, metavar="DIR",
    help="Folder that all machines of the cluster reach, as it is called here.  [default: the cache]",
)  # fmt: skip
certs_option = click.option(
    "--certs", type=_FOLDER, envvar="THP_HARNESS_CERTS", show_envvar=True, metavar="DIR",
    help="Folder with ca.pem, cert.pem and key.pem, for tls:// (thp-harness cluster certs).",
)  # fmt: skip


def clustering(command: Any) -> Any:
    """The options that have a command's work done by other machines; `site_of` reads them."""
    options = (
        click.option(
            "--scheduler", metavar="ADDRESS",
            help="Build and boot on the workers of this scheduler: tls://HOST:PORT (docs/cluster.md).",
        ),
        click.option(
            "--cluster", metavar="local:N", help="Build and boot with N workers on this machine, for a try.",
        ),
        exchange_option,
        certs_option,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def site_of(arguments: dict[str, Any], workspace: Workspace) -> Iterator[Site | None]:
    """Where the options of `clustering` want the work done; None for this machine."""
    scheduler, local = arguments["scheduler"], arguments["cluster"]
    if scheduler and local:
        raise UsageError("--scheduler and --cluster exclude each other", hint="Give one of them.")
    if not scheduler and not local:
        yield None
        return
    from harness.cluster.connect import ClusterRequest, connected

    request = ClusterRequest(
        scheduler or "", local or "", arguments["jobs"], arguments["exchange"], arguments["certs"]
    )
    with connected(request, workspace, tell) as cluster:
        yield cluster


@click.group("cluster")
def cluster_group() -> None:
    """Several machines that build and boot together (docs/cluster.md)."""


@cluster_group.command("certs")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--days", type=click.IntRange(min=1), default=365, show_default=True, help="Valid for so long.")
@as_json_option
def certs_command(folder: Path, names: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make an authority in DIR, and in DIR/NAME what each machine needs to be known by the others.

    Copy DIR/NAME to the machine NAME, and give it there as --certs. DIR/ca-key.pem goes nowhere.
    """
    from harness.cluster.status import CERTS_SCHEMA
    from harness.cluster.tls.certificates import make_certificates

    made = [str(path) for path in make_certificates(folder, names, days)]
    if as_json:
        document = {"schema": CERTS_SCHEMA, "authority": str(folder), "folders": made}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo("\n".join(made))


@cluster_group.command("status")
@click.argument("address")
@certs_option
@as_json_option
def status_command(address: str, certs: Path | None, as_json: bool) -> int:
    """Say who works for the scheduler at ADDRESS, and with what. Exit status 3 if nobody does."""
    from harness.cluster.connect import members_at
    from harness.cluster.status import as_document, print_members
    from harness.cluster.tls.address import parse_address

    members = members_at(parse_address(address), certs)
    if as_json:
        click.echo(json.dumps(as_document(members), indent=2))
    else:
        print_members(members, console())
    return 0 if members else 3


@cluster_group.command("scheduler")
@click.argument("address")
@certs_option
def scheduler_command(address: str, certs: Path | None) -> None:
    """Run the scheduler; it listens at ADDRESS, such as tls://0.0.0.0:8786."""
    from harness.cluster.connect import certificates_for
    from harness.cluster.node.dask import set_up
    from harness.cluster.tls.address import parse_address

    where = parse_address(address)
    certificates = certificates_for(where, certs)
    set_up()
    from harness.cluster.node.scheduler import schedule

    schedule(where, certificates, tell)


@cluster_group.command("worker")
@click.argument("address")
@click.option(
    "--cores", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
    help="Use so many.  [default: number of CPUs]",
)  # fmt: skip
@exchange_option
@certs_option
def worker_command(address: str, cores: int, exchange: Path | None, certs: Path | None) -> None:
    """Work for the scheduler at ADDRESS with what this machine has (thp-harness doctor)."""
    from harness.cluster.connect import certificates_for
    from harness.cluster.node.dask import set_up
    from harness.cluster.tls.address import parse_address
    from harness.core.workspace import from_environment

    where = parse_address(address)
    certificates = certificates_for(where, certs)
    set_up()
    from harness.cluster.node.worker import WorkerRequest, work

    workspace = from_environment()
    workspace.create()
    work(WorkerRequest(where, cores, certificates, exchange), workspace, tell)
