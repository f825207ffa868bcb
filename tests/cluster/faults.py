# SPDX-License-Identifier: GPL-2.0-only
"""Seeded faults in mid-run: something is killed and started again, or stopped for a while."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from results.journal.journal import AttemptFact, decode, read_events
from tests.cluster.fleet import Fleet, Part, await_true
from tests.cluster.network import BadLine
from tests.cluster.plan import DONE, uneven_cells

WORKERS = 4
CELLS_PER_FAULT = 6
MEAN_SECONDS = 1.0
TARGETS = (*(f"worker-{number}" for number in range(WORKERS)), "controller", "scheduler")
STOPPED_SECONDS = (0.3, 6.0)
"""Short enough not to be noticed, or longer than a silent worker is waited for."""
WAIT_SECONDS = 240.0


@dataclass(frozen=True)
class Fault:
    """What is done to which process."""

    target: str
    kill: bool
    seconds: float

    def __str__(self) -> str:
        return f"kill -9 {self.target}" if self.kill else f"stop {self.target} for {self.seconds:.1f} s"


def draw(seed: int, count: int) -> list[Fault]:
    chance = random.Random(seed)
    return [
        Fault(chance.choice(TARGETS), chance.random() < 0.5, chance.uniform(*STOPPED_SECONDS))
        for _ in range(count)
    ]


def steps_done(run_dir: Path) -> int:
    if not (run_dir / "events.jsonl").exists():
        return 0
    return sum(event.name == DONE for event in read_events(run_dir))


def strike(fleet: Fleet, fault: Fault) -> None:
    part = fleet.part(fault.target)
    if fault.kill:
        part.kill()
        part.start()
        return
    part.signal(signal.SIGSTOP)
    time.sleep(fault.seconds)
    part.signal(signal.SIGCONT)


def run_with_faults(folder: Path, seed: int, count: int) -> list[Fault]:
    """Carry out a plan while faults happen to it; nothing is lost, and nothing is done twice."""
    run_dir, faults = folder / "run", draw(seed, count)
    size = CELLS_PER_FAULT * count
    with Fleet(folder, WORKERS) as fleet:
        plan = (str(run_dir), fleet.address, str(size), str(MEAN_SECONDS), "--seed", str(seed))
        controller = fleet.add("controller", (sys.executable, "-m", "tests.cluster.plan", *plan))
        cells = uneven_cells(size, seed, MEAN_SECONDS)
        steps = [step.name for cell in cells for step in cell]
        for number, fault in enumerate(faults, start=1):
            due = number * len(steps) // (count + 2)
            _await_steps(fleet, controller, run_dir, due, str(fault))
            strike(fleet, fault)
        await_true(lambda: controller.ended is not None, WAIT_SECONDS, lambda: f"no end\n{fleet.log()}")
        assert controller.ended == 0, fleet.log()
    check(run_dir, steps)
    return faults


def run_over(line: BadLine, folder: Path, certs: Path, size: int) -> None:
    """Carry out a plan with the workers at the other end of a bad line."""
    run_dir = folder / "run"
    with Fleet(folder, 2, certs=certs, line=line) as fleet:
        plan = (
            str(run_dir),
            fleet.address,
            str(size),
            str(MEAN_SECONDS),
            "--seed",
            "1",
            "--certs",
            str(certs),
        )
        command = (*line.inside(0), sys.executable, "-m", "tests.cluster.plan", *plan)
        controller = fleet.add("controller", command)
        await_true(lambda: controller.ended is not None, WAIT_SECONDS, lambda: f"no end\n{fleet.log()}")
        assert controller.ended == 0, fleet.log()
    check(run_dir, [step.name for cell in uneven_cells(size, 1, MEAN_SECONDS) for step in cell])


def _await_steps(fleet: Fleet, controller: Part, run_dir: Path, due: int, what: str) -> None:
    def come() -> bool:
        assert controller.ended is None, fleet.log()
        return steps_done(run_dir) >= due

    await_true(come, WAIT_SECONDS, lambda: f"step {due} never came, before {what}\n{fleet.log()}")


def check(run_dir: Path, steps: list[str]) -> None:
    """Each step was done once, by its last attempt, and its file is that attempt's."""
    events = list(read_events(run_dir))
    done = [event.fact for event in events if event.name == DONE]
    assert Counter(fact["step"] for fact in done) == Counter(steps)
    tried = [decode(AttemptFact, event) for event in events if event.name == "attempt"]
    assert max(Counter((fact.step, fact.number) for fact in tried).values()) == 1
    last = {fact.step: fact.number for fact in tried}
    for fact in done:
        assert fact["attempt"] == last[fact["step"]]
        assert (run_dir / "logs" / f"{fact['step']}.log").read_text() == f"{fact['worker']}\n"
    assert not (run_dir.parent / "exchange" / "parcels" / run_dir.name).exists()
