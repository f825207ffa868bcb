"""The commands that make a cluster, and the options that use one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli_parts import tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.executor import Site
    from harness.workspace import Workspace

_FOLDER = click.Path(path_type=Path, file_okay=False)
exchange_option = click.option(
    "--exchange", type=_FOLDER, metavar="DIR",
    help="Folder that all machines of the cluster reach, as it is called here.  [default: the cache]",
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

    request = ClusterRequest(scheduler or "", local or "", arguments["jobs"], arguments["exchange"])
    with connected(request, workspace, tell) as cluster:
        yield cluster


@click.group("cluster")
def cluster_group() -> None:
    """Several machines that build and boot together (docs/cluster.md)."""


@cluster_group.command("scheduler")
@click.argument("address")
def scheduler_command(address: str) -> None:
    """Run the scheduler; it listens at ADDRESS, such as tls://0.0.0.0:8786."""
    from harness.cluster.address import parse_address
    from harness.cluster.engine import no_encryption, set_up

    where = parse_address(address)
    set_up()
    from harness.cluster.scheduler import schedule

    schedule(where, no_encryption(), tell)


@cluster_group.command("worker")
@click.argument("address")
@click.option(
    "--cores", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
    help="Use so many.  [default: number of CPUs]",
)  # fmt: skip
@exchange_option
def worker_command(address: str, cores: int, exchange: Path | None) -> None:
    """Work for the scheduler at ADDRESS with what this machine has (thp-harness doctor)."""
    from harness.cluster.address import parse_address
    from harness.cluster.engine import no_encryption, set_up
    from harness.workspace import from_environment

    where = parse_address(address)
    set_up()
    from harness.cluster.worker import WorkerRequest, work

    workspace = from_environment()
    workspace.create()
    work(WorkerRequest(where, cores, no_encryption(), exchange), workspace, tell)
