# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tarball made into one git commit, several times faster than unpacking and `git add`.

The entries of the tar stream go straight into `git fast-import`. The ids that come out depend
on the tarball alone: no umask, no time stamp of a file, no .gitignore has a say.
"""

from __future__ import annotations

import hashlib
import os
import queue
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from harness.core.errors import InfrastructureError
from harness.sources.git.repository import COMMITTER_EMAIL, COMMITTER_NAME, GitError, Repository

_BLOCK = 512
_BATCH_BYTES = 1 << 20
_MOST_IMPORTERS = 4


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A file or symbolic link of a tarball, its path below the tarball's one top folder."""

    mode: bytes
    """As git writes it: 100644, 100755 or 120000."""
    path: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class CommitLabel:
    """What a commit says besides its tree."""

    ref: str
    """The ref that names it; made only when everything has been imported."""
    message: str
    seconds: int
    """Its date, since 1970 in UTC."""


def tar_entries(stream: IO[bytes]) -> Iterator[TarEntry]:
    """Read an uncompressed tar stream as GNU tar writes it.

    `tarfile` takes longer than everything else together, for what a kernel tarball doesn't use.
    Raises:
        InfrastructureError: for a stream that is cut off or of another dialect.
    """
    long_name = b""
    while (header := _read(stream, _BLOCK))[0]:
        kind = header[156:157]
        size = _octal(header[124:136])
        content = _read(stream, size)
        _read(stream, -size % _BLOCK)
        if kind == b"L":
            long_name = content.rstrip(b"\0")
            continue
        path = (long_name or _name(header)).partition(b"/")[2]
        long_name = b""
        if kind == b"2":
            yield TarEntry(b"120000", path, header[157:257].rstrip(b"\0"))
        elif kind in (b"0", b"\0"):
            executable = _octal(header[100:108]) & 0o100
            yield TarEntry(b"100755" if executable else b"100644", path, content)
        elif kind not in (b"5", b"g"):
            raise _damaged(f"an entry of the unknown kind {kind!r}: {path!r}")


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise InfrastructureError(
            "the kernel tarball is cut off", hint="Delete it from the cache and run again."
        )
    return data


def _octal(field: bytes) -> int:
    try:
        return int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        raise _damaged(f"{field!r} is no octal number") from None


def _damaged(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"the kernel tarball is damaged, or of another dialect: {what}",
        hint="Delete it from the cache and run again.",
    )


def _name(header: bytes) -> bytes:
    name = header[:100].rstrip(b"\0")
    if header[257:263] == b"ustar\0" and header[345]:
        return header[345:500].rstrip(b"\0") + b"/" + name
    return name


def import_commit(repository: Repository, entries: Iterator[TarEntry], label: CommitLabel) -> str:
    """Make one commit without parents of the entries and return its id.

    Contents are hashed and packed by several importers at once, the ref is made at the very end.

    Raises:
        GitError: when an importer fails, say for a full disk.
    """
    importers = min(_MOST_IMPORTERS, os.cpu_count() or 1)
    batches: queue.Queue[list[bytes] | None] = queue.Queue(maxsize=1)
    with ThreadPoolExecutor(importers) as pool:
        packers: list[Future[None]] = [pool.submit(_pack, repository, batches) for _ in range(importers)]
        try:
            files = _hand_out(entries, batches)
        finally:
            for _ in packers:
                batches.put(None)
        for packer in packers:
            packer.result()
    _fast_import(repository, _commit_command(files, label))
    return repository.run("rev-parse", "--verify", label.ref)


def _hand_out(entries: Iterator[TarEntry], batches: queue.Queue[list[bytes] | None]) -> list[bytes]:
    """Queue every different content once; return the lines that put them into the tree.

    Contents are never joined or cut: the largest has some 20 MB, and each copy would add to the peak.
    """
    files: list[bytes] = []
    seen: set[bytes] = set()
    batch: list[bytes] = []
    waiting = 0
    for entry in entries:
        length = b"%d" % len(entry.content)
        blob = _blob_id(length, entry.content)
        files.append(b"M %s %s %s\n" % (entry.mode, blob.hex().encode(), entry.path))
        if blob in seen:
            continue
        seen.add(blob)
        batch += (b"blob\ndata ", length, b"\n", entry.content, b"\n")
        waiting += len(entry.content)
        if waiting > _BATCH_BYTES:
            batches.put(batch)
            batch, waiting = [], 0
    batches.put(batch)
    return files


def _blob_id(length: bytes, content: bytes) -> bytes:
    digest = hashlib.sha1(b"blob " + length + b"\0", usedforsecurity=False)
    digest.update(content)
    return digest.digest()


def _pack(repository: Repository, batches: queue.Queue[list[bytes] | None]) -> None:
    """Import contents until the queue says None. A failed importer still empties the queue."""
    with subprocess.Popen(
        _fast_import_command(repository),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=repository.environment(),
    ) as importer:
        assert importer.stdin and importer.stderr
        try:
            for batch in iter(batches.get, None):
                importer.stdin.writelines(batch)
            importer.stdin.write(b"done\n")
            importer.stdin.close()
        except BrokenPipeError:
            with suppress(BrokenPipeError):  # what is buffered can't be written either
                importer.stdin.close()
            for _ in iter(batches.get, None):
                pass
        stderr = importer.stderr.read().decode("utf-8", errors="replace")
    if importer.returncode != 0:
        raise GitError(("git", "fast-import"), importer.returncode, stderr)


def _commit_command(files: list[bytes], label: CommitLabel) -> bytes:
    message = label.message.encode()
    committer = f"{COMMITTER_NAME} <{COMMITTER_EMAIL}> {label.seconds} +0000"
    head = f"commit {label.ref}\ncommitter {committer}\ndata {len(message)}\n"
    return b"".join((head.encode(), message, b"\n", *files, b"done\n"))


def _fast_import(repository: Repository, commands: bytes) -> None:
    process = subprocess.run(
        _fast_import_command(repository),
        input=commands,
        capture_output=True,
        env=repository.environment(),
        check=False,
    )
    if process.returncode != 0:
        raise GitError(("git", "fast-import"), process.returncode, process.stderr.decode(errors="replace"))


def _fast_import_command(repository: Repository) -> list[str]:
    # One pack per importer, quick compression, and no search for deltas between unrelated files.
    return repository.command(
        *("-c", "pack.compression=1", "-c", "fastimport.unpackLimit=0"),
        *("fast-import", "--quiet", "--done", "--force", "--depth=0"),
    )
