# SPDX-License-Identifier: GPL-2.0-only
"""Finds run folders, and reads what is in one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from results.files import open_plain, read_plain
from results.journal.journal import JOURNAL
from results.model.document import DOCUMENTS, Document, ResultsError, from_json
from results.store.rows import RowsError, StoredFolder, record_of

_MODELS = {document.file: document.model for document in DOCUMENTS.values()}
"""Name of a results file → its model."""
MOST_DOCUMENT_BYTES = 256 << 20
_DEEPEST = 3
"""Levels of folders that are searched: `STATE/runs/RUN`, and one more for a collection of hosts."""


class UnfinishedError(Exception):
    """A folder that has no results yet."""


class RefusedError(Exception):
    """A folder whose results can't be read, and why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether a results file has changed, without reading it."""

    path: str
    file_bytes: int
    file_time: int


def find_folders(places: Iterable[Path]) -> list[Path]:
    """All run folders at or below some places, each once, by name."""
    return sorted({folder for place in places for folder in _below(place.absolute(), _DEEPEST)})


def _below(place: Path, depth: int) -> Iterator[Path]:
    if any((place / name).exists() for name in (*_MODELS, JOURNAL)):
        yield place
    elif depth:
        try:
            inner = [path for path in place.iterdir() if _may_hold_runs(path)]
        except OSError:
            return
        for path in inner:
            yield from _below(path, depth - 1)


def _may_hold_runs(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def stamp_of(folder: Path) -> Stamp:
    """Look at the results of a folder.

    Raises:
        UnfinishedError: if there are none.
        RefusedError: if they are no file, too big, or the folder's name can't be written down.
    """
    file = _results_file(folder)
    try:
        with open_plain(file, MOST_DOCUMENT_BYTES, below=folder) as opened:
            found = os.fstat(opened.fileno())
    except OSError as error:
        raise RefusedError(f"{file.name}: {error.strerror}") from None
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise RefusedError("the folder's path is not UTF-8: rename it") from None
    return Stamp(str(folder), found.st_size, found.st_mtime_ns)


def read_folder(folder: Path, stamp: Stamp) -> StoredFolder:
    """Read the results of a folder as rows.

    Raises:
        UnfinishedError: if there are none.
        RefusedError: if they can't be read: cut short, of another version, …
    """
    file = _results_file(folder)
    try:
        content = read_plain(file, MOST_DOCUMENT_BYTES, below=folder)
        record = record_of(from_json(_MODELS[file.name], content.decode()), datetime.now(UTC))
    except OSError as error:
        raise RefusedError(f"{file.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RefusedError(f"{file.name} is not UTF-8") from None
    except (ResultsError, RowsError) as error:
        raise RefusedError(f"{file.name}: {error}") from None
    own = {
        "path": stamp.path,
        "file_bytes": stamp.file_bytes,
        "file_time": stamp.file_time,
        "digest": sha256(content).hexdigest(),
    }
    return StoredFolder({**record.folder, **own}, record.details)


def read_document(model: type[Document], folder: Path) -> Document:
    """Read the results document of one kind that is in a folder.

    Raises:
        OSError: if there is none, or it is no plain file of the folder.
        ResultsError: if it can't be read as this kind.
    """
    (file,) = (name for name, known in _MODELS.items() if known is model)
    content = read_plain(folder / file, MOST_DOCUMENT_BYTES, below=folder)
    return from_json(model, content.decode("utf-8", "replace"))


def _results_file(folder: Path) -> Path:
    for name in _MODELS:
        try:
            if (folder / name).exists() or (folder / name).is_symlink():
                return folder / name
        except OSError as error:
            raise RefusedError(f"{error.strerror}") from None
    raise UnfinishedError("no results yet; `thp-harness report` makes them from what is there")
