# SPDX-License-Identifier: GPL-2.0-only
"""Runs that are interrupted, run side by side, or have no room: nothing is left behind, nothing is lost."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.core.shipped import CONFIGS
from tests.integration.conftest import SMALL_SERIES
from tests.integration.processes import Marker
from tests.integration.stub_tree import StubTree, make_stub_tree
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WARNS = next((Path(__file__).parents[2] / "fixtures" / "series" / "warns").glob("*.patch"))
STAND_IN = CONFIGS / "series" / SMALL_SERIES
WAIT_SECONDS = 300
STOPPED = 130


@pytest.fixture
def tree(base_kernel: Path, tmp_path: Path) -> StubTree:
    """A tree that was never built before."""
    return make_stub_tree(tmp_path / "linux", base_kernel)


@pytest.fixture
def marker() -> Iterator[Marker]:
    mark = Marker()
    yield mark
    for process in mark.processes():
        os.kill(process, signal.SIGKILL)


def await_event(happened: Callable[[], Any], what: str) -> None:
    """Wait for something that another process does, and that sends us no event."""
    until = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.02)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read the progress of a run up to a line with these words."""
    assert process.stderr
    seen = ""
    for line in process.stderr:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"never said {words!r}:\n{seen}")


def finish(process: subprocess.Popen[str]) -> Answer:
    stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert "Traceback" not in stderr, stderr
    return Answer(process.returncode, stdout, stderr)


def stop(process: subprocess.Popen[str], number: signal.Signals, marker: Marker) -> None:
    """Send the signal; the program ends as it should, and nothing of it is left."""
    process.send_signal(number)
    answer = finish(process)
    if number is signal.SIGKILL:
        assert answer.code == -signal.SIGKILL
    else:
        assert answer.code == STOPPED
        assert "stopped" in answer.stderr
        assert answer.stdout == ""
        assert marker.processes() == {}, "left behind by a run that could clean up"
    assert marker.left_after(10) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_and_goes_on_where_it_stopped(
    program: Program, tree: StubTree, marker: Marker, number: signal.Signals
) -> None:
    """Interrupted in the middle of a build, then in the middle of a boot."""
    command = ("run", *tree.arguments, "--json")

    tree.gate.close()
    building = program.start(*command, env=marker.environment)
    tree.gate.await_build()
    assert marker.processes("make")
    stop(building, number, marker)
    tree.gate.remove()

    booting = program.start(*command, env=marker.environment)
    read_until(booting, "resuming the interrupted run")
    read_until(booting, ": boot 1 ")
    await_event(lambda: marker.processes("qemu-system-x86_64 -machine"), "an emulator")
    stop(booting, number, marker)
    (run_dir,) = program.run_folders()
    half = program("report", "latest", "--json")
    assert (half.code, half.json["complete"]) == (3, False)

    last = program(*command)
    assert last.code == 0
    assert f"resuming the interrupted run {run_dir.name}" in last.stderr
    assert program.run_folders() == [run_dir]
    assert last.json["complete"]
    assert [len(cell["boots"]) for cell in last.json["cells"]] == [1, 1]


def test_sigterm_stops_a_run_that_its_shell_made_deaf_to_ctrl_c(
    program: Program, tree: StubTree, marker: Marker
) -> None:
    """As `thp-harness run &` in a script is."""
    command = ("run", *tree.arguments)
    deaf = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    tree.gate.close()
    building = program.start(*command, env=marker.environment, through=deaf)
    tree.gate.await_build()
    stop(building, signal.SIGTERM, marker)


