# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness cache`, and what the other commands say of a bad cache."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.build.build_cache import BuildCache
from harness.commands.cache.size import DEFAULT_LIMIT, LIMIT_VARIABLE
from tests import published
from tests.program import Invoke, Program
from tests.samples.cache_entries import kinds, objects, programs, store

MEBI = 1 << 20


@pytest.fixture
def program(cache: Path, tmp_path: Path) -> Program:
    return Program(cache.parent, tmp_path / "state")


def test_two_gcs_at_once_both_end_well(program: Program, cache: Path) -> None:
    for number in range(20):
        objects(cache, f"x{number}", 4096, number)
    both = [program.start("cache", "gc", "--max-size", "0M") for _ in range(2)]
    ends = [(*process.communicate(timeout=60), process.returncode) for process in both]
    assert [end[2] for end in ends] == [0, 0], ends
    assert sum(end[0].count("removed objects") for end in ends) == 20
    assert kinds(cache) == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Root needs a mount for it."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    mount = ["mount", "-o", "bind,ro", str(folder), str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes a machine that allows it")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_cache_that_can_only_be_read_is_told_in_one_line(
    program: Program, invoke: Invoke, cache: Path
) -> None:
    store(cache, "k1")
    with read_only(cache):
        for command in (("run", "--arch", "x86_64"), ("plan",), ("cache", "gc"), ("cache", "verify")):
            answer = invoke(*command)
            assert answer.code == 3, command
            assert answer.stdout == ""
            message, hint = answer.stderr.splitlines()
            assert message.startswith(f"thp-harness: {cache} can't be written: ")
            assert "XDG_CACHE_HOME" in hint
        assert invoke("cache", "ls").code == 0
        assert BuildCache(cache).lookup("k1")
    assert program.run_folders() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cache", "gc", "--max-size", "lots"), "--max-size: 'lots' is not a size"),
        (("cache", "gc", "--max-size", "-1G"), "--max-size: '-1G' is not a size"),
        (("cache", "gc", "--older-than", "-1"), "-1 is not in the range"),
        (("cache", "gc", "--older-than", "x"), "'x' is not a valid integer"),
        (("cache", "gc", "--older-than", "9" * 30), "is not in the range"),
        (("cache",), "Commands:"),
        (("cache", "drop"), "No such command 'drop'"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_removed(
    invoke: Invoke, cache: Path, arguments: Sequence[str], said: str
) -> None:
    store(cache, "k1")
    answer = invoke(*arguments)
    assert answer.code == 2
    assert said in answer.stderr
    assert BuildCache(cache).lookup("k1")


@pytest.mark.parametrize("command", [("run", "--arch", "x86_64"), ("cache", "ls"), ("cache", "gc")])
def test_a_limit_that_is_none_is_told_before_anything_is_done(
    invoke: Invoke, cache: Path, command: Sequence[str]
) -> None:
    answer = invoke(*command, env={LIMIT_VARIABLE: "much"})
    assert answer.code == 2
    assert answer.stderr == (
        f"thp-harness: {LIMIT_VARIABLE}: 'much' is not a size\n"
        "  Write a number with M, G or T: 500M, 20G, 1.5T.\n"
    )
    assert list(cache.iterdir()) == []


def test_ls_follows_its_schema_and_adds_up(invoke: Invoke, cache: Path) -> None:
    store(cache, "k1")
    objects(cache, "x86_64", MEBI, 1)
    (cache / "notes").write_text("mine")
    document = invoke("cache", "ls", "--json").json
    published.check(document, "cache")
    assert (document["folder"], document["limit"]) == (str(cache), DEFAULT_LIMIT)
    assert document["bytes"] == sum(item["bytes"] for item in document["items"])
    assert document["bytes"] == sum(total["bytes"] for total in document["totals"])
    assert {total["kind"]: total["count"] for total in document["totals"]} == {
        "kernel": 1, "objects": 1, "other": 1,
    }  # fmt: skip
    kernel = document["items"][0]
    assert (kernel["arch"], kernel["variant"], kernel["commit"]) == ("x86_64", "base", "c" * 40)
    table = invoke("cache", "ls").stdout
    assert "x86_64 base cccccccccccc" in table
    assert f"of at most 30.0 GiB in {cache}" in table


@pytest.mark.parametrize("command", ["ls", "gc", "verify"])
def test_without_a_cache_there_is_nothing_to_do(invoke: Invoke, cache: Path, command: str) -> None:
    cache.rmdir()
    assert invoke("cache", command).code == 0
    assert not cache.exists()


@pytest.mark.parametrize("name", ["image", "vmlinux", "System.map", "build.log", "build.json"])
def test_verify_names_and_removes_what_is_damaged(invoke: Invoke, cache: Path, name: str) -> None:
    store(cache, "k1")
    (store(cache, "k2", variant="series") / name).write_bytes(b"damage")
    programs(cache, "p1", 1)
    answer = invoke("cache", "verify")
    assert answer.code == 3, answer
    first, last = answer.stdout.splitlines()
    assert f" is damaged: {name}; removed" in first
    assert last == "2 of 3 are whole: kernels, programs, worktrees and the mirror"
    again = invoke("cache", "verify")
    assert (again.code, again.stdout.split(":")[0]) == (0, "2 of 2 are whole")


def test_verify_checks_guest_programs(invoke: Invoke, cache: Path) -> None:
    (programs(cache, "p1", 1) / "initramfs.cpio").write_bytes(b"0708")
    answer = invoke("cache", "verify")
    assert answer.code == 3
    assert "programs p1 is damaged: initramfs.cpio; removed" in answer.stdout
    assert kinds(cache) == []
