# SPDX-License-Identifier: GPL-2.0-only
"""Where figures are measured: folders, the harness as a user runs it, and clocks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.core.errors import HarnessError
from harness.core.workspace import Workspace, from_environment
from harness.plan.plan import Plan, PlanRequest, make_plan
from results.journal.assemble import read_plan
from results.journal.journal import BootFact, PlanFact, decode, read_events
from results.model.run import BootEnd, Build
from tests.bench.memory import PeakMemory

ARCH = "x86_64"
SERIES = "thp-split-standin"
"""Its tests take seconds: the figures are about what surrounds them."""
HARNESS_RUN = ("run", "--arch", ARCH, "--series", SERIES)

Found = TypeVar("Found")


class BenchError(Exception):
    """A figure can't be measured, and why."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A finished run of the harness, by its facts."""

    run_dir: Path
    plan: PlanFact
    builds: tuple[Build, ...]
    boots: tuple[BootFact, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all figures share. Kernels stay in `folder`, so that the next figure finds them."""

    folder: Path
    say: Callable[[str], None]
    harness_first: bool = False
    """Turns the order of the cold runs round; the second one finds compilers in the page cache."""
    arches: tuple[str, ...] = ()
    """Narrows the matrix to these architectures; empty: all of the default plan's."""
    _outcomes: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, step: Callable[[Bench], Found]) -> Found:
        """What a step finds that several figures need: done for the first of them, also if it fails.

        Raises:
            BenchError, HarnessError: what the step raised, again for every figure.
        """
        if step not in self._outcomes:
            try:
                self._outcomes[step] = step(self)
            except (BenchError, HarnessError) as error:
                self._outcomes[step] = error
        outcome: Found | Exception = self._outcomes[step]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def xdg(self) -> Path:
        """The XDG folders of warm runs."""
        return self.folder / "xdg"

    @property
    def plan(self) -> Plan:
        """What HARNESS_RUN plans."""
        return make_plan(PlanRequest(arches=(ARCH,), series=SERIES, jobs=self.cpus))

    @property
    def cpus(self) -> int:
        """As many jobs as a person would give to make."""
        return os.cpu_count() or 1

    def warm_run(self) -> PastRun:
        """Run the harness in the warm folders; the first time it builds the kernels."""
        if not self.workspace(self.xdg).cache.is_dir():
            self.say("no kernels in the workspace yet: a first run builds them (minutes)")
        return self.run_harness(self.xdg)

    def run_harness(self, xdg: Path, on_line: Callable[[str], None] = lambda line: None) -> PastRun:
        """`thp-harness run` in these XDG folders, to its end; `on_line` hears its progress.

        Raises:
            BenchError: if it does not end with 0.
        """
        run_to_end((harness_program(), *HARNESS_RUN), environment(xdg), on_line)
        return self.last_run(xdg)

    def last_run(self, xdg: Path) -> PastRun:
        """The newest run in these XDG folders; raises like `read_past_run`."""
        return read_past_run(self.workspace(xdg).find_run("latest"))

    @staticmethod
    def workspace(xdg: Path) -> Workspace:
        """The harness' own folders below these XDG folders."""
        return from_environment(environment(xdg))


def read_past_run(run_dir: Path) -> PastRun:
    """A run's facts.

    Raises:
        BenchError: if a boot did not come to its end.
    """
    events = list(read_events(run_dir))
    boots = tuple(decode(BootFact, event) for event in events if event.name == "boot")
    builds = tuple(decode(Build, event) for event in events if event.name == "build")
    if any(boot.end is not BootEnd.DONE for boot in boots):
        raise BenchError(f"a boot of {run_dir} did not come to its end")
    return PastRun(run_dir, read_plan(events), builds, boots)


def harness_program() -> str:
    """The command that belongs to this Python.

    Raises:
        BenchError: if it is not installed.
    """
    beside = Path(sys.executable).parent / "thp-harness"
    found = str(beside) if beside.exists() else shutil.which("thp-harness")
    if not found:
        raise BenchError("thp-harness is not installed: pip install -e .")
    return found


def environment(xdg: Path | None = None) -> Mapping[str, str]:
    """Our environment without ccache, which would hand one side the other's objects."""
    path = [folder for folder in os.environ.get("PATH", "").split(":") if "ccache" not in folder]
    folders = {"XDG_CACHE_HOME": str(xdg / "cache"), "XDG_STATE_HOME": str(xdg / "state")} if xdg else {}
    return {**os.environ, "PATH": ":".join(path), **folders}


def run_to_end(
    command: Sequence[str],
    variables: Mapping[str, str],
    on_line: Callable[[str], None] = lambda line: None,
    *,
    accepted: Collection[int] = (0,),
    memory: PeakMemory | None = None,
) -> int:
    """Run a command; what it says on stderr goes to `on_line`, what it prints is dropped.

    Returns its exit status; `memory` follows the process while it runs.

    Raises:
        BenchError: if the status is none of those accepted.
    """
    said: list[str] = []
    with subprocess.Popen(
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr
        with memory.follow(process.pid) if memory else nullcontext():
            for line in process.stderr:
                said.append(line.rstrip("\n"))
                on_line(said[-1])
            process.wait()
    if process.returncode not in accepted:
        tail = "\n".join(said[-15:])
        raise BenchError(f"{' '.join(command)} ended with status {process.returncode}:\n{tail}")
    return process.returncode
