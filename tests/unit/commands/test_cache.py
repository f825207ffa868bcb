# SPDX-License-Identifier: GPL-2.0-only
"""Only whole, unchanged entries of this version are ever used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build.build_cache import FILES, FORMAT, SUMS, BuildCache, digest, sha256_of, write_sums
from harness.build.kernel.binutils import Binutils
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from tests.samples.cache_entries import fill, make_build, store

Damage = Callable[[Path], object]


def test_what_was_stored_is_found(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    build = make_build()
    entry = cache.store(build, fill)
    assert cache.lookup("k1") == (build, entry)
    assert cache.lookup("k2") is None
    assert [path.name for path in cache.folder.iterdir()] == ["k1"]


def test_a_lookup_marks_an_entry_as_used(tmp_path: Path) -> None:
    entry = store(tmp_path, "k1")
    os.utime(entry, (1000, 1000))
    assert BuildCache(tmp_path).lookup("k1")
    assert entry.stat().st_mtime > 1000


def test_people_can_check_an_entry_with_sha256sum(tmp_path: Path) -> None:
    entry = store(tmp_path, "k1")
    checking = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=entry, capture_output=True, text=True, check=True
    )
    assert checking.stdout.splitlines() == [f"{name}: OK" for name in FILES]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def lose_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def same_time_and_size(path: Path) -> None:
    times = path.stat()
    flip(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("name", (*FILES, SUMS))
@pytest.mark.parametrize("damage", [flip, tear, Path.unlink, replace_by_folder, same_time_and_size])
def test_damage_of_any_file_is_named_and_built_again(tmp_path: Path, damage: Damage, name: str) -> None:
    cache, told = BuildCache(tmp_path), list[str]()
    damage(store(tmp_path, "k1") / name)
    assert cache.lookup("k1", told.append) is None
    assert len(told) == 1
    assert name in told[0] or name == SUMS  # a changed sum accuses the file that it belongs to
    entry = cache.store(make_build(), fill)
    assert cache.lookup("k1", told.append) == (make_build(), entry)
    assert [path.name for path in cache.folder.iterdir()] == ["k1"]


def other_architecture(entry: Path) -> None:
    """An image with a sum that is right, but that this build did not make."""
    (entry / "image").write_bytes(b"\x7fELF of another architecture")
    write_sums(entry, FILES)


def empty(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


def file_in_its_place(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.write_text("a file")


def two_files_gone(entry: Path) -> None:
    for name in ("vmlinux", "System.map"):
        (entry / name).unlink()


def from_the_future(entry: Path) -> None:
    record = json.loads((entry / "build.json").read_text())
    (entry / "build.json").write_text(json.dumps({**record, "from_the_future": 1}))
    write_sums(entry, FILES)


def of_another_key(entry: Path) -> None:
    record = json.loads((entry / "build.json").read_text())
    (entry / "build.json").write_text(json.dumps({**record, "key": "k2"}))
    write_sums(entry, FILES)


@pytest.mark.parametrize(
    ("damage", "files"),
    [
        (other_architecture, "image"),
        (empty, SUMS),
        (file_in_its_place, SUMS),
        (from_the_future, "build.json"),
        (of_another_key, "build.json"),
        (lambda entry: lose_last_line(entry / SUMS), SUMS),
        (two_files_gone, "vmlinux, System.map"),
    ],
)
def test_what_is_no_entry_of_ours_is_named_and_built_again(
    tmp_path: Path, damage: Damage, files: str
) -> None:
    cache, told = BuildCache(tmp_path), list[str]()
    damage(store(tmp_path, "k1"))
    assert cache.lookup("k1", told.append) is None
    assert told == [files]
    assert cache.store(make_build(), fill)
    assert cache.lookup("k1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_record_that_may_not_be_read_counts_as_damaged(tmp_path: Path) -> None:
    told = list[str]()
    (store(tmp_path, "k1") / "build.json").chmod(0)
    assert BuildCache(tmp_path).lookup("k1", told.append) is None
    assert told == ["build.json"]


def test_a_whole_entry_is_not_replaced_under_the_hands_of_who_uses_it(tmp_path: Path) -> None:
    """Two variants with equal sources have the same key, and may be built at the same time."""
    entry = store(tmp_path, "k1")
    inode = (entry / "image").stat().st_ino
    assert BuildCache(tmp_path).store(make_build(variant="series"), fill) == entry
    assert (entry / "image").stat().st_ino == inode


def test_entries_of_an_older_version_are_not_looked_at(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    entry = store(tmp_path, "k1")
    older = tmp_path / "builds" / "0"
    entry.parent.rename(older)
    assert FORMAT != "0"
    assert cache.lookup("k1") is None


def test_a_failed_store_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "image").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    cache = BuildCache(tmp_path)
    with pytest.raises(InfrastructureError, match="No space left"):
        cache.store(make_build(), fail)
    assert list(cache.folder.iterdir()) == []


def test_a_build_that_lacks_a_file_is_not_stored(tmp_path: Path) -> None:
    def forget_one(folder: Path) -> None:
        fill(folder)
        (folder / "vmlinux").unlink()

    cache = BuildCache(tmp_path)
    with pytest.raises(InfrastructureError, match="vmlinux: No such file"):
        cache.store(make_build(), forget_one)
    assert list(cache.folder.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file")
    cache = BuildCache(tmp_path)
    assert cache.lookup("k1") is None
    with pytest.raises(InfrastructureError, match=r"builds/.* can't be written: "):
        cache.store(make_build(), fill)


@pytest.mark.parametrize("debug", [True, False])
def test_vmlinux_is_kept_with_its_symbols_but_without_debug_sections(tmp_path: Path, debug: bool) -> None:
    source, vmlinux, kept = tmp_path / "a.c", tmp_path / "vmlinux", tmp_path / "kept"
    source.write_text("int probe_me(void) { return 1; }\n")
    compiler = ["gcc", "-c", *(["-g"] if debug else []), "-o", str(vmlinux), str(source)]
    subprocess.run(compiler, check=True)
    Binutils("", Children()).copy_without_debug(vmlinux, kept)
    listing = subprocess.run(["objdump", "-ht", str(kept)], capture_output=True, text=True, check=True).stdout
    assert "probe_me" in listing
    assert ".debug_" not in listing
    if not debug:
        assert sha256_of(kept) == sha256_of(vmlinux)


def test_a_key_depends_on_every_part() -> None:
    parts = {"tree": "a", "symbols": {"CONFIG_A": "y"}}
    assert digest(parts) == digest(dict(reversed(parts.items())))
    assert digest(parts) != digest({**parts, "symbols": {"CONFIG_A": "n"}})
