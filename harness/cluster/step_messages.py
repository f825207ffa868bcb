# SPDX-License-Identifier: GPL-2.0-only
"""What travels between controller and workers: an order for one attempt at a step, and its delivery."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.cluster.exchange import Exchange
from harness.cluster.tags import Ability
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.sources.git.worktree_pool import Worktrees
from results.model.document import plain


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Where one attempt at a step is made; on a worker."""

    ability: Ability
    cache: Path
    exchange: Exchange
    out: Path
    """An empty folder; what is in it at the end goes to the controller."""
    jobserver: Jobserver
    worktrees: Worktrees
    children: Children
    """Of this attempt only, so that it can be ended alone."""
    log: Callable[[str], None]
    announce: Callable[[str], None]
    """Has the scheduler know of a tag that the machine has from now on."""


class Step(Protocol):
    """One thing to do on one machine; sent as it is, so all that it needs is in it."""

    @property
    def name(self) -> str:
        """What nothing else in its run is called: `build-x86_64-base`."""

    @property
    def tags(self) -> frozenset[str]:
        """What the machine must have; see `ability.py`."""

    @property
    def memory_mb(self) -> int:
        """What its guest takes; 0 for no guest."""

    @property
    def answer(self) -> Any:
        """The type of the value that `carry_out` returns; a delivery is read as this and nothing else."""

    @property
    def leaves(self) -> tuple[str, ...]:
        """How the names of the files begin that it leaves for the run folder."""

    def carry_out(self, context: WorkerContext) -> Any:
        """Do it; returns what the controller gets besides the files.

        Raises:
            HarnessError: if this machine can't do it; another one may.
            MissingCommit: if sources must be sent first.
        """


class MissingCommit(Exception):  # noqa: N818 - not an error: the controller has it
    """The worker's mirror and the exchange lack a commit."""

    def __init__(self, commit: str) -> None:
        super().__init__(commit)
        self.commit = commit


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt at a step."""

    step: Step
    key: str
    """Of this attempt; no other one has it, in any run."""
    parcel: str
    """Folder of its files in the exchange; each time that dask carries it out adds a name of its own."""
    exchange: str
    """The folder of the exchange, as the controller reaches it."""
    harness: str
    """The controller's version of the program."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of an attempt."""

    key: str
    worker: str
    value: Any = None
    parcel: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the parcel's files by name."""
    trouble: str = ""
    """Why this machine could not do it; says nothing of the kernel."""
    lacks_commit: str = ""


_MOST_CHARS = 64 << 20
_FILE = re.compile(r"(?:logs|boots)/[A-Za-z0-9_][A-Za-z0-9_.+@:-]{0,250}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def to_text(delivery: Delivery) -> str:
    """Write a delivery as JSON, which is how it travels."""
    return json.dumps(plain(delivery))


def from_text(text: object, order: Order) -> Delivery:
    """Read what a worker says of an order; it may be anybody's who has a certificate.

    Raises:
        ValueError: if it is no delivery of that order, or names files that are not those of the step.
    """
    from pydantic import TypeAdapter

    if not isinstance(text, str) or len(text) > _MOST_CHARS:
        raise ValueError("not a text, or too long")
    try:
        delivery = TypeAdapter(Delivery).validate_python(json.loads(text))
    except RecursionError:
        raise ValueError("not JSON") from None
    if delivery.key != order.key:
        raise ValueError(f"it is for {delivery.key[:80]!r}")
    if delivery.trouble or delivery.lacks_commit:
        return Delivery(
            order.key, delivery.worker, trouble=delivery.trouble, lacks_commit=delivery.lacks_commit
        )
    if not re.fullmatch(re.escape(order.parcel) + "/[0-9a-f]{32}", delivery.parcel):
        raise ValueError(f"{delivery.parcel[:80]!r} is not its parcel")
    for name, known in delivery.sums.items():
        if not (_FILE.fullmatch(name) and name.startswith(order.step.leaves) and _SHA256.fullmatch(known)):
            raise ValueError(f"{name[:80]!r} is none of its files")
    value = TypeAdapter(order.step.answer).validate_python(delivery.value)
    return Delivery(order.key, delivery.worker, value, delivery.parcel, delivery.sums)
