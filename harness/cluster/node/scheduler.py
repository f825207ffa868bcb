# SPDX-License-Identifier: GPL-2.0-only
"""The scheduler: knows who is there, and hands steps out. It keeps nothing that could be lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from harness.cluster.node.dask import INFORMATION
from harness.cluster.tls.address import Address
from harness.cluster.tls.certificates import Certificates, security
from harness.core.errors import InfrastructureError


def schedule(address: Address, certificates: Certificates | None, log: Callable[[str], None]) -> None:
    """Be a scheduler until SIGINT or SIGTERM.

    Raises:
        InfrastructureError: if the address can't be listened at.
    """
    asyncio.run(_schedule(address, certificates, log))


async def _schedule(address: Address, certificates: Certificates | None, log: Callable[[str], None]) -> None:
    from distributed import Scheduler

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        scheduler = await Scheduler(
            host=address.host,
            port=address.port,
            protocol=f"{address.protocol}://",
            security=security(certificates),
            dashboard=False,
            dashboard_address=INFORMATION,
        )
    except OSError as error:
        raise InfrastructureError(f"{address} can't be listened at: {error.strerror or error}") from None
    log(f"scheduler at {scheduler.address}")
    try:
        await stopping.wait()
    finally:
        await scheduler.close()
