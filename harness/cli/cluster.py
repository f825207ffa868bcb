# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness cluster`: the commands that make a cluster, and the options that use one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, echo, log, print_document
from harness.core.errors import UsageError

if TYPE_CHECKING:
    from harness.core.workspace import Workspace
    from harness.engine.executor import Site

_FOLDER = click.Path(path_type=Path, file_okay=False)
exchange_option = click.option(
    "--exchange", type=_FOLDER, metavar="DIR",
    help="Directory that all machines of the cluster share, as it is mounted here.  [default: the cache]",
)  # fmt: skip
certs_option = click.option(
    "--certs", type=_FOLDER, envvar="THP_HARNESS_CERTS", show_envvar=True, metavar="DIR",
    help="Directory of ca.pem, cert.pem and key.pem, needed for tls:// (thp-harness cluster certs).",
)  # fmt: skip


def clustering(command: Any) -> Any:
    """Add the options that build and boot on other machines; `site_of` reads them."""
    options = (
        click.option(
            "--scheduler", metavar="ADDRESS",
            help="Scheduler whose workers build and boot: tls://HOST:PORT (docs/cluster.md).",
        ),
        click.option(
            "--cluster", metavar="local:N",
            help="Build and boot with N workers on this machine, to try a cluster.",
        ),
        exchange_option,
        certs_option,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def site_of(arguments: dict[str, Any], workspace: Workspace) -> Iterator[Site | None]:
    """Connect to the cluster that the options of `clustering` name; None for this machine.

    Raises:
        HarnessError: for options that exclude each other, or a cluster that can't be used.
    """
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
    with connected(request, workspace, log) as cluster:
        yield cluster


@click.group("cluster")
def cluster_group() -> None:
    """Set up machines that build and boot together.

    See docs/cluster.md.
    """


@cluster_group.command("certs")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=365,
    show_default=True,
    metavar="N",
    help="Validity in days.",
)
@as_json_option
def certs_command(folder: Path, names: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make the certificates of a cluster.

    Writes a certificate authority to DIR, and the certificate and key of each machine to DIR/NAME. Copy
    DIR/NAME to the machine NAME, and pass it there as --certs. Keep DIR/ca-key.pem secret.
    """
    from harness.cluster.status import CERTS_SCHEMA
    from harness.cluster.tls.certificates import make_certificates

    made = [str(path) for path in make_certificates(folder, names, days)]
    document = {"schema": CERTS_SCHEMA, "authority": str(folder), "folders": made}
    print_document(document, as_json, lambda console: echo("\n".join(made)))


@cluster_group.command("status")
@click.argument("address")
@certs_option
@as_json_option
def status_command(address: str, certs: Path | None, as_json: bool) -> int:
    """List the workers of a scheduler.

    Shows the tools of each worker of the scheduler at ADDRESS. Exit status: 0, or 3 if there are none.
    """
    from harness.cluster.connect import members_at
    from harness.cluster.status import as_document, print_members
    from harness.cluster.tls.address import parse_address

    members = members_at(parse_address(address), certs)
    print_document(as_document(members), as_json, lambda console: print_members(members, console))
    return 0 if members else 3


@cluster_group.command("scheduler")
@click.argument("address")
@certs_option
def scheduler_command(address: str, certs: Path | None) -> None:
    """Run the scheduler of a cluster.

    It listens at ADDRESS, such as tls://0.0.0.0:8786, until it is stopped.
    """
    from harness.cluster.connect import certificates_for
    from harness.cluster.node.dask import set_up
    from harness.cluster.tls.address import parse_address

    where = parse_address(address)
    certificates = certificates_for(where, certs)
    set_up()
    from harness.cluster.node.scheduler import schedule

    schedule(where, certificates, log)


@cluster_group.command("worker")
@click.argument("address")
@click.option(
    "--cores", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
    help="Number of CPUs to use.  [default: all]",
)  # fmt: skip
@exchange_option
@certs_option
def worker_command(address: str, cores: int, exchange: Path | None, certs: Path | None) -> None:
    """Run a worker on this machine.

    It builds and boots for the scheduler at ADDRESS, with the tools that `thp-harness doctor` shows.
    """
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
    work(WorkerRequest(where, cores, certificates, exchange), workspace, log)
