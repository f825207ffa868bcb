# SPDX-License-Identifier: GPL-2.0-only
"""Directories of patches: which files, in which order, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sources.series.folder import FolderFiles, natural, read_folder
from harness.sources.series.mail.mbox import SeriesError
from tests.samples.patch_mail import mail


def read(folder: Path, **files: str) -> FolderFiles:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content)
    return read_folder(folder, Path.read_bytes)


def names(found: FolderFiles) -> list[str]:
    return [Path(path).name for path, _ in found.files]


PATCH = mail("[PATCH] mm: x").partition("\n")[2]


def test_natural_order() -> None:
    ordered = ["0000-cover", "0001-a", "1-x", "2-x", "9-X", "10-x", "a2", "A10", "b"]
    assert sorted(sorted(ordered), key=lambda name: natural(name)) == ordered


def test_any_ending_and_every_file_left_out_is_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    files = ("10-d__txt", "9-c__PATCH", "8-b__mbox", "7-a__diff", "6")
    found = read(tmp_path, **dict.fromkeys(files, PATCH), README="text", x__orig=PATCH, notes__txt="no diff")
    assert names(found) == ["6", "7-a.diff", "8-b.mbox", "9-c.PATCH", "10-d.txt"]
    assert found.notes == (f"left out more/, notes.txt, README and x.orig of {tmp_path}: no diff in it",)


def test_cover_letter_counts(tmp_path: Path) -> None:
    cover = mail("[PATCH 0/1] mm: cover", None).partition("\n")[2]
    assert names(read(tmp_path, a__patch=PATCH, b__cover=cover)) == ["a.patch", "b.cover"]


def test_numbered_patch_without_its_diff_is_not_passed_over(tmp_path: Path) -> None:
    empty = mail("[PATCH 2/2] mm: cut off", None).partition("\n")[2]
    assert names(read(tmp_path, a__patch=PATCH, b__patch=empty)) == ["a.patch", "b.patch"]


def test_quilt(tmp_path: Path) -> None:
    series = "# fixes\nz-first.patch\n#m-off.patch\na-second.patch -p1 # of mm\n\n"
    patches = dict.fromkeys(("a-second__patch", "m-off__patch", "z-first__patch", "other__patch"), PATCH)
    found = read(tmp_path, series=series, **patches)
    assert names(found) == ["z-first.patch", "a-second.patch"]
    assert found.is_listed
    assert found.notes[1:] == (
        f"left out m-off.patch: commented out in {tmp_path / 'series'}",
        f"left out other.patch of {tmp_path}: not named in {tmp_path / 'series'}",
    )


def test_stgit(tmp_path: Path) -> None:
    base = "0123456789" * 4
    series = f"# This series applies on GIT commit {base}\nfirst\nsecond.patch\n"
    found = read(tmp_path, series=series, first=PATCH, second__patch=PATCH)
    assert (names(found), found.base) == (["first", "second.patch"], base)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ("gone.patch\n", "series:1: there is no patch gone.patch"),
        ("a.patch -p0\n", "series:1: a.patch has the option -p0"),
        ("a.patch -R\n", "has the option -R"),
        ("# a.patch\n", "names no patch"),
    ],
)
def test_listing_that_asks_for_what_cannot_be(tmp_path: Path, series: str, message: str) -> None:
    with pytest.raises(SeriesError, match=message) as failure:
        read(tmp_path, series=series, a__patch=PATCH)
    assert failure.value.hint


def test_maildir(tmp_path: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "cur" / "2").write_text(PATCH)
    (tmp_path / "new" / "1").write_text(PATCH)
    assert names(read_folder(tmp_path, Path.read_bytes)) == ["1", "2"]


def test_no_patch_at_all(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="none of its 1 files has a diff"):
        read(tmp_path, README="text")
