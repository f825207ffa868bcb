# SPDX-License-Identifier: GPL-2.0-only
"""Warnings of objects that are not compiled again, when the sources move from commit to commit."""

from __future__ import annotations

from pathlib import Path

from harness.build.kernel.warnings import close_ledger, open_ledger


def build(root: Path, *lines: str) -> list[str]:
    """One build that prints these lines; returns the files with warnings, of all objects."""
    objects, tree = root / "objects", root / "tree"
    known = open_ledger(objects, tree, root / "log")
    return [warning.file for warning in close_ledger(objects, tree, known, lines)]


def warn(name: str) -> tuple[str, str]:
    return f"  CC      {name}.o", f"{name}.c:1:5: warning: unused variable 'x' [-Wunused-variable]"


def test_a_file_that_another_commit_lacks_has_no_warnings_there(tmp_path: Path) -> None:
    (tmp_path / "tree" / "mm").mkdir(parents=True)
    (tmp_path / "objects").mkdir()
    old, new = (tmp_path / "tree" / "mm" / name for name in ("old.c", "new.c"))
    old.touch()
    new.touch()
    assert build(tmp_path, *warn("mm/new"), *warn("mm/old")) == ["mm/new.c", "mm/old.c"]
    assert build(tmp_path) == ["mm/new.c", "mm/old.c"], "nothing was compiled, nothing is forgotten"
    new.unlink()
    assert build(tmp_path) == ["mm/old.c"]
    new.touch()
    assert build(tmp_path) == ["mm/old.c"], "it has to be compiled again first"


def test_warnings_of_generated_files_and_of_no_file_stay(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "objects").mkdir()
    assert build(tmp_path) == []
    (tmp_path / "objects" / "lib").mkdir()
    (tmp_path / "objects" / "lib" / "made.c").touch()
    modpost = "WARNING: modpost: vmlinux: section mismatch in reference"
    assert build(tmp_path, *warn("lib/made"), modpost) == ["lib/made.c", "modpost"]
    assert build(tmp_path) == ["lib/made.c", "modpost"]
