# SPDX-License-Identifier: GPL-2.0-only
"""The folder of objects that builds go on with, when the sources move from commit to commit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build.kernel.objects import SEAL, Objects, empty_objects, open_objects
from tests.samples.tiny_kernel import commit, git, make_kernel

DAY_NS = 24 * 3600 * 10**9
MADE = {
    "mm/huge_memory.o": "an object",
    "mm/built-in.a": "an archive",
    "include/config/THP": "",
    "include/generated/bounds.h": "#define BOUND 1",
    ".config": "CONFIG_THP=y",
}


def build(root: Path, *lines: str) -> list[str]:
    """One build that prints these lines; returns the files with warnings, of all objects."""
    objects = open_objects(root / "objects", root / "tree", "t")
    warnings = objects.note_warnings(root / "tree", lines)
    objects.seal("t")
    return [warning.file for warning in warnings]


def warn(name: str) -> tuple[str, str]:
    return f"  CC      {name}.o", f"{name}.c:1:5: warning: unused variable 'x' [-Wunused-variable]"


def test_a_file_that_another_commit_lacks_has_no_warnings_there(tmp_path: Path) -> None:
    (tmp_path / "tree" / "mm").mkdir(parents=True)
    old, new = (tmp_path / "tree" / "mm" / name for name in ("old.c", "new.c"))
    old.touch()
    new.touch()
    assert build(tmp_path, *warn("mm/new"), *warn("mm/old")) == ["mm/new.c", "mm/old.c"]
    assert build(tmp_path) == ["mm/new.c", "mm/old.c"], "nothing was compiled, nothing is forgotten"
    assert build(tmp_path, "  CC      mm/old.o") == ["mm/new.c"], "compiled again, without a warning"
    assert build(tmp_path, *warn("mm/old")) == ["mm/new.c", "mm/old.c"]
    new.unlink()
    assert build(tmp_path) == ["mm/old.c"]
    new.touch()
    assert build(tmp_path) == ["mm/old.c"], "it has to be compiled again first"


def test_warnings_of_generated_files_and_of_no_file_stay(tmp_path: Path) -> None:
    assert build(tmp_path) == []
    objects = open_objects(tmp_path / "objects", tmp_path / "tree", "t")
    (tmp_path / "objects" / "lib").mkdir()
    (tmp_path / "objects" / "lib" / "made.c").touch()
    modpost = "WARNING: modpost: vmlinux: section mismatch in reference"
    objects.note_warnings(tmp_path / "tree", (*warn("lib/made"), modpost))
    objects.seal("t")
    assert build(tmp_path) == ["lib/made.c", "modpost"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sealed objects."""
    folder = tmp_path / "objects"
    for name, text in MADE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    Objects(folder, configured_from="inputs").seal("t")
    return folder


def opened(folder: Path, tree: str = "t") -> Objects:
    return open_objects(folder, folder.parent / "tree", tree)


def kept(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {SEAL}


def test_what_is_as_it_was_sealed_is_gone_on_with(folder: Path) -> None:
    objects = opened(folder)
    assert (objects.tree, objects.configured_from, objects.is_empty) == ("t", "inputs", False)
    assert kept(folder) == MADE.keys()


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def rewrite(path: Path) -> None:
    path.write_text("AN OBJECT")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("damage", [truncate, rewrite, Path.unlink], ids=["truncated", "rewritten", "gone"])
@pytest.mark.parametrize("name", sorted(MADE))
def test_an_object_that_is_not_as_it_was_sealed_is_built_again(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(folder / name)
    objects = opened(folder)
    assert not (folder / name).exists()
    if name.startswith("include/config/"):
        assert objects.is_empty, "objects that depend on the symbol could not be told"
    else:
        assert kept(folder) == MADE.keys() - {name}


def test_what_came_after_the_seal_is_deleted(folder: Path) -> None:
    """A build that was killed has left it."""
    (folder / "mm" / "rmap.o").write_text("half an ob")
    assert not opened(folder).is_empty
    assert kept(folder) == MADE.keys()


@pytest.mark.parametrize("seal", ["", "{", "[]", "null", '{"tree": "t"}', "[" * 100_000, "\x00" * 100])
def test_objects_without_a_whole_seal_are_deleted(folder: Path, seal: str) -> None:
    (folder / SEAL).write_text(seal)
    assert opened(folder).is_empty
    assert list(folder.iterdir()) == []


def test_objects_of_the_future_are_deleted(folder: Path) -> None:
    """The clock was ahead when they were made; their sources would never be newer."""
    path = folder / "mm" / "huge_memory.o"
    os.utime(path, ns=(0, time.time_ns() + DAY_NS))
    Objects(folder).seal("t")
    assert opened(folder).is_empty


def test_an_empty_folder_starts_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "objects" / "mm").mkdir(parents=True)
    (tmp_path / "objects" / "mm" / "rmap.o").touch()
    assert empty_objects(tmp_path / "objects").is_empty
    assert opened(tmp_path / "objects").is_empty


def test_sources_that_differ_are_newer_than_the_objects_whatever_the_clock_said(folder: Path) -> None:
    tree = folder.parent / "tree"
    make_kernel(tree, {"mm/rmap.c": "int a;\n", "mm/gup.c": "int b;\n", "mm/gone.c": "int c;\n"})
    old = git(tree, "rev-parse", "HEAD^{tree}")
    Objects(folder).seal(old)
    (tree / "mm" / "gone.c").unlink()
    (tree / "mm" / "link.c").symlink_to("nowhere.c")
    commit(tree, "mm: change one", {"mm/rmap.c": "int a = 2;\n"})
    new = git(tree, "rev-parse", "HEAD^{tree}")
    for name in ("rmap.c", "gup.c"):
        os.utime(tree / "mm" / name, (0, 0))
    assert not opened(folder, new).is_empty
    newest = max((folder / name).stat().st_mtime_ns for name in MADE)
    assert (tree / "mm" / "rmap.c").stat().st_mtime_ns >= newest
    assert (tree / "mm" / "gup.c").stat().st_mtime_ns == 0
    assert kept(folder) == MADE.keys()


def test_objects_of_a_tree_that_git_does_not_know_are_deleted(folder: Path) -> None:
    make_kernel(folder.parent / "tree")
    assert opened(folder, git(folder.parent / "tree", "rev-parse", "HEAD^{tree}")).is_empty
