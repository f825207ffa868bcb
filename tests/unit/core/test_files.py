# SPDX-License-Identifier: GPL-2.0-only
"""Files of others: what is no plain file of bounded size is refused at once, in words."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from results.files import copy_tree, gunzip, open_plain, read_plain


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    secret = path.parent.parent / "secret"
    secret.write_text("secret")
    path.symlink_to(secret)


def socket_file(path: Path) -> None:
    os.mknod(path, 0o140600)


def large(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 1 << 40)


REFUSED = r"not a plain file|more than 1 MiB"
BAD: dict[str, Callable[[Path], None]] = {"fifo": fifo, "link": link, "socket": socket_file, "large": large}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_what_is_not_plain_below_a_folder_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    make(folder / "x")
    with pytest.raises(OSError, match=REFUSED):
        read_plain(folder / "x", 1 << 20, below=folder)
    with pytest.raises(OSError, match=REFUSED):
        copy_tree(folder, tmp_path / "copy", 1 << 20)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "inner/../../secret", "link/passwd", "", "a\0b"]
)
def test_a_name_can_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to("/etc")
    before = open_files()
    with pytest.raises(OSError) as refused:
        read_plain(folder / name, 1 << 20, below=folder)
    assert refused.value.strerror
    assert open_files() == before


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/proc/self/mem"])
def test_devices_and_endless_files_are_refused_at_once(path: str) -> None:
    with pytest.raises(OSError):
        read_plain(Path(path), 1 << 20)


def test_a_link_of_the_user_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("series")
    (tmp_path / "link").symlink_to("there")
    assert read_plain(tmp_path / "link", 100) == b"series"


def test_folders_are_copied_whole_and_leave_no_open_file(tmp_path: Path) -> None:
    (tmp_path / "run" / "inner").mkdir(parents=True)
    (tmp_path / "run" / "inner" / "a.log").write_text("log")
    before = open_files()
    copy_tree(tmp_path / "run", tmp_path / "copy", 100)
    open_plain(tmp_path / "copy" / "inner" / "a.log", 3, below=tmp_path / "copy").close()
    assert open_files() == before


def test_a_gzip_bomb_is_unpacked_as_far_as_it_may_be(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    with pytest.raises(OSError, match="more than 1 MiB"):
        gunzip(bomb, 1 << 20, tmp_path)
    with pytest.raises(OSError, match="damaged"):
        gunzip(bomb[:-5000], 100 << 20, tmp_path)
