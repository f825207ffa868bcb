# SPDX-License-Identifier: GPL-2.0-only
"""The mirror becomes small again without losing what a tree, a series or a worktree needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.commands.cache.collect import DAY, TrimRequest, collect
from harness.commands.cache.mirror import tidy_mirror
from harness.commands.cache.sharing import alone
from harness.commands.cache.verify import verify
from harness.core.errors import InfrastructureError
from harness.sources.git.mirror import has_commit, open_mirror
from harness.sources.git.repository import Repository
from harness.sources.git.worktree import worktree
from harness.sources.series.series import prepare_series
from harness.sources.trees.tree import LocalTree, prepare_tree
from tests.samples.cache_entries import silent, store
from tests.samples.tiny_kernel import commit, git, make_kernel, make_series


@dataclass(frozen=True)
class Shop:
    """A cache with one old tree, one newer tree, and a series on each of them."""

    kernel: Path
    cache: Path
    trees: tuple[str, str]
    series: tuple[str, str]

    @property
    def mirror(self) -> Repository:
        return open_mirror(self.cache)

    def make_old(self, *commits: str, days: float = 10) -> None:
        """Have trees and series be remembered so long ago."""
        when = time.time() - days * DAY
        for ref in (self.mirror.path / "refs").rglob("*"):
            if ref.is_file() and ref.read_text().strip() in commits:
                os.utime(ref, (when, when))

    def gc(self, days: float | None = None) -> list[str]:
        said: list[str] = []
        older_than = None if days is None else days * DAY
        collect(self.cache, TrimRequest(1 << 40, older_than), said.append, alone(self.cache, silent))
        return said

    def objects(self) -> int:
        lines = self.mirror.run("count-objects", "-v").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("count", "in-pack")))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Made once, copied for every test."""
    folder = tmp_path_factory.mktemp("built")
    kernel, cache = make_kernel(folder / "linux"), folder / "cache"
    trees, series = [], []
    for number in range(2):
        base = commit(kernel, f"base {number}", {"mm/new.c": f"{number}\n" * 50})
        trees.append(prepare_tree(LocalTree(kernel, base), cache, silent).commit)
        make_series(kernel)
        text = f"git:{kernel}@{base}..HEAD"
        series.append(prepare_series(text, base, cache, False, silent).commit)
        git(kernel, "reset", "--quiet", "--hard", base)
    git(kernel, "repack", "-adq")  # fewer files to copy
    return Shop(kernel, cache, (trees[0], trees[1]), (series[0], series[1]))


@pytest.fixture
def shop(built: Shop, tmp_path: Path) -> Shop:
    kernel, cache = (shutil.copytree(path, tmp_path / path.name) for path in (built.kernel, built.cache))
    return replace(built, kernel=kernel, cache=cache)


def test_trees_and_series_stay_as_long_as_they_are_remembered(shop: Shop) -> None:
    before = shop.objects()
    shop.gc()
    assert shop.objects() == before
    assert all(has_commit(shop.mirror, each) for each in (*shop.trees, *shop.series))
    assert shop.mirror.succeeds("fsck", "--strict")


def test_old_trees_and_series_are_forgotten_with_their_commits(shop: Shop) -> None:
    before = shop.objects()
    shop.make_old(shop.trees[0], shop.series[0])
    said = shop.gc(days=7)
    assert sorted(line.split("/")[0] for line in said[:-1]) == ["forgot series", "forgot trees"]
    assert not has_commit(shop.mirror, shop.trees[0])
    assert not has_commit(shop.mirror, shop.series[0])
    assert has_commit(shop.mirror, shop.trees[1])
    assert has_commit(shop.mirror, shop.series[1])
    assert len(list((shop.cache / "series").iterdir())) == 1
    assert shop.objects() < before
    assert shop.mirror.succeeds("fsck", "--strict")


def test_what_was_forgotten_is_made_again(shop: Shop) -> None:
    shop.make_old(*shop.trees, *shop.series)
    shop.gc(days=7)
    assert shop.objects() == 0
    base = prepare_tree(LocalTree(shop.kernel, shop.trees[0]), shop.cache, silent).commit
    assert base == shop.trees[0]
    with worktree(shop.cache, "w", base) as path:
        assert (path / "mm/new.c").read_text() == "0\n" * 50


def test_a_tree_whose_kernel_was_used_is_not_old(shop: Shop) -> None:
    shop.make_old(*shop.trees, *shop.series)
    store(shop.cache, "k1", commit=shop.trees[0])
    shop.gc(days=7)
    assert has_commit(shop.mirror, shop.trees[0])
    assert not has_commit(shop.mirror, shop.trees[1])


def test_what_a_worktree_stands_on_stays(shop: Shop) -> None:
    with worktree(shop.cache, "w", shop.series[0]):
        pass
    shop.make_old(*shop.trees, *shop.series)
    shop.gc(days=7)
    assert has_commit(shop.mirror, shop.series[0])
    assert not has_commit(shop.mirror, shop.series[1])
    with worktree(shop.cache, "w", shop.series[0]) as path:
        assert git(path, "status", "--porcelain") == ""


