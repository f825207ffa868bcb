# SPDX-License-Identifier: GPL-2.0-only
"""The controller's side: gives steps to workers, and sees to it that each is done exactly once.

Attempts are recorded in the run's journal, not in the scheduler. Each attempt at a step has a number, and
only the delivery of the last one is taken. A worker that dies, a scheduler that is lost and restarts, or
this program killed and started again: all end an attempt, and the next one has the next number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cluster.exchange import Exchange
from harness.cluster.node.worker import perform
from harness.cluster.step_messages import Delivery, Order, Step, from_text
from harness.cluster.tags import Ability, demand, from_document, harness_tag
from harness.core.errors import InfrastructureError
from harness.core.process import Stopped
from harness.core.version import program_version
from results.journal.journal import AttemptFact, Journal, decode, read_events
from results.text import first_line

LOST_ATTEMPTS = 20
"""Workers that one step may lose; after that the step counts as their killer."""
REFUSALS = 3
"""Machines that may refuse a step before it fails."""
PATIENCE_SECONDS = 60.0
"""Wait of a step for another worker with its tags, after the last one has left."""
RECONNECT_SECONDS = 120.0
"""Wait for a lost scheduler."""
_LOOK_SECONDS = 2.0
_TICK_SECONDS = 0.5
_ANSWER_SECONDS = 5.0


class StepFailedError(InfrastructureError):
    """A step could not be done anywhere; this says nothing of the kernel."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker, as the scheduler knows it."""

    address: str
    threads: int
    ability: Ability
    tags: frozenset[str]
    """As of now; it may have learned more since it told its ability."""


class WorkerList:
    """Who is there; asked of the scheduler every few seconds at most."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._members: tuple[WorkerInfo, ...] = ()
        self._looked = float("-inf")

    def members(self) -> tuple[WorkerInfo, ...]:
        """All workers of ours; the last answer while the scheduler can't be asked."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_SECONDS:
                self._look()
                self._looked = time.monotonic()
            return self._members

    def _look(self) -> None:
        try:
            ask = self._client.scheduler.identity
            info = self._client.sync(ask, n_workers=-1, callback_timeout=_ANSWER_SECONDS)
        except (OSError, CancelledError, TimeoutError):  # dask looks for it
            return
        self._members = tuple(
            WorkerInfo(
                address,
                worker["nthreads"],
                from_document(worker["ability"]),
                frozenset(worker["resources"]),
            )
            for address, worker in info["workers"].items()
            if "ability" in worker
        )


@dataclass(slots=True)
class _Tries:
    """What has become of the attempts at one step."""

    number: int
    lost: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    """Worker → why it can't do it."""


