# SPDX-License-Identifier: GPL-2.0-only
"""A cache as runs leave it, but small."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from harness.build.build_cache import FILES, RECORD, BuildCache, write_sums
from harness.commands.cache.collect import DAY, TrimRequest, collect
from harness.commands.cache.inventory import inventory
from harness.commands.cache.sharing import alone
from results.model.run import Build, CompilerWarning

CONTENT = {name: f"what is in {name}\n".encode() for name in FILES if name != RECORD}


def make_build(key: str = "k1", variant: str = "base", commit: str = "c" * 40) -> Build:
    return Build(
        arch="x86_64",
        variant=variant,
        ok=True,
        key=key,
        cached=False,
        seconds=1.5,
        commit=commit,
        compiler="gcc 12",
        image_sha256=hashlib.sha256(CONTENT["image"]).hexdigest(),
        warnings=(CompilerWarning("mm/x.c", 1, "-Wx", "text"),),
        commands=("make",),
    )


def fill(folder: Path) -> None:
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)


def fill_with(size: int) -> Callable[[Path], None]:
    """Like `fill`, with a vmlinux of so many bytes."""

    def fill_all(folder: Path) -> None:
        fill(folder)
        (folder / "vmlinux").write_bytes(bytes(size))

    return fill_all


def store(cache: Path, key: str, size: int = 100, **facts: str) -> Path:
    return BuildCache(cache).store(make_build(key, **facts), fill_with(size))


def silent(line: str) -> None:
    pass


def used(path: Path, days: float) -> Path:
    """Have a thing be used for the last time so long ago."""
    when = time.time() - days * DAY
    os.utime(path, (when, when))
    return path


def objects(cache: Path, name: str, size: int, days: float) -> Path:
    folder = cache / "objects" / name
    folder.mkdir(parents=True)
    (folder / "a.o").write_bytes(bytes(size))
    folder.with_suffix(".lock").touch()
    return used(folder, days)


def worktree(cache: Path, name: str, size: int, days: float) -> Path:
    folder = cache / "worktrees" / name
    administration = cache / "mirror.git" / "worktrees" / name
    for path in (folder, administration):
        path.mkdir(parents=True)
    (folder / ".git").write_text(f"gitdir: {administration}\n")
    (folder / "a.c").write_bytes(bytes(size))
    (administration / "HEAD").write_text("f" * 40 + "\n")
    (administration / "commondir").touch()
    (administration / "index").touch()
    used(administration / "index", days)
    return folder


def programs(cache: Path, name: str, days: float) -> Path:
    folder = cache / "programs" / name
    folder.mkdir(parents=True)
    (folder / "initramfs.cpio").write_bytes(b"0707")
    write_sums(folder, ("initramfs.cpio",))
    return used(folder, days)


def gc(cache: Path, request: TrimRequest) -> list[str]:
    said: list[str] = []
    collect(cache, request, said.append, alone(cache, silent))
    return said


def kinds(cache: Path) -> list[tuple[str, str]]:
    return [(item.kind, item.name) for item in inventory(cache, time.time())]