def test_commits_that_nothing_names_go_loose_or_packed(shop: Shop) -> None:
    tree = shop.mirror.run("rev-parse", f"{shop.trees[0]}^{{tree}}")
    shop.gc()
    packed = shop.objects()
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b"}
    for word in ("packed", "loose"):
        orphan = Repository(shop.mirror.path, author).run("commit-tree", "-m", word, tree)
        if word == "packed":
            shop.mirror.run("update-ref", "refs/tmp", orphan)
            shop.mirror.run("repack", "-q", "-a", "-d")
            shop.mirror.run("update-ref", "-d", "refs/tmp")
    assert shop.objects() == packed + 2
    shop.gc()
    assert shop.objects() == packed


def test_a_worktree_that_goes_leaves_nothing_in_the_mirror(shop: Shop) -> None:
    with worktree(shop.cache, "w", shop.trees[0]):
        pass
    collect(shop.cache, TrimRequest(0), silent, alone(shop.cache, silent))
    assert not (shop.cache / "worktrees" / "w").exists()
    assert not (shop.mirror.path / "worktrees").exists()
    with worktree(shop.cache, "w", shop.trees[0]) as path:
        assert (path / "mm/new.c").exists()


def test_locks_and_packs_of_killed_git_commands_hold_up_nobody(shop: Shop) -> None:
    mirror = shop.mirror.path
    left = ("packed-refs.lock", f"refs/trees/{shop.trees[0]}.lock", "shallow.lock", "objects/pack/tmp_pack_x")
    for name in left:
        (mirror / name).touch()
    shop.make_old(*shop.trees, *shop.series)
    assert shop.gc(days=7)[-1].endswith("are left")
    assert not any((mirror / name).exists() for name in left)
    assert shop.objects() == 0


def test_a_damaged_mirror_does_not_keep_other_things_from_going(shop: Shop) -> None:
    store(shop.cache, "k1")
    for ref in (shop.mirror.path / "refs").rglob("*"):
        if ref.is_file():
            ref.write_text("f" * 40 + "\n")
    said: list[str] = []
    with pytest.raises(InfrastructureError, match="not everything could be removed"):
        collect(shop.cache, TrimRequest(0), said.append, alone(shop.cache, silent))
    assert any(line.startswith("removed kernel") for line in said)
    assert any("`thp-harness cache verify`" in line for line in said)


# Verify


def corrupt_pack(mirror: Path) -> None:
    subprocess.run(["git", "-C", str(mirror), "repack", "-adq"], check=True)
    (pack,) = mirror.glob("objects/pack/*.pack")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(content)


def lose_object(mirror: Path) -> None:
    tree = subprocess.run(
        ["git", "-C", str(mirror), "rev-list", "--all", "--max-count=1", "--format=%T"],
        check=True, capture_output=True, text=True,
    ).stdout.split()[-1]  # fmt: skip
    (mirror / "objects" / tree[:2] / tree[2:]).unlink()


def lose_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def unpack(mirror: Path) -> None:
    packs = mirror.parent / "packs"
    shutil.move(mirror / "objects" / "pack", packs)
    (mirror / "objects" / "pack").mkdir()
    for pack in packs.glob("*.pack"):
        with pack.open("rb") as file:
            command = ["git", "-C", str(mirror), "unpack-objects", "-q"]
            subprocess.run(command, stdin=file, check=True)
    shutil.rmtree(packs)


@pytest.mark.parametrize("damage", [corrupt_pack, lose_object, lose_head])
def test_a_damaged_mirror_is_named_and_made_anew(shop: Shop, damage: Callable[[Path], None]) -> None:
    unpack(shop.mirror.path)
    damage(shop.mirror.path)
    said: list[str] = []
    with alone(shop.cache, silent):
        assert verify(shop.cache, said.append) == 1
    assert said[0].startswith("mirror mirror.git is damaged")
    base = prepare_tree(LocalTree(shop.kernel, shop.trees[0]), shop.cache, silent).commit
    again = prepare_series(f"git:{shop.kernel}@{base}..HEAD", base, shop.cache, False, silent)
    with worktree(shop.cache, "w", again.commit) as path:
        assert (path / "mm/new.c").exists()
    assert verify(shop.cache, said.append) == 0


@pytest.mark.parametrize("name", ["index", "HEAD"])
def test_a_damaged_worktree_does_not_cost_the_mirror(shop: Shop, name: str) -> None:
    with worktree(shop.cache, "w", shop.trees[0]):
        pass
    (shop.mirror.path / "worktrees" / "w" / name).write_bytes(b"nonsense")
    said: list[str] = []
    assert verify(shop.cache, said.append) == 1
    assert said[0].startswith("worktree w is damaged")
    assert has_commit(shop.mirror, shop.trees[0])
    with worktree(shop.cache, "w", shop.trees[0]) as path:
        assert (path / "mm/new.c").exists()
    tidy_mirror(shop.cache, silent)


def test_a_whole_cache_is_left_alone(shop: Shop) -> None:
    with worktree(shop.cache, "w", shop.series[1]):
        pass
    store(shop.cache, "k1")
    before = sorted(shop.cache.rglob("*"))
    said: list[str] = []
    assert verify(shop.cache, said.append) == 0
    assert said == ["3 of 3 are whole: kernels, programs, worktrees and the mirror"]
    assert sorted(shop.cache.rglob("*")) == before
