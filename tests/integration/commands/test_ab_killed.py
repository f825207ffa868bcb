# SPDX-License-Identifier: GPL-2.0-only
"""A real build that is killed; it comes after test_ab, whose objects it goes on with."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from harness.core.shipped import CONFIGS
from tests.integration.commands.test_interrupts import await_event, read_until, stop
from tests.integration.conftest import SMALL_SERIES
from tests.integration.processes import Marker
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WARNS = next((Path(__file__).parents[2] / "fixtures" / "series" / "warns").glob("*.patch"))
STAND_IN = CONFIGS / "series" / SMALL_SERIES


def test_a_real_build_is_killed_without_losing_its_warnings(
    thp_harness: Program, ab_run: Answer, marker: Marker, tmp_path: Path
) -> None:
    """What it left may be half written, so the object with the warning is compiled again."""
    patches = Path(shutil.copytree(STAND_IN, tmp_path / "series"))
    unique = f"splits_{os.getpid()}_{time.time_ns()}"
    (patches / "0003.patch").write_text(WARNS.read_text().replace("int i, splits;", f"int i, {unique};"))
    program = Program(thp_harness.cache_home, tmp_path / "state")
    command = ("run", "--arch", "x86_64", "--series", str(patches), "--tests", "pmd_split", "--json")

    building = program.start(*command, env=marker.environment)
    read_until(building, "x86_64 series: build …")
    (run_dir,) = program.run_folders()
    log = run_dir / "logs" / "x86_64-series-build.log"
    await_event(lambda: log.exists() and "AR      mm/built-in.a" in log.read_text(), "an archive")
    assert unique in log.read_text()
    stop(building, signal.SIGKILL, marker)

    answer = program(*command)
    (arch,) = answer.json["arches"]
    assert answer.code == 1
    assert program.run_folders() == [run_dir]
    assert "CC      mm/huge_memory.o" in log.read_text()
    assert "CC      mm/slub.o" not in log.read_text(), "objects from before the killed build are kept"
    assert [unique in warning["text"] for warning in arch["new_warnings"]] == [True]
