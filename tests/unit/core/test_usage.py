# SPDX-License-Identifier: GPL-2.0-only
"""What a command takes of the machine, and what it may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.core.usage import usage_of

ROOT = Path(__file__).parents[3]


def settled(process: int, count: int) -> int:
    until = time.monotonic() + 20
    while usage_of(process, 100).processes != count and time.monotonic() < until:
        time.sleep(0.05)
    return usage_of(process, 100).processes


def test_all_that_a_command_started_counts() -> None:
    script = "(sleep 1000 & sleep 1000 & wait) & wait"
    with subprocess.Popen(("sh", "-c", script), start_new_session=True) as shell:
        try:
            assert settled(shell.pid, 4) == 4
            assert usage_of(shell.pid, 2).processes == 3, "it looks no further"
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def test_only_memory_of_its_own_counts() -> None:
    script = "x = bytearray(50 << 20); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen((sys.executable, "-c", script), **pipes) as python:  # type: ignore[call-overload]
        assert python.stdout.readline()
        assert 50 << 20 < usage_of(python.pid, 100).memory < 90 << 20
        python.communicate(b"\n")


def test_a_process_that_is_gone_takes_nothing() -> None:
    with subprocess.Popen(("true",)) as gone:
        pass
    assert usage_of(gone.pid, 100).memory == 0


def test_no_more_is_asked_than_the_hard_limit_allows() -> None:
    script = "import resource, harness.core.usage as u; print(u.within_limit(resource.RLIMIT_DATA, 1 << 40))"
    command = ("prlimit", f"--data={1 << 30}", sys.executable, "-c", script)
    assert int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout) == 1 << 30
