# SPDX-License-Identifier: GPL-2.0-only
"""The cache over whole runs: damage is repaired, room is made, and nobody loses what he works with."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.build.build_cache import BuildCache
from tests.integration.commands.test_interrupts import finish, read_until
from tests.integration.processes import Marker
from tests.integration.stub_tree import StubTree, make_stub_tree
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIMIT = "THP_HARNESS_CACHE_SIZE"
REUSE_SECONDS = 1.0


@pytest.fixture
def program(new_program: Callable[[], Program]) -> Program:
    return new_program()


@pytest.fixture
def tree(base_kernel: Path, tmp_path: Path) -> StubTree:
    return make_stub_tree(tmp_path / "linux", base_kernel)


@pytest.fixture
def other_tree(base_kernel: Path, tmp_path: Path) -> StubTree:
    return make_stub_tree(tmp_path / "other", base_kernel, base={"mm/other.c": "int other;\n"})


@pytest.fixture
def marker() -> Iterator[Marker]:
    mark = Marker()
    yield mark
    mark.kill("", signal.SIGKILL)


def entries(program: Program, answer: Answer) -> dict[str, Path]:
    """The folders of both kernels of a run."""
    keys = {cell["variant"]: cell["build"]["key"] for cell in answer.json["cells"]}
    return {variant: BuildCache(program.cache).folder / key for variant, key in keys.items()}


def builds(answer: Answer) -> list[str]:
    """How each kernel of a run came about, base first."""
    return ["cached" if cell["build"]["cached"] else "built" for cell in answer.json["cells"]]


def test_damage_is_said_and_repaired_from_the_objects(program: Program, tree: StubTree) -> None:
    command = ("run", *tree.arguments, "--json")
    kept = entries(program, program(*command))
    symbols = subprocess.run(
        ["nm", str(kept["base"] / "vmlinux")], capture_output=True, text=True, check=True
    )
    assert " huge\n" in symbols.stdout

    (kept["base"] / "System.map").write_text("changed")
    (kept["series"] / "image").write_bytes(b"\x7fELF of another architecture")
    again = program(*command)
    assert again.code == 0
    assert builds(again) == ["built", "built"]
    damage = [line for line in again.stderr.splitlines() if "damaged" in line]
    assert sorted(damage) == [
        "x86_64 base: the cached kernel is damaged (System.map); rebuilding it",
        "x86_64 series: the cached kernel is damaged (image); rebuilding it",
    ]
    compiled = re.findall(r"^  CC +(\S+)", (kept["base"] / "build.log").read_text(), re.MULTILINE)
    assert compiled == ["mm/number.o"], "all that series does not change was kept"
    assert builds(program(*command)) == ["cached", "cached"]


def test_looking_up_a_real_kernel_is_quick(base_kernel: Path) -> None:
    cache, key = BuildCache(base_kernel.parents[3]), base_kernel.parent.name
    started = time.process_time()
    assert cache.lookup(key)
    assert time.process_time() - started < REUSE_SECONDS
    assert (base_kernel.parent / "vmlinux").stat().st_size > 1 << 20


def test_gc_waits_for_a_run(program: Program, tree: StubTree, marker: Marker) -> None:
    command = ("run", *tree.arguments, "--json")
    tree.gate.close()
    run = program.start(*command, env=marker.environment)
    tree.gate.await_build()
    gc = program.start("cache", "gc", "--max-size", "0M", env=marker.environment)
    read_until(gc, "waiting until no run uses the cache")
    rehearsal = program("cache", "gc", "--max-size", "0M", "--dry-run")
    assert "would remove objects x86_64" in rehearsal.stdout
    tree.gate.let_through()
    assert finish(run).code == 0
    answer = finish(gc)
    assert answer.code == 0
    for what in ("kernel x86_64 base", "kernel x86_64 series", "objects x86_64", "programs", "worktree"):
        assert f"removed {what}" in answer.stdout
    again = program(*command)
    assert (again.code, builds(again)) == (0, ["built", "built"])


def test_after_a_run_the_cache_is_below_its_limit(program: Program, tree: StubTree) -> None:
    command = ("run", *tree.arguments, "--json")
    quiet = program(*command)
    assert quiet.code == 0
    assert "removed" not in quiet.stderr
    assert "are left" not in quiet.stderr
    trimmed = program(*command, env={LIMIT: "0M"})
    assert (trimmed.code, builds(trimmed)) == (0, ["cached", "cached"])
    assert "removed kernel x86_64 base" in trimmed.stderr
    assert "are left, more than 0 KiB" in trimmed.stderr
    left = {total["kind"] for total in program("cache", "ls", "--json").json["totals"]}
    assert left == {"mirror", "other"}
    assert program("report", "latest").code == 0


def test_a_run_that_ends_takes_nothing_from_one_that_goes_on(
    program: Program, tree: StubTree, other_tree: StubTree, marker: Marker
) -> None:
    tree.gate.close()
    long_run = program.start("run", *tree.arguments, "--json", env=marker.environment)
    tree.gate.await_build()
    alias = Program(program.cache_home, program.state_home.with_name("other-state"))
    short_run = alias.start("run", *other_tree.arguments, "--json", env={**marker.environment, LIMIT: "0M"})
    read_until(short_run, "waiting for another run that builds the same architecture")
    tree.gate.let_through()
    answers = finish(long_run), finish(short_run)
    assert [answer.code for answer in answers] == [0, 0]
    assert "is damaged" not in answers[0].stderr


@pytest.mark.parametrize("seconds", [0.6, 1.0, 1.5, 2.5])
def test_a_run_that_is_killed_at_any_moment_leaves_a_whole_cache(
    program: Program, tree: StubTree, marker: Marker, seconds: float
) -> None:
    run = program.start("run", *tree.arguments, "--json", env=marker.environment)
    time.sleep(seconds)
    run.kill()
    run.communicate(timeout=60)
    assert marker.left_after(20) == {}
    assert program("cache", "verify").code == 0
    gc = program("cache", "gc")
    assert gc.code == 0
    assert program("run", *tree.arguments).code == 0
    assert not list(program.cache.rglob(".new-*"))


def test_gc_that_is_killed_in_the_middle_breaks_nothing(program: Program, tree: StubTree) -> None:
    for lines in (1, 3, 5):
        assert program("run", *tree.arguments).code == 0
        gc = program.start("cache", "gc", "--max-size", "0M")
        assert gc.stdout
        said = [gc.stdout.readline() for _ in range(lines)]
        assert all("removed" in line for line in said), said
        gc.kill()
        gc.communicate(timeout=60)
    again = program("run", *tree.arguments)
    assert again.code == 0
    assert "is damaged" not in again.stderr
    assert program("cache", "verify").code == 0
    assert program("cache", "gc").code == 0
    assert not list(program.cache.rglob(".gone-*"))


def test_two_gcs_and_a_run_at_once(program: Program, tree: StubTree) -> None:
    assert program("run", *tree.arguments).code == 0
    both = [program.start("cache", "gc", "--max-size", "0M") for _ in range(2)]
    run = program.start("run", *tree.arguments)
    assert [finish(process).code for process in (*both, run)] == [0, 0, 0]
