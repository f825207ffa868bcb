# SPDX-License-Identifier: GPL-2.0-only
"""Runs in a LAVA lab whose boards are QEMU on this machine: jobs are really fetched, booted and read."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from tests.integration.conftest import SMALL_SERIES
from tests.integration.lab_boots import table
from tests.integration.processes import Marker
from tests.lava.server import TOKEN, USER, LavaLab, lava_lab
from tests.private_sshd import write_record
from tests.program import Answer, Program

pytestmark = pytest.mark.slow
TESTS = ("--tests", "small_pages")


def board(arch: ArchRecord) -> dict[str, Any]:
    """The emulator that runs without a lab, too."""
    facts = arch.qemu
    pairs = zip(facts.devices[::2], facts.devices[1::2], strict=True)
    options = ["-no-reboot", f"-smp {facts.cpus}", *map(" ".join, pairs)]
    context = {"arch": "x86_64", "machine": facts.machine, "cpu": facts.cpu, "no_kvm": True}
    return {
        "device_type": "qemu",
        "method": "qemu",
        "cmdline": list(arch.guest.cmdline),
        "time_scale": arch.guest.time_scale,
        "context": {**context, "memory": str(facts.memory_mb), "extra_options": options},
    }


@pytest.fixture
def lab(tmp_path: Path, x86_64: ArchRecord) -> Iterator[LavaLab]:
    (tmp_path / "files").mkdir()
    with lava_lab(tmp_path / "files") as opened:
        write_record(tmp_path, opened.record(board(x86_64)), "labs")
        yield opened


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path), "LAVA_TOKEN": TOKEN}


def run_there(program: Program, environment: dict[str, str], *more: str) -> Answer:
    return program("run", "--lab", "testlab", "--series", SMALL_SERIES, *more, env=environment)


def test_a_run_in_a_lab_gives_the_same_table_as_under_qemu(
    thp_harness: Program, ab_run: Answer, lab: LavaLab, environment: dict[str, str]
) -> None:
    answer = run_there(thp_harness, environment, "--json")
    assert answer.code == 0, answer.stderr
    assert table(answer) == table(ab_run)
    boots = [boot for cell in answer.json["cells"] for boot in cell["boots"]]
    assert {(boot["machine"], boot["accelerator"]) for boot in boots} == {("lab testlab", "lava")}
    page = f"http://127.0.0.1:{lab.port}/scheduler/job"
    pages = [note.split()[2] for boot in boots for note in boot["notes"] if note.startswith("LAVA job")]
    assert sorted(pages) == [f"{page}/{number}" for number in sorted(lab.jobs)]
    assert {job.health for job in lab.jobs.values()} == {"Complete"}
    written = b"".join(
        path.read_bytes() for path in thp_harness.run_folders()[-1].rglob("*") if path.is_file()
    )
    assert TOKEN.encode() not in written + (answer.stdout + answer.stderr).encode()
    lavacli_reads_it(lab)


def lavacli_reads_it(lab: LavaLab) -> None:
    """LAVA's own client finds our jobs, so what our client talks to is like LAVA."""
    uri = lab.uri.replace("//", f"//{USER}:{TOKEN}@")
    command = [str(Path(sys.executable).with_name("lavacli")), "--uri", uri, "jobs"]
    shown = subprocess.run([*command, "show", "--json", "1"], capture_output=True, check=True)
    assert json.loads(shown.stdout)["health"] == "Complete"
    log = subprocess.run([*command, "logs", "1"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"THP:[0-9a-f]{16}:\d+:[0-9a-f]{8} done ", log)


def begun(lab: LavaLab, process: subprocess.Popen[str]) -> None:
    """Wait until a job's kernel talks."""
    deadline = time.monotonic() + 300
    while not any("Linux version" in "".join(job.log) for job in list(lab.jobs.values())):
        assert process.poll() is None and time.monotonic() < deadline, "no job has begun"
        time.sleep(0.02)


def interrupted(
    program: Program, lab: LavaLab, environment: dict[str, str], marker: Marker, number: signal.Signals
) -> int:
    """The exit status of a run that got a signal while its boards booted."""
    command = ("run", "--lab", "testlab", "--series", SMALL_SERIES, *TESTS)
    process = program.start(*command, env={**environment, **marker.environment})
    try:
        begun(lab, process)
        process.send_signal(number)
        process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode


def test_ctrl_c_cancels_the_jobs_and_the_next_run_goes_on(
    thp_harness: Program, ab_run: Answer, lab: LavaLab, environment: dict[str, str], marker: Marker
) -> None:
    assert interrupted(thp_harness, lab, environment, marker, signal.SIGINT) == 130
    for job in lab.jobs.values():
        assert job.ended.wait(30)
    assert "Canceled" in {job.health for job in lab.jobs.values()}
    again = run_there(thp_harness, environment, *TESTS)
    assert again.code == 0, again.stderr
    assert "resuming the interrupted run" in again.stderr


def test_a_killed_run_takes_up_the_jobs_that_it_left(
    thp_harness: Program, ab_run: Answer, lab: LavaLab, environment: dict[str, str], marker: Marker
) -> None:
    interrupted(thp_harness, lab, environment, marker, signal.SIGKILL)
    left = len(lab.jobs)
    answer = run_there(thp_harness, environment, *TESTS)
    assert answer.code == 0, answer.stderr
    assert "resuming the interrupted run" in answer.stderr
    assert (len(lab.jobs), {job.health for job in lab.jobs.values()}) == (2, {"Complete"})
    assert left in (1, 2)


def test_a_lab_that_always_fails_is_no_verdict_on_the_kernel(
    thp_harness: Program, ab_run: Answer, lab: LavaLab, environment: dict[str, str]
) -> None:
    lab.board = lambda job, files: ["false"]
    answer = run_there(thp_harness, environment, *TESTS, "--json")
    assert answer.code == 3
    assert {boot["end"] for cell in answer.json["cells"] for boot in cell["boots"]} == {"machine"}
    assert "regression" not in answer.json["verdict"]
