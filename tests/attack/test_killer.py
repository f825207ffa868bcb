# SPDX-License-Identifier: GPL-2.0-only
"""Programs that write facts and reports, killed at random: what they said is done is on the disk, whole."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from results.journal.journal import Journal, damaged_lines, read_events

WRITER = """
import sys
from pathlib import Path
from results.journal.journal import Journal, TwinFact
journal, number = Journal(Path(sys.argv[1])), int(sys.argv[2])
while True:
    journal.append("twin", TwinFact("x86_64", "v" * (number * 7919 % 9000), str(number)))
    print(number, flush=True)
    number += 1
"""
KILLS = (3, pytest.param(200, marks=pytest.mark.nightly))


@pytest.mark.parametrize("kills", KILLS)
def test_no_fact_is_lost_by_a_kill(tmp_path: Path, kills: int) -> None:
    random, told = Random(kills), -1
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(told + 1)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        told = int(writer.stdout.readline())
        time.sleep(random.uniform(0, 0.05))
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().split("\n")[:-1])])
        assert writer.wait() == -9
        events = list(read_events(tmp_path))
        numbers = [int(event.fact["twin"]) for event in events if event.name == "twin"]
        assert sorted(set(numbers)) == list(range(max(numbers) + 1))
        assert max(numbers) in (told, told + 1)
        told = max(numbers)
        assert len(damaged_lines(tmp_path)) <= sum(event.after_damage for event in events) + 1
        Journal(tmp_path).append("resume")
