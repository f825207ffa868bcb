# SPDX-License-Identifier: GPL-2.0-only
"""A thousand cells that sleep, on eight workers: what scheduling, journal and files cost beside the work."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from results.journal.journal import read_events
from tests.bench.bench import Bench, BenchError
from tests.bench.figure import Measured
from tests.cluster.fleet import Fleet, await_true
from tests.cluster.plan import DONE, real_cells

CELLS = 1000
WORKERS = 8
MEAN_SECONDS = 1.0
"""Real cells take a minute on average; so short ones make the overhead the more visible."""
PATIENCE_SECONDS = 1200


@dataclass(frozen=True)
class _Run:
    """How long the cells took, and how long they sleep in all."""

    seconds: float
    asleep: float

    @property
    def ideal(self) -> float:
        return self.asleep / WORKERS

    @property
    def words(self) -> str:
        return f"{CELLS} cells on {WORKERS} workers: {self.seconds:.1f} s, {self.ideal:.1f} s of them asleep"


def cluster_time(bench: Bench) -> Measured:
    """The time of all cells against what they sleep, shared by all workers."""
    run = bench.once(_run)
    return Measured((run.seconds / run.ideal,), f"{run.words}; {run.ideal / run.seconds:.1%} of ideal")


def cluster_overhead(bench: Bench) -> Measured:
    """Seconds that a worker is kept from work by one cell."""
    run = bench.once(_run)
    return Measured(((run.seconds - run.ideal) * WORKERS / CELLS,), run.words)


def _run(bench: Bench) -> _Run:
    with tempfile.TemporaryDirectory(prefix="cluster-", dir=bench.folder) as name:
        folder = Path(name)
        with Fleet(folder, WORKERS) as fleet:
            await_true(lambda: _joined(folder) == WORKERS, PATIENCE_SECONDS, fleet.log)
            plan = (str(folder / "run"), fleet.address, str(CELLS), str(MEAN_SECONDS))
            controller = fleet.add("controller", (sys.executable, "-m", "tests.cluster.plan", *plan))
            await_true(lambda: controller.ended is not None, PATIENCE_SECONDS, fleet.log)
            if controller.ended:
                raise BenchError(f"the controller ended with {controller.ended}\n{fleet.log()}")
        return _read(folder / "run")


def _joined(folder: Path) -> int:
    return sum("has joined" in path.read_text() for path in folder.glob("worker-*.log"))


def _read(run_dir: Path) -> _Run:
    events = list(read_events(run_dir))
    first = next(event.time for event in events if event.name == "attempt")
    done = [event.time for event in events if event.name == DONE]
    if len(done) != CELLS:
        raise BenchError(f"{len(done)} of {CELLS} cells were done")
    asleep = sum(step.seconds for cell in real_cells(CELLS, MEAN_SECONDS) for step in cell)
    return _Run((done[-1] - first).total_seconds(), asleep)
