# SPDX-License-Identifier: GPL-2.0-only
"""A plan whose steps sleep, and the controller that carries it out: `python -m tests.cluster.plan`.

Its scheduling, its attempts and its journal are those of real runs. Like one it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster.connect import CONNECT_SECONDS, certificates_for, client_of
from harness.cluster.controller import StepDispatcher
from harness.cluster.exchange import Exchange
from harness.cluster.node.dask import set_up
from harness.cluster.step_messages import Delivery, WorkerContext
from harness.cluster.tls.address import parse_address
from harness.config.arch import ArchRecord
from harness.config.catalogue import load_all
from harness.core.process import run_logged
from harness.engine.schedule import Kind, Task, work_off
from results.journal.journal import Journal, read_events

DONE = "done"
BOOTS = 2


@dataclass(frozen=True)
class Sleep:
    """A build or a boot that takes its time, in a process of its own as make and QEMU do."""

    name: str
    seconds: float
    tags: frozenset[str] = frozenset()
    memory_mb: int = 0

    @property
    def answer(self) -> type:
        return str

    @property
    def leaves(self) -> tuple[str, ...]:
        return (f"logs/{self.name}.log",)

    def carry_out(self, station: WorkerContext) -> str:
        (station.out / "logs").mkdir()
        with (station.out / "logs" / f"{self.name}.log").open("wb") as log:
            log.write(f"{station.ability.worker}\n".encode())
            command = ("sleep", f"{self.seconds:.3f}")
            status = run_logged(command, cwd=station.out, log=log, children=station.children)
        station.children.raise_if_stopping()
        assert status == 0
        return station.ability.worker


@dataclass(frozen=True)
class DoneFact:
    """A step that was done, and by which attempt."""

    step: str
    attempt: int
    worker: str


Cell = tuple[Sleep, ...]
"""Steps that follow each other."""


def uneven_cells(count: int, seed: int, mean: float) -> list[Cell]:
    """Cells of one build and some boots, which take `mean` seconds on average."""
    chance = random.Random(seed)
    return [
        (
            Sleep(f"build-a{number}", mean * chance.uniform(1, 2)),
            *(
                Sleep(f"boot-a{number}-{boot}", mean * chance.uniform(0.25, 1))
                for boot in range(1, BOOTS + 1)
            ),
        )
        for number in range(count)
    ]


def real_cells(count: int, mean: float) -> list[Cell]:
    """Cells of one step, as long as real builds and boots are to each other, `mean` seconds on average."""
    typical = [arch.typical for arch in load_all(ArchRecord).values()]
    real = [("build", each.build_seconds) for each in typical]
    real += [("boot", each.boot_seconds) for each in typical for _ in range(BOOTS)]
    scale = mean * len(real) / sum(seconds for _, seconds in real)
    kinds = [real[number % len(real)] for number in range(count)]
    return [(Sleep(f"{kind}-a{number}", seconds * scale),) for number, (kind, seconds) in enumerate(kinds)]


class Controller:
    """Has the cells done, and keeps what was done in the journal."""

    def __init__(self, crew: StepDispatcher, run_dir: Path) -> None:
        self._crew = crew
        self._run_dir = run_dir
        self._journal = Journal(run_dir)
        self._recording = threading.Lock()
        self._known = {event.fact["step"] for event in read_events(run_dir) if event.name == DONE}

    def tasks(self, cells: Sequence[Cell]) -> list[Task]:
        return [self._task(cell, 0) for cell in cells]

    def _task(self, cell: Cell, number: int) -> Task:
        step = cell[number]

        def action() -> Sequence[Task]:
            self._do(step)
            return [self._task(cell, number + 1)] if number + 1 < len(cell) else []

        return Task(cell[0].name, Kind.BOOT if number else Kind.BUILD, step.seconds, action)

    def _do(self, step: Sleep) -> None:
        if step.name in self._known:
            return
        delivery = self._crew.do(step, self._run_dir)
        with self._recording:
            self._journal.append(DONE, _fact(step, delivery))


def _fact(step: Sleep, delivery: Delivery) -> DoneFact:
    return DoneFact(step.name, int(delivery.key.rpartition("#")[2]), str(delivery.value))


def _cells(asked: argparse.Namespace) -> list[Cell]:
    if asked.seed is None:
        return real_cells(asked.cells, asked.mean)
    return uneven_cells(asked.cells, asked.seed, asked.mean)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("address")
    parser.add_argument("cells", type=int)
    parser.add_argument("mean", type=float)
    parser.add_argument("--seed", type=int, help="uneven cells; as real ones without")
    parser.add_argument("--certs", type=Path)
    asked = parser.parse_args(arguments)
    set_up()
    (asked.run_dir / "logs").mkdir(parents=True, exist_ok=True)
    journal = Journal(asked.run_dir)
    journal.append("resume")
    address = parse_address(asked.address)
    with client_of(address, certificates_for(address, asked.certs), CONNECT_SECONDS) as client:
        exchange = Exchange(asked.run_dir.parent / "exchange")
        crew = StepDispatcher(client, asked.run_dir, exchange, asked.run_dir.parent / "cache", _say)
        work_off(Controller(crew, asked.run_dir).tasks(_cells(asked)), crew.width, crew.stop)
        crew.close()
    journal.append("end")


if __name__ == "__main__":
    main()
