# SPDX-License-Identifier: GPL-2.0-only
"""Real plans on a cluster come to what they come to on one machine, also when its parts fail."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.build.build_cache import BuildCache
from results.journal.journal import read_events
from tests.cluster.fleet import Fleet, Part, await_true
from tests.cluster.same import commands, differences, essence
from tests.integration.conftest import SMALL_SERIES
from tests.integration.processes import Marker
from tests.integration.stub_tree import make_stub_tree
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

PLAN = ("--series", SMALL_SERIES, "--json")
ONE = ("--arch", "x86_64", *PLAN)
BOOTING = "qemu-system"
WAIT_SECONDS = 300
STOPPED = 130
LONG_SILENCE = 8.0
"""Longer than the fleet's scheduler waits for a worker."""


def run_dir(answer: Answer) -> Path:
    return Path(answer.json["run_dir"])


def assert_same(one: Path, other: Path) -> None:
    assert differences(essence(one), essence(other)) == []
    assert commands(one) == commands(other)


def test_a_run_on_local_workers_is_that_of_one_machine(thp_harness: Program, ab_run: Answer) -> None:
    answer = thp_harness("run", *ONE, "--cluster", "local:2")
    assert answer.code == ab_run.code == 0
    assert_same(run_dir(ab_run), run_dir(answer))


@pytest.mark.nightly
def test_the_whole_matrix_on_four_workers_is_that_of_one_machine(thp_harness: Program) -> None:
    here = thp_harness("run", *PLAN, timeout=3000)
    there = thp_harness("run", *PLAN, "--cluster", "local:4", timeout=3000)
    assert here.code == there.code
    assert len(there.json["cells"]) == 10
    assert_same(run_dir(here), run_dir(there))


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_build_moves_to_another_machine_and_its_kernel_back(
    tmp_path: Path, base_kernel: Path, marker: Marker
) -> None:
    """Each has a cache of its own. The run is interrupted, then a worker is killed, both in mid-build."""
    tree = make_stub_tree(tmp_path / "linux", base_kernel)
    program = Program(tmp_path / "cache", tmp_path / "state")
    with Fleet(tmp_path / "fleet", 0) as fleet:
        workers = [fleet.add_worker("one"), fleet.add_worker("two")]
        await_workers(program, fleet, len(workers))
        exchange = str(fleet.folder / "exchange")
        command = ("run", *tree.arguments, "--scheduler", fleet.address, "--exchange", exchange, "--json")

        tree.gate.close()
        first = program.start(*command, env=marker.environment)
        tree.gate.await_build()
        first.send_signal(signal.SIGINT)
        assert first.wait(WAIT_SECONDS) == STOPPED
        await_true(lambda: not _makes(workers), WAIT_SECONDS, lambda: f"left: {_makes(workers)}")

        second = program.start(*command, env=marker.environment)
        tree.gate.await_build()
        builder = next(part for part in workers if part.marker.processes("make"))
        builder.kill()
        builder.start()
        tree.gate.await_build()
        tree.gate.let_through()
        stdout, stderr = second.communicate(timeout=WAIT_SECONDS)
        assert second.returncode == 0, stderr + fleet.log()
    assert "resuming the interrupted run" in stderr
    assert "was lost" in stderr
    cells = json.loads(stdout)["cells"]
    assert [cell["build"]["ok"] for cell in cells] == [True, True]
    assert [len(cell["boots"]) for cell in cells] == [1, 1]
    for cell in cells:
        assert BuildCache(program.cache).lookup(cell["build"]["key"]), "the kernel is here, too"
        assert (run_of(program) / cell["build"]["log"]).read_text().count("LD      vmlinux") == 1


def run_of(program: Program) -> Path:
    (run,) = program.run_folders()
    return run


def await_workers(program: Program, fleet: Fleet, count: int) -> None:
    def joined() -> bool:
        answer = program("cluster", "status", fleet.address, "--json")
        return answer.code == 0 and len(answer.json["workers"]) == count

    await_true(joined, WAIT_SECONDS, fleet.log)


def _makes(workers: list[Part]) -> list[str]:
    return [line for part in workers for line in part.marker.processes("make").values()]


@pytest.fixture
def fleet(tmp_path: Path, thp_harness: Program) -> Iterator[Fleet]:
    """Four workers with the cache of this session, which is the exchange, too."""
    with Fleet(tmp_path / "fleet", 0) as fleet:
        for number in range(4):
            fleet.add_worker(
                f"worker-{number}",
                "--exchange",
                str(thp_harness.cache),
                XDG_CACHE_HOME=str(thp_harness.cache_home),
            )
        yield fleet


def one_that_boots(fleet: Fleet) -> Part:
    """A worker that has a guest running."""
    found: list[Part] = []

    def look() -> bool:
        found[:] = [
            part for part in fleet.parts if part.name != "scheduler" and part.marker.processes(BOOTING)
        ]
        return bool(found)

    await_true(look, WAIT_SECONDS, fleet.log)
    return found[0]


def await_boots(run: Path, count: int, fleet: Fleet) -> None:
    def come() -> bool:
        return sum(event.name == "boot" for event in read_events(run)) >= count

    await_true(come, WAIT_SECONDS, fleet.log)


@pytest.mark.nightly
def test_three_faults_in_a_real_plan_change_nothing(thp_harness: Program, fleet: Fleet) -> None:
    """A worker is killed in mid-boot, one is stopped for long and wakes up late, the program is killed."""
    plan = ("--arch", "x86_64", "--arch", "arm64", "--always-boot", *PLAN)
    here = thp_harness("run", *plan)
    known = set(thp_harness.run_folders())
    there = ("run", *plan, "--scheduler", fleet.address, "--exchange", str(thp_harness.cache))

    first = thp_harness.start(*there)
    killed = one_that_boots(fleet)
    killed.kill()
    killed.start()

    late = one_that_boots(fleet)
    late.signal(signal.SIGSTOP)
    time.sleep(LONG_SILENCE)
    late.signal(signal.SIGCONT)

    await_true(lambda: set(thp_harness.run_folders()) - known, WAIT_SECONDS, fleet.log)
    (run,) = set(thp_harness.run_folders()) - known
    await_boots(run, 1, fleet)
    first.kill()
    first.communicate()
    await_true(lambda: not _guests(fleet), WAIT_SECONDS, lambda: "guests of a run that is no more")

    answer = thp_harness(*there)
    assert f"resuming the interrupted run {run.name}" in answer.stderr
    assert run_dir(answer) == run
    assert answer.code == here.code == 0
    assert_same(run_dir(here), run)
    boots = [event.fact["id"] for event in read_events(run) if event.name == "boot"]
    assert sorted(boots) == sorted(set(boots))


def _guests(fleet: Fleet) -> list[str]:
    return [name for part in fleet.parts for name in part.marker.processes(BOOTING).values()]