def test_a_run_of_equal_kernels_that_is_taken_up_again_boots_one_of_them(
    program: Program, tree: StubTree, marker: Marker
) -> None:
    command = ("run", *tree.arguments_as_typed, "--json")
    booting = program.start(*command, env=marker.environment)
    read_until(booting, ": boot 1 ")
    await_event(lambda: marker.processes("qemu-system-x86_64 -machine"), "an emulator")
    stop(booting, signal.SIGTERM, marker)

    last = program(*command)
    assert last.code == 0
    assert "booted once" in last.stderr
    base, series = last.json["cells"]
    assert base["boots"] == series["boots"]
    assert len(base["boots"]) == 1
    assert sorted([base["boots_of"], series["boots_of"]]) in (["", "base"], ["", "series"])
    again = program("report", "latest", "--json")
    assert again.json == last.json


def test_two_runs_at_once_build_once_and_both_end_well(
    program: Program, tree: StubTree, marker: Marker
) -> None:
    command = ("run", *tree.arguments, "--json")
    tree.gate.close()
    first = program.start(*command, env=marker.environment)
    tree.gate.await_build()
    second = program.start(*command, env=marker.environment)
    read_until(second, "waiting for another run that builds the same architecture")
    tree.gate.let_through()
    answers = [finish(first), finish(second)]
    assert [answer.code for answer in answers] == [0, 0]
    assert {answer.json["run_dir"] for answer in answers} == {str(path) for path in program.run_folders()}
    assert len(program.run_folders()) == 2
    assert "x86_64 base: build: from the cache" in answers[1].stderr


# No room, no right to write


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"mounting takes root and a machine that allows it: {result.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def tmpfs(size: str) -> tuple[str, ...]:
    return ("-t", "tmpfs", "-o", f"size={size}", "none")


def test_a_disk_that_fills_up_during_a_build_is_not_the_kernels_fault(
    new_program: Callable[[], Program], tree: StubTree
) -> None:
    program = new_program()
    with mounted(program.cache / "objects", *tmpfs("256k")):
        answer = program("run", *tree.arguments, "--json")
    assert answer.code == 3
    assert answer.json["verdict"] == "infrastructure"
    assert "No space left on device" in answer.json["headline"]
    for cell in answer.json["cells"]:
        assert cell["build"]["error_is_infrastructure"]
    again = program("run", *tree.arguments)
    assert again.code == 0, "there is room now"


@pytest.mark.parametrize("which", ["cache_home", "state_home"])
def test_a_disk_without_room_is_told_before_anything_is_done(
    new_program: Callable[[], Program], tree: StubTree, which: str
) -> None:
    program = new_program()
    with mounted(getattr(program, which), *tmpfs("1m")) as full:
        answer = program("run", *tree.arguments)
    assert answer.code == 3
    assert f"{full}/thp-harness has 1 MiB left; at least 3072 MiB are needed" in answer.stderr
    assert program.run_folders() == []


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_a_cache_that_cannot_be_written_is_told(
    new_program: Callable[[], Program], program: Program, tree: StubTree, tmp_path: Path, filled: bool
) -> None:
    if not filled:
        program = new_program()
    read_only = tmp_path / "read-only"
    with mounted(read_only, "-o", "bind,ro", str(program.cache_home)):
        answer = Program(read_only, tmp_path / "state")("run", *tree.arguments)
    assert answer.code == 3
    assert str(read_only) in answer.stderr
    assert "ead-only file system" in answer.stderr


def test_a_temporary_folder_that_does_not_exist_does_not_matter(
    program: Program, tree: StubTree, tmp_path: Path
) -> None:
    answer = program("run", *tree.arguments, env={"TMPDIR": str(tmp_path / "nowhere")})
    assert answer.code == 0


def test_a_temporary_folder_that_is_full_is_told(program: Program, tree: StubTree, tmp_path: Path) -> None:
    with mounted(tmp_path / "full", *tmpfs("64k")) as full:
        with pytest.raises(OSError, match="No space left"), (full / "ballast").open("wb") as ballast:
            for _ in itertools.count():
                ballast.write(bytes(4096))
                ballast.flush()
        answer = program("run", *tree.arguments, "--no-sandbox", env={"TMPDIR": str(full)})
    assert answer.code == 3
    assert "No space left on device" in answer.stderr
