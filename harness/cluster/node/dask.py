# SPDX-License-Identifier: GPL-2.0-only
"""How dask.distributed is set up for what we do: few, long steps that must not be done twice in silence."""

from __future__ import annotations

import logging

from harness.core.errors import UsageError

WORKER_SILENCE = "30s"
"""Silence after which a worker counts as dead (default of dask: five minutes)."""
SETTINGS = {
    # An attempt that ends with its worker is ours to count and to repeat.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": WORKER_SILENCE,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "60s",
}
INFORMATION = "127.0.0.1:0"
"""dask's own pages stay off: they show arguments, without encryption."""


def set_up() -> None:
    """Configure dask.distributed in this process.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise UsageError(
            f"{error.name} is not installed: only runs on several machines need it",
            hint="pip install 'thp-harness[dist]'",
        ) from None
    assert distributed  # its settings are defaults that ours must come after
    dask.config.set(SETTINGS)
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
