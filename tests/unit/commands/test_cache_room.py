# SPDX-License-Identifier: GPL-2.0-only
"""Room in the cache: leftovers go first, then the least recently used."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.build.build_cache import DRAFT, FORMAT, GONE, BuildCache
from harness.commands.cache.collect import DAY, TrimRequest, choose, collect, trim
from harness.commands.cache.inventory import Item, SizeMemory, inventory
from harness.commands.cache.sharing import LOCK, in_use
from harness.commands.cache.size import (
    DEFAULT_LIMIT,
    LIMIT_VARIABLE,
    disk_usage,
    parse_size,
    show_size,
    size_limit,
)
from harness.core.errors import UsageError
from tests.samples.cache_entries import gc, kinds, objects, programs, silent, store, used, worktree

MEBI = 1 << 20
PLENTY = TrimRequest(limit=1 << 40)


# Sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("20G", 20 << 30), ("20g", 20 << 30), ("1.5 GiB", 3 << 29), ("500MB", 500 << 20)),
        *(("2T", 2 << 40), (" 0M ", 0)),
    ],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text, "--max-size") == size


@pytest.mark.parametrize(
    "text", ["", "G", "20", "-5G", "20X", "1e3G", "nan", "infG", "20GG", "٣G", "1,5G", "9" * 400 + "G"]
)
def test_nonsense_is_told_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a size") as refusal:
        parse_size(text, "--max-size")
    assert str(refusal.value).startswith("--max-size: ")
    assert "20G" in refusal.value.hint


def test_the_limit_comes_from_the_environment() -> None:
    assert size_limit({}) == DEFAULT_LIMIT == 30 << 30
    assert size_limit({LIMIT_VARIABLE: "5G"}) == 5 << 30
    with pytest.raises(UsageError, match=LIMIT_VARIABLE):
        size_limit({LIMIT_VARIABLE: ""})


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 KiB"), (1, "1 KiB"), (MEBI, "1 MiB"), (3 << 29, "1.5 GiB")]
)
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert show_size(size) == text


# What goes


def make_item(name: str, size: int, age: float, kind: str = "kernel") -> Item:
    return Item(kind, name, Path(name), size, 0.0, 1000.0 - age)


@pytest.mark.parametrize(
    ("limit", "older_than", "gone"),
    [
        (100, None, ["draft"]),
        (94, None, ["draft"]),
        (93, None, ["draft", "oldest"]),
        (70, None, ["draft", "oldest", "old", "new"]),
        (0, None, ["draft", "oldest", "old", "new"]),
        (100, 40.0, ["draft", "oldest"]),
        (100, 0.0, ["draft", "oldest", "old", "new"]),
        (80, 40.0, ["draft", "oldest", "old"]),
    ],
)
def test_leftovers_go_then_the_least_recently_used(
    limit: int, older_than: float | None, gone: Sequence[str]
) -> None:
    items = [
        make_item("new", 9, 1),
        make_item("mirror", 70, 1000, "mirror"),
        make_item("oldest", 5, 50, "objects"),
        make_item("draft", 1, 0, "leftover"),
        make_item("old", 10, 30, "worktree"),
    ]
    chosen = choose(items, TrimRequest(limit, older_than), 1000.0)
    assert [item.name for item in chosen] == list(gone)


def test_everything_is_found_with_its_size_and_last_use(cache: Path) -> None:
    used(store(cache, "k1", commit="a" * 40), 3)
    objects(cache, "x86_64", MEBI, 2)
    worktree(cache, "debian-series", 2 * MEBI, 4)
    programs(cache, "p1", 1)
    for name in (
        "debian/linux.deb",
        "apt/lists/x",
        "lore/t/x.mbx",
        "series/s.json",
        "notes",
        "ccache/0/stats",
    ):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).touch()
    items = {(item.kind, item.name): item for item in inventory(cache, time.time())}
    assert items.keys() == {
        ("kernel", "x86_64 base aaaaaaaaaaaa"),
        ("objects", "x86_64"),
        ("worktree", "debian-series"),
        ("programs", "p1"),
        ("package", "linux.deb"),
        ("lists", "apt"),
        ("mails", "t"),
        ("mirror", "mirror.git"),
        *(("other", name) for name in ("series", "notes")),
        ("ccache", "ccache"),
    }
    ages = {kind: round((time.time() - item.used) / DAY) for (kind, _), item in items.items()}
    assert (ages["kernel"], ages["objects"], ages["worktree"], ages["programs"]) == (3, 2, 4, 1)
    assert items["objects", "x86_64"].size >= MEBI
    assert items["objects", "x86_64"].arch == "x86_64"
    assert items["worktree", "debian-series"].commit == "f" * 40


def test_old_things_go_and_the_rest_stays(cache: Path) -> None:
    used(store(cache, "k1"), 10)
    used(store(cache, "k2"), 1)
    objects(cache, "arm64+3f2a90cc", MEBI, 8)
    worktree(cache, "debian-base", MEBI, 9)
    programs(cache, "p1", 1)
    said = gc(cache, TrimRequest(1 << 40, older_than=7 * DAY))
    assert [line.split(",")[0] for line in said[:-1]] == [
        "removed kernel x86_64 base cccccccccccc",
        "removed worktree debian-base",
        "removed objects arm64+3f2a90cc",
    ]
    assert said[0].endswith("last used 10 days ago")
    assert said[-1].endswith("are left")
    assert BuildCache(cache).lookup("k2")
    assert not BuildCache(cache).lookup("k1")
    assert sorted(path.name for path in cache.rglob("*.lock")) == [LOCK]


def test_the_least_recently_used_goes_until_the_rest_is_small_enough(cache: Path) -> None:
    for days, name in enumerate("abcd"):
        objects(cache, name, MEBI, days)
    said = gc(cache, TrimRequest(5 * MEBI // 2))
    assert [line.split(",")[0] for line in said[:-1]] == ["removed objects d", "removed objects c"]
    assert disk_usage(cache) < 5 * MEBI // 2
    assert gc(cache, TrimRequest(5 * MEBI // 2)) == said[-1:], "there is nothing more to do"


def test_what_can_not_become_smaller_is_said(cache: Path) -> None:
    (cache / "mirror.git").mkdir()
    (cache / "mirror.git" / "pack").write_bytes(bytes(MEBI))
    assert "more than 0 KiB: what is in use stays, and so does the mirror" in gc(cache, TrimRequest(0))[-1]


def test_a_dry_run_changes_nothing_and_waits_for_nobody(cache: Path) -> None:
    used(store(cache, "k1"), 10)
    (cache / "objects" / f"{GONE}x").mkdir(parents=True)
    before = sorted(cache.rglob("*"))
    said: list[str] = []
    with in_use(cache, silent):
        collect(cache, TrimRequest(0, dry_run=True), said.append, nullcontext())
    assert [line.split(",")[0] for line in said[:2]] == [
        f"would remove leftover {GONE}x",
        "would remove kernel x86_64 base cccccccccccc",
    ]
    assert "would be left" in said[2]
    assert [path for path in sorted(cache.rglob("*")) if path.name != LOCK] == before


LEFTOVERS = (
    *(f"builds/{FORMAT}/{DRAFT}a", f"builds/{FORMAT}/{GONE}b", f"programs/{DRAFT}c", f"worktrees/{GONE}d"),
    *("lore/fetch-e", "debian/download-f", "mirror-g", "builds/1/old"),
)


def test_what_was_left_over_goes(cache: Path) -> None:
    for name in LEFTOVERS:
        (cache / name).mkdir(parents=True)
    for name in (
        "objects/arm64+3f2a90cc.lock",
        "worktrees/.debian-base.lock",
        "series/s.123",
        "accelerators.new",
    ):
        (cache / name).parent.mkdir(exist_ok=True)
        (cache / name).touch()
    for folder in (cache / "builds" / "1", *(cache / "builds" / "1").iterdir()):
        used(folder, 2)
    entry = store(cache, "k1")
    gc(cache, PLENTY)
    assert [path for path in cache.rglob("*") if path.is_file() and path.name != LOCK] == [*entry.iterdir()]
    assert kinds(cache) == [("kernel", "x86_64 base cccccccccccc"), ("other", "series")]


def test_kernels_that_another_version_of_the_program_has_just_built_stay(cache: Path) -> None:
    (cache / "builds" / "1" / "k").mkdir(parents=True)
    used(cache / "builds" / "1", 5)
    gc(cache, PLENTY)
    assert kinds(cache) == [("other", "builds/1")]


def test_a_damaged_entry_is_listed_and_can_be_removed(cache: Path) -> None:
    (store(cache, "k1") / "build.json").unlink()
    (cache / "builds" / FORMAT / "k2").mkdir()
    (cache / "builds" / FORMAT / "k3").write_text("a file")
    assert [name for _, name in kinds(cache)] == ["k1 (damaged)", "k2 (damaged)", "k3 (damaged)"]
    gc(cache, TrimRequest(0))
    assert kinds(cache) == []


def test_large_folders_are_measured_again_only_after_they_were_used(cache: Path) -> None:
    folder = objects(cache, "x86_64", MEBI, 1)

    def size() -> int:
        memory = SizeMemory(cache)
        found = [item.size for item in inventory(cache, time.time(), memory) if item.kind == "objects"]
        memory.save()
        return found[0]

    first, stamp = size(), folder.stat().st_mtime_ns
    (folder / "b.o").write_bytes(bytes(MEBI))
    os.utime(folder, ns=(stamp, stamp))
    assert size() == first
    os.utime(folder)
    assert size() >= 2 * MEBI
    (cache / "sizes.json").write_text('{"objects/x86_64": 7}')
    assert size() >= 2 * MEBI


def test_the_end_of_a_run_is_quiet_unless_something_goes(cache: Path) -> None:
    objects(cache, "x86_64", MEBI, 1)
    said: list[str] = []
    trim(cache, 10 * MEBI, said.append)
    assert said == []
    trim(cache, MEBI // 2, said.append)
    assert said[0].startswith("removed objects x86_64, 1 MiB, last used 1 day ago")
    assert said[1].endswith("KiB are left")
    assert len(said) == 2


def test_a_trim_that_fails_does_not_spoil_the_run(cache: Path) -> None:
    (cache / LOCK).mkdir()
    said: list[str] = []
    trim(cache, 0, said.append)
    assert len(said) == 1
    assert "could not be trimmed" in said[0]
