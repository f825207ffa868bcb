# SPDX-License-Identifier: GPL-2.0-only
"""Where a worker carries out steps: its cache, its pool of CPU tokens, what it has running."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.cluster.exchange import PARCELS, Exchange
from harness.cluster.step_messages import Delivery, MissingCommit, Order, WorkerContext
from harness.cluster.tags import Ability
from harness.commands.cache.sharing import in_use
from harness.commands.study import DISK_FREE_BYTES
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.core.workspace import Workspace
from harness.sources.git.worktree_pool import Worktrees


class WorkerSession:
    """One worker's; all of its steps share it."""

    def __init__(
        self,
        ability: Ability,
        workspace: Workspace,
        log: Callable[[str], None],
        exchange: Path | None = None,
        announce: Callable[[str], None] = lambda tag: None,
    ) -> None:
        """`exchange` is the folder as this machine reaches it; by default the path on the controller."""
        self.ability = ability
        self.name = ability.worker
        self._cache = workspace.cache
        self._log = log
        self._exchange = exchange
        self._announce = announce
        self._scratch = workspace.state / "cluster" / self.name
        self._jobserver = Jobserver(ability.cores)
        self._worktrees = Worktrees(workspace.cache, log)
        self._running: dict[str, Children] = {}
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()

    def perform(self, order: Order) -> Delivery:
        """Carry out an order; what this machine can't do is told, not raised.

        Raises:
            Stopped: if the order is cancelled.
        """
        blank = Delivery(order.key, self.name)
        try:
            self._admit(order)
            with self._children_of(order.key) as children, in_use(self._cache, self._log):
                return self._carry_out(order, blank, children)
        except MissingCommit as missing:
            return replace(blank, lacks_commit=missing.commit)
        except HarnessError as error:
            return replace(blank, trouble="; ".join(filter(None, (str(error), error.hint))))
        except OSError as error:
            return replace(blank, trouble=f"{error.filename or self._scratch}: {error.strerror or error}")

    def _admit(self, order: Order) -> None:
        """Refuse what this machine must not do.

        Raises:
            HarnessError: saying why.
        """
        if order.harness != self.ability.harness:
            raise InfrastructureError(
                f"worker {self.name} has program version {self.ability.harness}, "
                f"the controller {order.harness}"
            )
        run = self._exchange_for(order).folder / PARCELS / order.parcel.split("/")[0]
        if not run.is_dir():
            raise InfrastructureError(
                f"worker {self.name} has no {run}, which the controller has made",
                hint="All machines must reach the exchange: mount it, or start the worker with --exchange.",
            )
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._cache.mkdir(parents=True, exist_ok=True)
        for folder in (self._cache, self._scratch):
            free = shutil.disk_usage(folder).free
            if free < DISK_FREE_BYTES:
                raise InfrastructureError(
                    f"worker {self.name}: {folder} has {free >> 20} MiB left; "
                    f"at least {DISK_FREE_BYTES >> 20} MiB are needed"
                )

    def _carry_out(self, order: Order, blank: Delivery, children: Children) -> Delivery:
        out = self._scratch / uuid.uuid4().hex
        out.mkdir()
        context = WorkerContext(
            ability=self.ability,
            cache=self._cache,
            exchange=self._exchange_for(order),
            out=out,
            jobserver=self._jobserver,
            worktrees=self._worktrees,
            children=children,
            log=self._log,
            announce=self._announce,
        )
        try:
            value = order.step.carry_out(context)
            children.raise_if_stopping()
            parcel = f"{order.parcel}/{out.name}"
            return replace(blank, value=value, parcel=parcel, sums=context.exchange.send(parcel, out))
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _exchange_for(self, order: Order) -> Exchange:
        return Exchange(self._exchange or Path(order.exchange))

    @contextmanager
    def _children_of(self, key: str) -> Iterator[Children]:
        children = Children()
        with self._lock:
            if key in self._cancelled:
                children.end_all()
            self._running[key] = children
        try:
            children.raise_if_stopping()
            yield children
        finally:
            with self._lock:
                self._running.pop(key, None)

    def cancel(self, key: str) -> None:
        """End the process groups of an attempt that the controller has abandoned."""
        with self._lock:
            self._cancelled.add(key)
            children = self._running.get(key)
        if children:
            children.end_all()

    def cancel_all(self) -> None:
        """End everything that is running."""
        with self._lock:
            keys = list(self._running)
        for key in keys:
            self.cancel(key)

    def close(self) -> None:
        """Leave nothing behind."""
        self.cancel_all()
        self._jobserver.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)