class StepDispatcher:
    """Does the steps of one run; may be used by several threads."""

    def __init__(
        self,
        client: Any,
        run_dir: Path,
        exchange: Exchange,
        cache: Path,
        log: Callable[[str], None],
    ) -> None:
        self._client = client
        self._run = run_dir.name
        self._run_dir = run_dir
        self._journal = Journal(run_dir)
        self._exchange = exchange
        self._cache = cache
        self._log = log
        self._lock = threading.Lock()
        self._offering = threading.Lock()
        self._numbers = _numbers_so_far(run_dir)
        self._futures: dict[str, Any] = {}
        self._stopping = threading.Event()
        self.roster = WorkerList(client)
        exchange.await_parcels(self._run)

    def width(self) -> int:
        """Number of steps that run at once; further ones wait at a worker."""
        return sum(each.threads for each in self.roster.members()) or 1

    def do(self, step: Step, folder: Path, *, only: str = "", prefer: str = "") -> Delivery:
        """Have a step done by any worker that can; its files are in `folder` then.

        `only` this worker will do, or this is to be preferred while it is there.

        Raises:
            StepFailedError: if no machine can do it.
            InfrastructureError: if the scheduler is lost for good.
            Stopped: after `stop`.
        """
        tries = _Tries(0)
        while True:
            tries.number = self._next_number(step.name)
            delivery = self._attempt(step, tries, only or prefer)
            if delivery is None:
                tries.lost += 1
                self._log(f"{step.name}: attempt {tries.number} was lost with its worker or the scheduler")
                if tries.lost >= LOST_ATTEMPTS or only:
                    raise StepFailedError(f"{step.name}: {tries.lost} workers were lost over it")
            elif delivery.lacks_commit:
                with self._offering:
                    self._exchange.offer_commit(delivery.lacks_commit, self._cache)
            elif delivery.trouble or (trouble := self._take(delivery, folder)):
                self._refused(step, tries, delivery, delivery.trouble or trouble, final=bool(only))
            else:
                return delivery

    def _next_number(self, name: str) -> int:
        with self._lock:
            number = self._numbers[name] = self._numbers.get(name, 0) + 1
            self._journal.append("attempt", AttemptFact(name, number))
            return number

    def _take(self, delivery: Delivery, folder: Path) -> str:
        """Bring the files here; returns what is wrong with them."""
        try:
            self._exchange.receive(delivery.parcel, delivery.sums, folder)
        except InfrastructureError as error:
            return str(error)
        return ""

    def _refused(self, step: Step, tries: _Tries, delivery: Delivery, trouble: str, *, final: bool) -> None:
        self._log(f"{step.name}: {trouble}")
        tries.refused[delivery.worker] = trouble
        left = [each for each in self._able(step) if each.ability.worker not in tries.refused]
        if final or not left or len(tries.refused) >= REFUSALS:
            raise StepFailedError(f"{step.name}: {trouble}")

    def _able(self, step: Step) -> list[WorkerInfo]:
        wanted = step.tags | {harness_tag(program_version())}
        return [
            each
            for each in self.roster.members()
            if wanted <= each.tags and step.memory_mb <= each.ability.memory_mb
        ]

    def _attempt(self, step: Step, tries: _Tries, favourite: str) -> Delivery | None:
        """Wait for one attempt to come to its end; None if it was lost."""
        key = f"{step.name.partition('-')[0]}-{self._run}/{step.name}#{tries.number}"
        parcel = f"{self._run}/{step.name}#{tries.number}"
        order = Order(step, key, parcel, str(self._exchange.folder), program_version())
        done = threading.Event()
        chosen = self._candidates(step, tries, favourite)
        try:
            future = self._submit(order, chosen)
        except (OSError, TimeoutError, CancelledError):
            self._await_scheduler()
            return None
        future.add_done_callback(lambda _: done.set())
        with self._lock:
            self._futures[key] = future
        try:
            return self._delivered(future, order) if self._wait(step, done, set(chosen)) else None
        finally:
            future.release()  # what still runs is cancelled by this
            with self._lock:
                self._futures.pop(key, None)

    def _candidates(self, step: Step, tries: _Tries, favourite: str) -> list[str]:
        """Addresses to choose from; none for all."""
        if not favourite and not tries.refused:
            return []
        able = {each.ability.worker: each.address for each in self._able(step)}
        if favourite in able and favourite not in tries.refused:
            return [able[favourite]]
        return [address for worker, address in able.items() if worker not in tries.refused]

    def _submit(self, order: Order, workers: list[str]) -> Any:
        return self._client.submit(
            perform,
            order,
            key=order.key,
            pure=False,
            retries=0,
            workers=workers or None,
            resources=demand(order.step.tags, order.step.memory_mb),
        )

    def _wait(self, step: Step, done: threading.Event, chosen: set[str]) -> bool:
        """Until the attempt has ended, in whatever way; False if only those could make it who have gone."""
        alone_since: float | None = None
        while not done.wait(_TICK_SECONDS):
            if self._stopping.is_set():
                raise Stopped
            if self._client.status == "closed":
                self._await_scheduler()
            able = {each.address for each in self._able(step)}
            if self._client.status != "running" or (able and (not chosen or chosen & able)):
                alone_since = None
                continue
            if able:
                return False
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since > PATIENCE_SECONDS:
                lacking = ", ".join(sorted(self.missing(step.tags)))
                raise StepFailedError(f"{step.name}: no worker has {lacking} any more")
        return True

    def missing(self, tags: frozenset[str]) -> frozenset[str]:
        """Which tags no worker has, or, if each is somewhere, all of them."""
        there = frozenset[str]().union(*(each.tags for each in self.roster.members()))
        return tags - there or tags

    def _delivered(self, future: Any, order: Order) -> Delivery | None:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            text = future.result(timeout=RECONNECT_SECONDS)
        except (KilledWorker, FutureCancelledError, CancelledError, OSError, TimeoutError, Stopped):
            if self._stopping.is_set():
                raise Stopped from None
            self._await_scheduler()
            return None
        try:
            return from_text(text, order)
        except ValueError as error:
            self._log(f"{order.step.name}: the delivery of a worker can't be read: {first_line(str(error))}")
            return None

    def _await_scheduler(self) -> None:
        """dask looks for a lost scheduler by itself; wait until it has found it or given up."""
        until = time.monotonic() + RECONNECT_SECONDS
        while self._client.status != "running":
            if self._stopping.wait(_TICK_SECONDS):
                raise Stopped
            if self._client.status == "closed" or time.monotonic() > until:
                raise InfrastructureError(
                    f"the scheduler {self._client.scheduler.address} is gone",
                    hint="Start it again; the same command goes on where this one stopped.",
                )

    def stop(self) -> None:
        """Cancel everything; waiting calls raise `Stopped`."""
        self._stopping.set()
        with self._lock:
            for future in self._futures.values():
                future.release()

    def close(self) -> None:
        """End the deliveries: remove the parcels of the run."""
        self._exchange.forget(self._run)


def _numbers_so_far(run_dir: Path) -> dict[str, int]:
    """The last attempt at each step, of a run that is taken up again."""
    numbers: dict[str, int] = {}
    for event in read_events(run_dir):
        if event.name == "attempt":
            fact = decode(AttemptFact, event)
            numbers[fact.step] = max(numbers.get(fact.step, 0), fact.number)
    return numbers
