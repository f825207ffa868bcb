# SPDX-License-Identifier: GPL-2.0-only
"""The store of results: where it is, and how it is told when it can't be used."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import InfrastructureError
from harness.core.workspace import Workspace

if TYPE_CHECKING:
    from results.store.store import Store

VARIABLE = "THP_HARNESS_STORE"
FILE = "results.db"
LATER = "thp-harness results import"
_RUN_PATIENCE_SECONDS = 10.0
"""So long a run waits at its end for others who write to the store."""


def store_address(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> str:
    """What the environment says, else an SQLite file among the state."""
    return environment.get(VARIABLE) or str(workspace.state / FILE)


def homes(workspace: Workspace) -> tuple[Path, ...]:
    """The folders in which this machine's run folders are."""
    return (workspace.runs, workspace.walks, workspace.bisects, workspace.reruns, workspace.simulated)


@contextmanager
def opened(address: str, patience: float | None = None) -> Iterator[Store]:
    """The store at an address.

    Raises:
        InfrastructureError: if it can't be used, now or later.
    """
    from results.store.engine import PATIENCE_SECONDS, StoreError
    from results.store.store import open_store

    try:
        store = open_store(address, PATIENCE_SECONDS if patience is None else patience)
        try:
            yield store
        finally:
            store.close()
    except StoreError as error:
        raise InfrastructureError(f"store {error}", hint=error.hint) from None


def get_ready() -> None:
    """Load what `remember` needs while kernels boot: it takes a tenth of the time of some bisections."""
    threading.Thread(target=import_module, args=("results.store.store",), daemon=True).start()


def remember(folder: Path, workspace: Workspace, say: Callable[[str], None]) -> bool:
    """Import a folder that has just been finished; a store that can't take it is told, no more."""
    try:
        from results.store.store import ImportState

        with opened(store_address(workspace), _RUN_PATIENCE_SECONDS) as store:
            outcome = store.import_folders([folder])[0]
    except Exception as error:
        # The run is done and its verdict stands, whatever a database or its driver thinks of next.
        say(f"thp-harness: not in the store of results: {error}")
        say(f"  Import it later: {LATER} {folder}")
        return False
    if outcome.state is ImportState.REFUSED:
        say(f"thp-harness: not in the store of results: {outcome.why}")
    return outcome.state is not ImportState.REFUSED
