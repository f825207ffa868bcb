# SPDX-License-Identifier: GPL-2.0-only
"""The store: takes folders in, tells what it has, lets go of old ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.engine import URL

from results.store.engine import PATIENCE_SECONDS, check_whole, explained, open_engine, shown, tidy, writing
from results.store.folder import RefusedError, Stamp, UnfinishedError, read_folder, stamp_of
from results.store.rows import StoredFolder, clean
from results.store.tables import DETAILS, FOLDERS, METADATA

_CHUNK = 5000
"""Rows of one statement: more are no faster, and take memory."""
BATCH_ROWS = 20_000
_KEYS_AT_ONCE = 500


class ImportState(StrEnum):
    """What became of a folder that was to be imported."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    UNFINISHED = "unfinished"
    """It has no results yet."""
    REFUSED = "refused"
    """Its results can't be read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One folder that was to be imported."""

    path: str
    state: ImportState
    name: str = ""
    """Of the run; empty if it could not be read."""
    why: str = ""
    """Why it was not imported."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One folder as the store lists it."""

    kind: str
    name: str
    path: str
    started: str
    imported: str
    tree: str
    tree_version: str
    base_commit: str
    series: str
    series_commit: str
    verdict: str
    headline: str
    exit_code: int
    stand_in: bool
    simulated: bool
    complete: bool
    skewed: bool
    """Its clock was ahead of ours by more than an hour."""


Looked = tuple[str, Imported | StoredFolder]
"""A folder, and its rows or why there are none."""


