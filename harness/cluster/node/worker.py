# SPDX-License-Identifier: GPL-2.0-only
"""A worker: joins a scheduler, tells what its machine can do, carries out what it is given.

When the scheduler goes away, everything that runs is ended (no one takes its results), and the
worker looks for the scheduler again.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster.node.worker_session import WorkerSession
from harness.cluster.step_messages import Order, to_text
from harness.cluster.tags import look_around
from harness.cluster.tls.address import Address
from harness.cluster.tls.certificates import Certificates, security
from harness.cluster.tls.handshake import greet
from harness.core.errors import InfrastructureError
from harness.core.workspace import Workspace

JOIN_SECONDS = 10.0
_RUNNING = ("executing", "long-running")
_DONE = ("memory", "error")
_session: WorkerSession | None = None


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """Options of a worker."""

    address: Address
    cores: int
    certificates: Certificates | None = None
    exchange: Path | None = None
    """The folder of the exchange as this machine reaches it; by default the path on the controller."""
    patience: float = 600.0
    """Seconds to look for a scheduler."""


def perform(order: Order) -> str:
    """Carry out a step, and return its delivery as JSON; dask calls it in a thread of the worker."""
    assert _session, "only a worker that was started by `work` has a session"
    return to_text(_session.perform(order))


def work(request: WorkerRequest, workspace: Workspace, log: Callable[[str], None]) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Raises:
        InfrastructureError: if no scheduler answers within `patience`.
        UsageError: if the scheduler rejects this worker.
    """
    asyncio.run(_work(request, workspace, log))


async def _work(request: WorkerRequest, workspace: Workspace, log: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    loop = asyncio.get_running_loop()
    lost = loop.time()
    while not stopping.is_set():
        if await _serve(request, workspace, log, stopping):
            lost = loop.time()
        elif loop.time() - lost > request.patience:
            raise InfrastructureError(
                f"there is no scheduler at {request.address}",
                hint="Start one with `thp-harness cluster scheduler ADDRESS`.",
            )
        if not stopping.is_set():
            log(f"looking for the scheduler at {request.address}")
            await _pause(stopping)


async def _pause(stopping: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), 1.0)
    except TimeoutError:
        return


async def _serve(
    request: WorkerRequest, workspace: Workspace, log: Callable[[str], None], stopping: asyncio.Event
) -> bool:
    """Work until the scheduler is lost or `stopping` is set; False if it was not found."""
    global _session
    from distributed import Worker

    try:
        await asyncio.to_thread(greet, request.address, request.certificates)
    except InfrastructureError:
        return False
    ability = look_around(request.cores, workspace.cache)
    loop = asyncio.get_running_loop()

    def announce(tag: str) -> None:
        more = worker.set_resources(**{tag: float(request.cores)})
        asyncio.run_coroutine_threadsafe(more, loop).result(JOIN_SECONDS)

    session = _session = WorkerSession(ability, workspace, log, request.exchange, announce)
    worker = Worker(
        str(request.address),
        nthreads=request.cores,
        name=session.name,
        host=await asyncio.to_thread(_own_address, request.address),
        security=security(request.certificates),
        resources=session.ability.resources(request.cores),
        memory_limit=0,
        startup_information={"ability": lambda _: session.ability.as_document()},
        plugins=(_canceller(session),),
        dashboard_address="127.0.0.1:0",
        death_timeout=JOIN_SECONDS,
        local_directory=str(workspace.state / "cluster"),
    )
    try:
        await asyncio.wait_for(worker, JOIN_SECONDS + 5)
    except (OSError, TimeoutError, RuntimeError, ValueError):
        await worker.close(reason="no scheduler", executor_wait=False)
        session.close()
        return False
    log(f"worker {session.name} has joined {request.address}")
    try:
        waiting = {asyncio.ensure_future(worker.finished()), asyncio.ensure_future(stopping.wait())}
        _, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()
    finally:
        session.cancel_all()
        await worker.close(executor_wait=False)
        session.close()
    return True


def _own_address(scheduler: Address) -> str:
    """Return the address in the network that leads to the scheduler. Nothing is sent."""
    (family, kind, *_, where), *_ = socket.getaddrinfo(
        scheduler.host.strip("[]"), scheduler.port, type=socket.SOCK_DGRAM
    )
    with socket.socket(family, kind) as probe:
        probe.connect(where)
        host: str = probe.getsockname()[0]
        return host


def _canceller(session: WorkerSession) -> Any:
    from distributed.diagnostics.plugin import WorkerPlugin

    class Canceller(WorkerPlugin):
        """dask lets a cancelled step's thread run on; we end what it has started."""

        def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
            """A running step that the controller has abandoned."""
            if start in _RUNNING and finish not in (*_RUNNING, *_DONE):
                session.cancel(str(key))

        def teardown(self, worker: Any) -> None:
            """The worker ends: so does all that it has started."""
            session.cancel_all()

    return Canceller()
