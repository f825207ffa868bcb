# SPDX-License-Identifier: GPL-2.0-only
"""From what the user asked for to a cluster that plans can be carried out on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster.controller import RECONNECT_SECONDS, WorkerInfo, WorkerList
from harness.cluster.exchange import Exchange
from harness.cluster.local import local_cluster
from harness.cluster.node.dask import set_up
from harness.cluster.site import Cluster
from harness.cluster.tls.address import Address, parse_address
from harness.cluster.tls.certificates import Certificates, read_certificates, security
from harness.cluster.tls.handshake import greet
from harness.core.errors import InfrastructureError, UsageError
from harness.core.workspace import Workspace

JOIN_SECONDS = 60.0
CONNECT_SECONDS = 15.0
MOST_LOCAL = 64


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """Which cluster; one of `scheduler` and `local` is given."""

    scheduler: str = ""
    local: str = ""
    """`local:N`."""
    cores: int = 1
    """All that a local cluster may use together."""
    exchange: Path | None = None
    """The folder that all machines reach; our cache without one."""
    certificates: Path | None = None


@contextmanager
def connected(request: ClusterRequest, workspace: Workspace, log: Callable[[str], None]) -> Iterator[Cluster]:
    """A cluster for the length of a run.

    Raises:
        UsageError: if it was not asked for rightly.
        InfrastructureError: if the scheduler or the workers are not there.
    """
    set_up()
    exchange = Exchange((request.exchange or workspace.cache).absolute())
    with ExitStack() as stack:
        if request.local:
            count = local_workers(request.local)
            logs = workspace.state / "cluster" / "logs"
            address = stack.enter_context(local_cluster(count, request.cores, logs, log))
            client = stack.enter_context(client_of(address, None, JOIN_SECONDS))
            _await_workers(client, count, logs)
        else:
            client = stack.enter_context(_connected(parse_address(request.scheduler), request.certificates))
        yield Cluster(client, exchange, log)


def members_at(address: Address, certificates: Path | None) -> tuple[WorkerInfo, ...]:
    """Read the list of workers from a scheduler.

    Raises:
        HarnessError: as `connected`.
    """
    set_up()
    with _connected(address, certificates) as client:
        return WorkerList(client).members()


@contextmanager
def _connected(address: Address, folder: Path | None) -> Iterator[Any]:
    certificates = certificates_for(address, folder)
    greet(address, certificates)
    with client_of(address, certificates, CONNECT_SECONDS) as client:
        yield client


def certificates_for(address: Address, folder: Path | None) -> Certificates | None:
    """The certificates for an address; none for plain TCP.

    Raises:
        UsageError: if they are needed and not given, or something is wrong with them.
    """
    if not address.encrypted:
        return None
    if folder is None:
        raise UsageError(
            f"{address} takes certificates",
            hint="Name their folder with --certs DIR; `thp-harness cluster certs` makes them.",
        )
    return read_certificates(folder)


def local_workers(text: str) -> int:
    """How many workers `local:N` asks for.

    Raises:
        UsageError: if it is anything else.
    """
    found = re.fullmatch(r"local:([1-9][0-9]?)", text)
    if not found or int(found[1]) > MOST_LOCAL:
        raise UsageError(
            f"--cluster {text!r} is not local:N", hint=f"Like local:4; at most {MOST_LOCAL} workers."
        )
    return int(found[1])


@contextmanager
def client_of(address: Address, certificates: Certificates | None, timeout: float) -> Iterator[Any]:
    """A connection to a scheduler, which dask looks for again when it is lost.

    Raises:
        InfrastructureError: if there is none.
    """
    from distributed import Client

    until = time.monotonic() + timeout
    client = None
    while client is None:
        try:
            client = Client(
                str(address), timeout=timeout, security=security(certificates), set_as_default=False
            )
        except (OSError, TimeoutError) as error:
            if time.monotonic() < until:
                time.sleep(0.2)
                continue
            raise InfrastructureError(
                f"there is no scheduler at {address}: {_first_line(error)}",
                hint=f"Start one with `thp-harness cluster scheduler {address}`.",
            ) from None
    client._timeout = RECONNECT_SECONDS
    try:
        yield client
    finally:
        client.close(timeout=5)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _await_workers(client: Any, count: int, logs: Path) -> None:
    until = time.monotonic() + JOIN_SECONDS
    while len(WorkerList(client).members()) < count:
        if time.monotonic() > until:
            raise InfrastructureError("the local workers do not start", hint=f"See the files in {logs}.")
        time.sleep(0.1)
