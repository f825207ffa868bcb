# SPDX-License-Identifier: GPL-2.0-only
"""The content-addressed store of finished builds.

    CACHE/builds/FORMAT/KEY/   image, vmlinux, System.map, .config, build.log, build.json, SHA256SUMS

An entry appears by one rename when it is whole. SHA256SUMS (as sha256sum(1) reads it) names all of
its files, and every lookup reads and hashes them all: that takes some tens of milliseconds, and
nothing less would notice a changed byte. A damaged entry counts as absent and is built again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from harness.core.errors import InfrastructureError
from results.files import open_plain, read_plain
from results.model.run import Build, CompilerWarning

FORMAT = "2"
"""Raised whenever the meaning of an entry changes; entries of other formats are left to `cache gc`."""
RECORD = "build.json"
IMAGE = "image"
VMLINUX = "vmlinux"
LOG = "build.log"
KEPT_FILES = (".config", "System.map")
"""What is kept of a build's objects folder, under the same names."""
FILES = (IMAGE, VMLINUX, *KEPT_FILES, LOG, RECORD)
"""The files of every entry, but for their sums; a kernel with counters has one more."""
SUMS = "SHA256SUMS"
DRAFT, GONE = ".new-", ".gone-"
"""How the names of what is not yet and no longer part of the cache begin."""

_MOST_BYTES = 1 << 40
"""Of a file that is hashed: an image, or an upload to a host."""
_MOST_SUMS_BYTES = 1 << 20
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")


def digest(parts: Mapping[str, object]) -> str:
    """Content address of the named inputs: 24 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open_plain(path, _MOST_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Record the sums of files in a folder.

    Raises:
        OSError: if a file is missing, or the disk full.
    """
    (folder / SUMS).write_text("".join(f"{sha256_of(folder / name)}  {name}\n" for name in names))


def damaged_files(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Which of the files that a folder must have are not there, or not as they were recorded."""
    try:
        lines = read_plain(folder / SUMS, _MOST_SUMS_BYTES).decode().splitlines()
    except (OSError, ValueError):
        return (SUMS,)
    sums = {line[2]: line[1] for line in map(_SUM.fullmatch, lines) if line}
    if len(sums) < len(lines) or not sums.keys() >= set(names):
        return (SUMS,)
    return tuple(name for name, known in sums.items() if not _has_sum(folder / name, known))


def _has_sum(path: Path, known: str) -> bool:
    try:
        return sha256_of(path) == known
    except OSError:
        return False


def mark_used(folder: Path) -> None:
    """Set the time stamp of a folder to now."""
    with suppress(OSError):  # a cache that can only be read serves as well
        os.utime(folder)


def discard(path: Path) -> None:
    """Remove a file or folder of the cache.

    Raises:
        OSError: if it can't be removed.
    """
    delete(set_aside(path))


def set_aside(path: Path) -> Path:
    """From this moment on a file or folder is no part of the cache; returns what is left to delete.

    Raises:
        OSError: if it can't be removed.
    """
    if path.name.startswith(GONE):
        return path
    return path.rename(path.with_name(f"{GONE}{path.name}-{os.getpid()}"))


def delete(path: Path) -> None:
    """Delete a file or folder, even if others do so at the same time.

    Raises:
        OSError: if it can't be deleted.
    """
    while os.path.lexists(path):
        with suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def publish(draft: Path, entry: Path, damaged: Callable[[Path], Sequence[str]]) -> None:
    """Give a finished folder its name in one step; what is damaged makes room, what is whole stays.

    Raises:
        OSError: if it can't be renamed, or the damaged one not be removed.
    """
    if os.path.lexists(entry) and damaged(entry):
        discard(entry)
    try:
        draft.rename(entry)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another process has made it
            raise


class BuildCache:
    """Finished builds by key."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / "builds" / FORMAT

    def lookup(
        self, key: str, damage: Callable[[str], None] = lambda files: None
    ) -> tuple[Build, Path] | None:
        """A whole entry and its folder, or None; `damage` is told the damaged files of one that is not.

        The entry counts as used now: its folder's time stamp says so.
        """
        entry = self.folder / key
        if not os.path.lexists(entry):
            return None
        damaged, build = _examine(entry)
        if build is None:
            damage(", ".join(damaged))
            return None
        mark_used(entry)
        return build, entry

    def damaged(self, key: str) -> tuple[str, ...]:
        """The damaged files of an entry."""
        return _examine(self.folder / key)[0]

    def store(self, build: Build, fill: Callable[[Path], None]) -> Path:
        """Add an entry: `fill` puts the files into a folder, which then gets its final name.

        Raises:
            InfrastructureError: if the cache can't be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.folder))
        except OSError as error:
            raise InfrastructureError(f"{self.folder} can't be written: {error.strerror}") from None
        try:
            fill(draft)
            (draft / RECORD).write_text(json.dumps(asdict(build), indent=2) + "\n")
            extras = sorted({file.name for file in draft.iterdir()} - set(FILES))
            write_sums(draft, (*FILES, *extras))
            draft.chmod(0o755)
            entry = self.folder / build.key
            publish(draft, entry, lambda there: _examine(there)[0])
            return entry
        except OSError as error:
            where = error.filename2 or error.filename or self.folder
            raise InfrastructureError(f"{where}: {error.strerror}") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _examine(entry: Path) -> tuple[tuple[str, ...], Build | None]:
    """What is damaged of an entry, and its record if nothing is."""
    if damaged := damaged_files(entry, FILES):
        return damaged, None
    build = read_record(entry)
    if build is None or build.key != entry.name:
        return (RECORD,), None
    if f"{build.image_sha256}  {IMAGE}\n" not in (entry / SUMS).read_text():
        return (IMAGE,), None  # whole, but not the one that was built
    return (), build


def read_record(entry: Path) -> Build | None:
    """The record of an entry, or None where there is none that can be read."""
    try:
        record = json.loads((entry / RECORD).read_text())
        record["warnings"] = tuple(CompilerWarning(**warning) for warning in record["warnings"])
        record["commands"] = tuple(record["commands"])
        return Build(**record)
    except (OSError, ValueError, TypeError, KeyError):
        return None
