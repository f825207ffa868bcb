# SPDX-License-Identifier: GPL-2.0-only
"""Reads plain files that others made: a series, a record, a run folder of another machine.

What is no plain file (a FIFO, a device, a folder), or is larger than its reader allows, is refused as an
`OSError` whose `strerror` says so: whoever handles an unreadable file handles these, too.
"""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, TextIO

LINE_CHARS = 1 << 20
"""Characters of a line that `lines_of` keeps: a line of a console or a mail has hundreds."""
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # a FIFO without a writer blocks open(2)
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What gzip, bz2 and lzma raise for a file that is cut short or changed; bz2 raises OSError as well."""


def open_plain(path: Path, most_bytes: int, *, below: Path | None = None) -> io.BufferedReader:
    """Open a plain file of at most `most_bytes` bytes.

    With `below`, it must be below that folder, and neither it nor a folder on the way there is a link.

    Raises:
        OSError: for anything else, and if it can't be opened.
    """
    file = os.fdopen(_open(path, below), "rb")
    try:
        found = os.fstat(file.fileno())
        _require_plain(found, path)
        if found.st_size > most_bytes:
            raise too_large(most_bytes, path)
    except OSError:
        file.close()
        raise
    return file


def _require_plain(found: os.stat_result, path: Path) -> None:
    if S_ISDIR(found.st_mode):
        raise _refused(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not S_ISREG(found.st_mode):
        raise _refused(errno.EINVAL, "not a plain file", path)


def _open(path: Path, below: Path | None) -> int:
    try:
        if below is not None:
            return _open_below(path, below)
        _require_plain(path.stat(), path)  # opening a device may do something: a tape, a watchdog
        return os.open(path, _READING)
    except ValueError:  # a NUL in the name
        raise _refused(errno.EINVAL, "not the name of a file", path) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _refused(errno.EINVAL, "not a plain file", path) from None
        raise OSError(error.errno, error.strerror, str(path)) from None


def _open_below(path: Path, below: Path) -> int:
    *folders, name = _parts_below(path, below)
    with ExitStack() as opened:
        place = os.open(below, _FOLDER)
        opened.callback(os.close, place)
        for folder in folders:
            place = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=place)
            opened.callback(os.close, place)
        return os.open(name, _READING | os.O_NOFOLLOW, dir_fd=place)


def _parts_below(path: Path, below: Path) -> tuple[str, ...]:
    parts = path.relative_to(below).parts if path.is_relative_to(below) else ()
    if not parts or ".." in parts:
        raise _refused(errno.EINVAL, f"not below {below}", path)
    return parts


def _refused(number: int, why: str, path: Path) -> OSError:
    return OSError(number, why, str(path))


def too_large(most_bytes: int, path: Path) -> OSError:
    """Return the error for a file of more than `most_bytes` bytes."""
    return _refused(errno.EFBIG, f"more than {_size(most_bytes)}", path)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def read_plain(path: Path, most_bytes: int, *, below: Path | None = None) -> bytes:
    """Read a plain file whole; `most_bytes` and `below` as in `open_plain`.

    Raises:
        OSError: as `open_plain`.
    """
    with open_plain(path, most_bytes, below=below) as file:
        return read_bounded(file, most_bytes, path)


def read_bounded(file: IO[bytes] | gzip.GzipFile, most_bytes: int, path: Path) -> bytes:
    """Read the rest of a file that may say a wrong size, or none: one of /proc, or one that is unpacked.

    Raises:
        OSError: if it has more than `most_bytes` bytes.
    """
    content = file.read(most_bytes + 1) or b""
    if len(content) > most_bytes:
        raise too_large(most_bytes, path)
    return content


def gunzip(content: bytes, most_bytes: int, path: Path) -> bytes:
    """Unpack gzip.

    Raises:
        OSError: if it is damaged, or has more than `most_bytes` bytes.
    """
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return read_bounded(file, most_bytes, path)
    except DAMAGED as error:
        raise _refused(errno.EINVAL, f"damaged gzip file: {error}", path) from None


def lines_of(text: TextIO, too_many: Callable[[], Exception], most_chars: int) -> Iterator[str]:
    """Yield the lines of a text; of one with more than LINE_CHARS characters, its beginning.

    Raises:
        `too_many`: after `most_chars` characters.
    """
    left = most_chars
    while line := text.readline(LINE_CHARS):
        left -= len(line)
        while not line.endswith("\n") and (more := text.readline(LINE_CHARS)):
            left -= len(more)
            if more.endswith("\n"):
                line += "\n"
            if left < 0:
                break
        if left < 0:
            raise too_many()
        yield line


def copy_tree(source: Path, target: Path, most_bytes: int) -> None:
    """Copy the plain files of a folder and of those in it; a link, a FIFO or a device is refused.

    Raises:
        OSError: for the first file that is not plain, or once they have more than `most_bytes` bytes.
    """
    if source.is_symlink():
        raise _refused(errno.EINVAL, "not a folder but a link", source)
    target.mkdir(exist_ok=True)
    left = most_bytes
    for folder, names, files in os.walk(source):
        here = Path(folder)
        for name in names:
            if (here / name).is_symlink():
                raise _refused(errno.EINVAL, "not a folder but a link", here / name)
            (target / (here / name).relative_to(source)).mkdir(exist_ok=True)
        for name in files:
            path = here / name
            with open_plain(path, left, below=source) as file:
                left -= os.fstat(file.fileno()).st_size
                with (target / path.relative_to(source)).open("wb") as copy:
                    shutil.copyfileobj(file, copy)
