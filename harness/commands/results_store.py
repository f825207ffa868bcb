# SPDX-License-Identifier: GPL-2.0-only
"""The store of results: its address, and imports at the end of a run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import InfrastructureError
from harness.core.workspace import Workspace

if TYPE_CHECKING:
    from results.store.store import Imported, Store

VARIABLE = "THP_HARNESS_STORE"
FILE = "results.db"
LATER = "thp-harness results import"
_RUN_PATIENCE_SECONDS = 10.0
"""Time that a finished run waits for other writers of the store."""


def store_address(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the store: THP_HARNESS_STORE, or a SQLite file in the state folder."""
    return environment.get(VARIABLE) or str(workspace.state / FILE)


@contextmanager
def opened(address: str, patience: float | None = None) -> Iterator[Store]:
    """Open the store at an address.

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
        raise InfrastructureError(f"store {error}", hint=error.hint) from error


def rebuild(
    address: str, places: Sequence[Path], told: Callable[[Imported], None], log: Callable[[str], None]
) -> tuple[str, list[Imported]]:
    """Make the store at an address again, from its folders and those below `places`.

    A store that is damaged, in whatever way, is put aside.

    Raises:
        InfrastructureError: if it can't be used for another reason: locked, no rights, no disk space.
    """
    from results.store.engine import StoreError, address_of, start_again
    from results.store.folder import find_folders

    known: list[Path] = []
    try:
        with opened(address) as store:
            known = store.paths()
            return store.name, store.rebuild(find_folders([*known, *places]), told)
    except Exception as error:  # values of wrong types raise anything
        cause = error.__cause__ if isinstance(error, InfrastructureError) else error
        if isinstance(error, OSError) or (isinstance(cause, StoreError) and cause.is_passing):
            raise
        try:
            log(f"{error}: {start_again(address_of(address))}")
        except StoreError as refused:
            raise InfrastructureError(f"store {refused}", hint=refused.hint) from None
    with opened(address) as store:
        return store.name, store.rebuild(find_folders([*known, *places]), told)


def get_ready() -> None:
    """Import the modules that `remember` needs in the background: that takes a tenth of a short bisection."""
    threading.Thread(target=import_module, args=("results.store.store",), daemon=True).start()


def remember(folder: Path, workspace: Workspace, log: Callable[[str], None]) -> bool:
    """Import a finished folder into the store; a failure is logged only."""
    try:
        from results.store.store import ImportState

        with opened(store_address(workspace), _RUN_PATIENCE_SECONDS) as store:
            outcome = store.import_folders([folder])[0]
    except Exception as error:
        # The run is done and its verdict stands, whatever a database or its driver thinks of next.
        log(f"thp-harness: not in the store of results: {error}")
        log(f"  Import it later: {LATER} {folder}")
        return False
    if outcome.state is ImportState.REFUSED:
        log(f"thp-harness: not in the store of results: {outcome.why}")
    return outcome.state is not ImportState.REFUSED
