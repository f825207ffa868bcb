# SPDX-License-Identifier: GPL-2.0-only
"""Opens a store: SQLite by default, PostgreSQL by its address; and says in words what is wrong with one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from results.store.tables import METADATA, STEPS, STEPS_TABLE

PATIENCE_SECONDS = 30.0
"""Wait of a command for another writer."""

_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_ADVISORY_LOCK = 0x7468700A
"""Of PostgreSQL's numbers for whatever purpose; everybody who writes to a store of ours takes this one."""
_CACHE_KIB = 64 << 10
"""Each run writes all over the index by test: without room for it, each run reads and writes most of it."""
_CHECKPOINT_PAGES = 8000
_PASSING = (
    ("database is locked", "another process writes to it", "Try again later."),
    ("readonly database", "it can only be read", "Give yourself the right to write it and its folder."),
    ("database or disk is full", "the disk is full", "Make room, then try again."),
    ("unable to open", "it can't be opened", "Look whether its folder is there and can be written."),
    ("connection", "the server can't be reached", "Look whether the server runs, and at the address."),
)
"""Part of what a database says → what that means, and what to do; the store itself is as it was."""
_CAUSES = (
    *_PASSING,
    ("not a database", "it is damaged, or no database at all", "Make it again: thp-harness results rebuild"),
    ("malformed", "it is damaged", "Make it again: thp-harness results rebuild"),
)


class StoreError(Exception):
    """A store can't be used; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "", *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.is_passing = is_passing
        """The store is as it was: the same may succeed later, or with other rights."""


def address_of(store: str) -> URL:
    """Read the address of a store: a URL, or the path of an SQLite file.

    Raises:
        StoreError: if it is no address, or of a database that this program doesn't know.
    """
    if "://" not in store:
        return URL.create("sqlite", database=store)
    try:
        address = make_url(store)
        return address.set(drivername=_DIALECTS[address.get_backend_name()])
    except (ArgumentError, KeyError, ValueError):
        scheme = store.split("://")[0][:40]
        raise StoreError(
            f"'{scheme}://…' is no address of a store",
            "Give the path of an SQLite file, or postgresql://USER@HOST/DATABASE.",
        ) from None


def shown(address: URL) -> str:
    """The address for people, without its password."""
    if address.get_backend_name() == "sqlite":
        return address.database or "memory"
    return address.set(drivername="postgresql").render_as_string(hide_password=True)


def open_engine(address: URL, patience: float = PATIENCE_SECONDS) -> Engine:
    """An engine for a store whose schema is that of this program; makes what is missing.

    Raises:
        StoreError: if it can't be opened, or is of a newer version of the program.
    """
    with explained(address):
        engine = _engine(address, patience)
        try:
            with engine.connect() as connection:
                version = schema_version(connection)
            if version < len(STEPS):
                version = _bring_up(engine)
        except BaseException:
            engine.dispose()
            raise
        if version > len(STEPS):
            engine.dispose()
            raise StoreError(
                f"{shown(address)} is a store of version {version}; this program has version {len(STEPS)}",
                "Use the newer program, or another store (THP_HARNESS_STORE).",
                is_passing=address.get_backend_name() != "sqlite",  # its tables would have to be dropped
            )
        return engine


@contextmanager
def explained(address: URL) -> Iterator[None]:
    """Turn what the database says into a `StoreError`."""
    try:
        yield
    except NoSuchModuleError as error:
        raise StoreError(f"{shown(address)}: {error}") from None
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{shown(address)} takes the Python package {error.name}",
            "Install it with: pip install 'thp-harness[postgresql]'",
        ) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _explain(address, error) from None


def _explain(address: URL, error: Exception) -> StoreError:
    said = str(getattr(error, "orig", None) or error).strip()
    for sign, what, hint in _CAUSES:
        if sign in said.lower():
            passing = any(sign == other for other, _, _ in _PASSING)
            return StoreError(f"{shown(address)}: {what}", hint, is_passing=passing)
    return StoreError(f"{shown(address)}: {said.splitlines()[0][:300] if said else type(error).__name__}")


def _engine(address: URL, patience: float) -> Engine:
    if address.get_backend_name() != "sqlite":
        wait = {"connect_timeout": max(2, round(min(patience, 10))), "application_name": "thp-harness"}
        return create_engine(address, connect_args=wait)
    if address.database and not address.query:
        address = _within_reach(address)
    engine = create_engine(address, connect_args={"timeout": patience})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _within_reach(address: URL) -> URL:
    file = Path(str(address.database)).absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}", "Choose another place.") from None
    if file.is_file() and not os.access(file.parent, os.W_OK):
        # SQLite would make files beside it even to read, unless the file is said to be immutable.
        query = {"mode": "ro", "immutable": "1", "uri": "true"}
        return address.set(database=f"file:{quote(str(file))}", query=query)
    return address


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say ourselves when a transaction begins
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")  # a power failure may lose the last runs, nothing else
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails if another writes meanwhile; so announce it.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that excludes all other writers."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        yield connection


def schema_version(connection: Connection) -> int:
    """The number of the last step that a store has been through; 0 for an empty database."""
    if not inspect(connection).has_table(STEPS_TABLE.name):
        return 0
    return connection.execute(select(func.max(STEPS_TABLE.c.number))).scalar() or 0


def _bring_up(engine: Engine) -> int:
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # A writer does not block readers. Not every file system can; then they wait.
            connection.connection.execute("PRAGMA journal_mode = WAL")
    with writing(engine) as connection:
        for number in range(schema_version(connection) + 1, len(STEPS) + 1):
            STEPS[number - 1](connection)
            row = {"number": number, "done": datetime.now(UTC).isoformat(timespec="seconds")}
            connection.execute(insert(STEPS_TABLE), row)
        return schema_version(connection)


def check_whole(engine: Engine, address: URL) -> None:
    """Read all of an SQLite file; PostgreSQL takes care of its files itself.

    Raises:
        StoreError: if a page of it is damaged.
    """
    if engine.dialect.name == "sqlite":
        with explained(address), engine.connect() as connection:
            said = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
        if said != "ok":
            raise StoreError(f"{shown(address)}: it is damaged ({said.splitlines()[0]})")


def start_again(address: URL) -> str:
    """Make room for a new store where a damaged one is; returns what became of that one.

    Raises:
        StoreError: if it can't be put aside.
    """
    if address.get_backend_name() != "sqlite":
        with explained(address):
            engine = _engine(address, PATIENCE_SECONDS)
            with writing(engine) as connection:
                METADATA.drop_all(connection)
            engine.dispose()
        return "its tables were dropped"
    file = Path(str(address.database))
    taken = (file.with_name(f"{file.name}.damaged{number or ''}") for number in count())
    aside = next(path for path in taken if not path.exists())
    try:
        file.rename(aside)
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}", "Remove it by hand.", is_passing=True) from None
    return f"it is {aside} now"


def tidy(engine: Engine) -> None:
    """Give room that is no longer used back to the disk; PostgreSQL does so by itself."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.execute("VACUUM")
