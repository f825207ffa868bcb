"""Only whole, unchanged entries of this version are ever used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.build.cache import FORMAT, BuildCache, digest, sha256_of
from harness.errors import InfrastructureError
from results.model import Build, CompilerWarning


def make_build(tmp_path: Path, key: str = "k1") -> Build:
    image = tmp_path / "bzImage"
    image.write_bytes(b"kernel")
    return Build(
        arch="x86_64",
        variant="base",
        ok=True,
        key=key,
        cached=False,
        seconds=1.5,
        commit="c" * 40,
        compiler="gcc 12",
        image_sha256=sha256_of(image),
        warnings=(CompilerWarning("mm/x.c", 1, "-Wx", "text"),),
        commands=("make",),
    )


def fill(folder: Path) -> None:
    (folder / "image").write_bytes(b"kernel")


def test_what_was_stored_is_found(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    build = make_build(tmp_path)
    entry = cache.store(build, fill)
    assert cache.lookup("k1") == (build, entry)
    assert cache.lookup("k2") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "image").write_bytes(b"kernal"),
        lambda entry: (entry / "image").unlink(),
        lambda entry: (entry / "build.json").write_text("{"),
        lambda entry: (entry / "build.json").write_text("[]"),
        lambda entry: (entry / "build.json").write_text("{}"),
        lambda entry: (entry / "build.json").write_text(
            json.dumps({**json.loads((entry / "build.json").read_text()), "from_the_future": 1})
        ),
    ],
)
def test_a_damaged_or_foreign_entry_counts_as_absent_and_can_be_stored_again(tmp_path: Path, damage) -> None:
    cache = BuildCache(tmp_path)
    build = make_build(tmp_path)
    damage(cache.store(build, fill))
    assert cache.lookup("k1") is None
    entry = cache.store(build, fill)
    assert cache.lookup("k1") == (build, entry)


def test_entries_of_an_older_version_are_not_looked_at(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    entry = cache.store(make_build(tmp_path), fill)
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
        cache.store(make_build(tmp_path), fail)
    assert list(cache.folder.iterdir()) == []


def test_a_key_depends_on_every_part() -> None:
    parts = {"tree": "a", "symbols": {"CONFIG_A": "y"}}
    assert digest(parts) == digest(dict(reversed(parts.items())))
    assert digest(parts) != digest({**parts, "symbols": {"CONFIG_A": "n"}})