class Store:
    """A database of results. Every method raises `StoreError` if it can't be used."""

    def __init__(self, address: URL, patience: float = PATIENCE_SECONDS) -> None:
        self.address = address
        self._engine: Engine = open_engine(address, patience)

    @property
    def name(self) -> str:
        """The address for people."""
        return shown(self.address)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything."""
        with explained(self.address), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self.address), writing(self._engine) as connection:
            yield connection

    def import_folders(
        self, folders: Iterable[Path], told: Callable[[Imported], None] = lambda one: None
    ) -> list[Imported]:
        """Import folders; those that have not changed are not even read."""
        return self._import(folders, self._stamps(), told)

    def _import(
        self,
        folders: Iterable[Path],
        known: Mapping[str, tuple[Stamp, str]],
        told: Callable[[Imported], None],
        *,
        again: bool = False,
    ) -> list[Imported]:
        outcome = []
        for batch in _batches(_look(folder, known) for folder in folders):
            records = [found for _, found in batch if isinstance(found, StoredFolder)]
            states = iter(self.put(records, again=again) if records else ())
            for path, found in batch:
                if isinstance(found, StoredFolder):
                    found = Imported(path, next(states), found.folder["name"])
                outcome.append(found)
                told(found)
        return outcome

    def _stamps(self) -> dict[str, tuple[Stamp, str]]:
        columns = (FOLDERS.c.path, FOLDERS.c.file_bytes, FOLDERS.c.file_time, FOLDERS.c.name)
        with self.reading() as connection:
            return {row[0]: (Stamp(*row[:3]), row[3]) for row in connection.execute(select(*columns))}

    def put(self, records: Iterable[StoredFolder], *, again: bool = False) -> list[ImportState]:
        """Store records, all or none; each takes the place of the one with its identity.

        An unchanged one stays, except with `again`.
        """
        with self._writing() as connection:
            return [self._put(connection, record, again) for record in records]

    def _put(self, connection: Connection, record: StoredFolder, again: bool) -> ImportState:
        c = FOLDERS.c
        asked = select(c.id, c.digest, c.path).where(c.identity == record.folder["identity"])
        before = connection.execute(asked).one_or_none()
        if before and not again and before.digest == record.folder["digest"]:
            if before.path != record.folder["path"] and not Path(before.path).exists():
                connection.execute(FOLDERS.update().where(c.id == before.id).values(**_place(record)))
            return ImportState.UNCHANGED
        if before:
            connection.execute(delete(FOLDERS).where(c.id == before.id))
        self._insert(connection, record)
        return ImportState.REPLACED if before else ImportState.NEW

    def _insert(self, connection: Connection, record: StoredFolder) -> None:
        key = connection.execute(insert(FOLDERS), record.folder).inserted_primary_key
        assert key is not None
        for name, rows in record.details.items():
            for first in range(0, len(rows), _CHUNK):
                chunk = [{**row, "folder": key[0]} for row in rows[first : first + _CHUNK]]
                connection.execute(insert(DETAILS[name]), chunk)

    def paths(self) -> list[Path]:
        """The folders of everything in the store."""
        with self.reading() as connection:
            return [Path(path) for path in connection.execute(select(FOLDERS.c.path)).scalars()]

    def listing(self, most: int | None = None, kind: str = "") -> list[Stored]:
        """What is in the store, the latest first."""
        columns = [FOLDERS.c[name] for name in Stored.__dataclass_fields__]
        asked = select(*columns).order_by(FOLDERS.c.at.desc(), FOLDERS.c.id.desc()).limit(most)
        if kind:
            asked = asked.where(FOLDERS.c.kind == kind)
        with self.reading() as connection:
            return [Stored(*row) for row in connection.execute(asked)]

    def prune(self, older_than_days: int | None, keep: int | None, *, dry_run: bool = False) -> list[Stored]:
        """Remove what is older than `older_than_days`, and all but the latest `keep`; return what.

        The folders stay where they are.
        """
        old = self._old(older_than_days, keep)
        gone = [stored for _, stored in old]
        if dry_run or not old:
            return gone
        with self._writing() as connection:
            self._forget(connection, [key for key, _ in old])
        with explained(self.address):
            tidy(self._engine)
        return gone

    def _forget(self, connection: Connection, keys: Sequence[int]) -> None:
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            part = keys[first : first + _KEYS_AT_ONCE]
            connection.execute(delete(FOLDERS).where(FOLDERS.c.id.in_(part)))

    def _old(self, older_than_days: int | None, keep: int | None) -> list[tuple[int, Stored]]:
        columns = [FOLDERS.c[name] for name in Stored.__dataclass_fields__]
        asked = select(FOLDERS.c.id, FOLDERS.c.at, *columns).order_by(
            FOLDERS.c.at.desc(), FOLDERS.c.id.desc()
        )
        with self.reading() as connection:
            rows: Sequence[Any] = connection.execute(asked).all()
        limit = ""
        if older_than_days is not None:
            limit = (datetime.now(UTC) - timedelta(days=older_than_days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [
            (row[0], Stored(*row[2:]))
            for place, row in enumerate(rows)
            if row[1] < limit or (keep is not None and place >= keep)
        ]

    def rebuild(
        self, folders: Iterable[Path], told: Callable[[Imported], None] = lambda one: None
    ) -> list[Imported]:
        """Read all folders again, changed or not, and remove all else; an interruption loses nothing."""
        check_whole(self._engine, self.address)
        outcome = self._import(folders, {}, told, again=True)
        read = {one.path for one in outcome if one.state in (ImportState.NEW, ImportState.REPLACED)}
        with self._writing() as connection:
            rows = connection.execute(select(FOLDERS.c.id, FOLDERS.c.path)).all()
            self._forget(connection, [key for key, path in rows if clean(path) not in read])
        with explained(self.address):
            tidy(self._engine)
        return outcome

    def count(self, table: str) -> int:
        """Rows of one of the tables."""
        with self.reading() as connection:
            return connection.execute(select(func.count()).select_from(METADATA.tables[table])).scalar_one()


def _look(folder: Path, known: Mapping[str, tuple[Stamp, str]]) -> Looked:
    path = clean(str(folder))
    try:
        stamp = stamp_of(folder)
        before, name = known.get(stamp.path, (None, ""))
        if stamp == before:
            return path, Imported(path, ImportState.UNCHANGED, name)
        return path, read_folder(folder, stamp)
    except UnfinishedError as error:
        return path, Imported(path, ImportState.UNFINISHED, why=clean(str(error)))
    except RefusedError as error:
        return path, Imported(path, ImportState.REFUSED, why=clean(str(error)))
    except OSError as error:
        return path, Imported(path, ImportState.REFUSED, why=error.strerror or str(error))


def _batches(found: Iterable[Looked]) -> Iterator[list[Looked]]:
    """As much as one transaction takes well: the index by test is then written once for many runs."""
    batch: list[Looked] = []
    rows = 0
    for one in found:
        batch.append(one)
        rows += one[1].rows if isinstance(one[1], StoredFolder) else 0
        if rows >= BATCH_ROWS:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _place(record: StoredFolder) -> dict[str, Any]:
    return {name: record.folder[name] for name in ("path", "file_bytes", "file_time")}


def open_store(store: str, patience: float = PATIENCE_SECONDS) -> Store:
    """Open a store by its address.

    Raises:
        StoreError: if there is none to be had there.
    """
    from results.store.engine import address_of

    return Store(address_of(store), patience)
