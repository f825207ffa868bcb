# SPDX-License-Identifier: GPL-2.0-only
"""The tables of the store, and the numbered steps that bring an older store to them.

A row of `folders` is one run, walk, bisection or rerun; all other rows belong to one of these. Nothing is
in here that is not in the folders as well, so a store can be thrown away. Text that came from a guest has
been made harmless on its way in (`results.store.rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
    update,
)

METADATA = MetaData()


def _folder() -> Column[int]:
    return Column("folder", ForeignKey("folders.id", ondelete="CASCADE"), nullable=False)


def _words(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


FOLDERS = Table(
    "folders",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    _words("name"),
    _words("path"),
    Column("file_bytes", BigInteger, nullable=False),
    Column("file_time", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("started", String(32), nullable=False),
    Column("at", String(32), nullable=False),
    Column("skewed", Boolean, nullable=False),
    Column("imported", String(32), nullable=False),
    Column("seconds", Float),
    _words("harness"),
    _words("host"),
    _words("tree"),
    _words("tree_version"),
    _words("base_commit"),
    _words("series"),
    _words("series_title"),
    _words("series_commit"),
    Column("stand_in", Boolean, nullable=False, default=False),
    Column("simulated", Boolean, nullable=False, default=False),
    Column("complete", Boolean, nullable=False, default=True),
    _words("verdict"),
    _words("headline"),
    Column("exit_code", Integer, nullable=False),
    _words("about"),
    Index("folders_by_time", "at"),
)
"""`about` is the name of the run that a rerun is of. `at` is `started`, but never later than the import."""

ARCHES = Table(
    "arches",
    METADATA,
    _folder(),
    _words("arch"),
    _words("verdict"),
    _words("reasons"),
    Column("tests", Integer, nullable=False),
    Column("exercised", Integer, nullable=False),
    Column("failing", Integer, nullable=False),
    Column("new_warnings", Integer, nullable=False),
    _words("machines"),
    _words("release"),
    _words("log"),
    _words("build_log"),
    Index("arches_by_folder", "folder"),
)

TESTS = Table(
    "tests",
    METADATA,
    _folder(),
    _words("arch"),
    _words("name"),
    Column("verdict", String(20), nullable=False),
    _words("reason"),
    _words("known"),
    *(
        column
        for side in ("base", "series")
        for column in (
            Column(f"{side}_status", String(8), nullable=False),
            Column(f"{side}_exercised", Boolean, nullable=False),
            Column(f"{side}_runs", Integer, nullable=False),
            Column(f"{side}_failures", Integer, nullable=False),
            Column(f"{side}_seconds", Float),
            _words(f"{side}_log"),
            Column(f"{side}_line", Integer),
        )
    ),
    Index("tests_by_folder", "folder"),
    Index("tests_by_name", "name", "arch"),
)
"""One row for each test and architecture of a run; `known` says why it has no part in the verdict."""

MEASURES = Table(
    "measures",
    METADATA,
    _folder(),
    _words("arch"),
    _words("kind"),
    _words("test"),
    _words("what"),
    Column("unit", String(8), nullable=False),
    Column("base", Float),
    Column("series", Float),
    _words("log"),
    Column("line", Integer),
    Index("measures_by_folder", "folder"),
    Index("measures_by_what", "what", "arch", "test"),
)
"""Numbers on both kernels; NULL where a kernel has none. `kind` is a measure, `counter` or `size`."""

MEASUREMENTS = Table(
    "measurements",
    METADATA,
    _folder(),
    _words("arch"),
    _words("measure"),
    _words("subject"),
    _words("test"),
    Column("verdict", String(20), nullable=False),
    _words("words"),
    _words("base_marks"),
    _words("series_marks"),
    _words("log"),
    Column("line", Integer),
    Index("measurements_by_folder", "folder"),
)
"""What a test measured; `base_marks` and `series_marks` have a letter of the measure's legend per call."""

SPLATS = Table(
    "splats",
    METADATA,
    _folder(),
    _words("arch"),
    _words("signature"),
    _words("kind"),
    _words("title"),
    Column("verdict", String(20), nullable=False),
    Column("base_boots", Integer, nullable=False),
    Column("series_boots", Integer, nullable=False),
    _words("test"),
    _words("excerpt"),
    _words("log"),
    Column("line", Integer),
    Index("splats_by_folder", "folder"),
    Index("splats_by_signature", "signature"),
)

FINDINGS = Table(
    "findings",
    METADATA,
    _folder(),
    _words("arch"),
    _words("words"),
    _words("commit_id"),
    _words("commit_subject"),
    Index("findings_by_folder", "folder"),
)
"""Results of a walk, a bisection or a rerun, per architecture."""

DETAILS: Mapping[str, Table] = {
    table.name: table for table in (ARCHES, TESTS, MEASURES, MEASUREMENTS, SPLATS, FINDINGS)
}
"""Every table whose rows belong to a folder."""

STEPS_TABLE = Table("schema_steps", METADATA, Column("number", Integer, primary_key=True), _words("done"))


def _first(connection: Connection) -> None:
    METADATA.create_all(connection)


_RENAMED = (
    ("cost", "page tables per mapped THP", "pgtable_cost", "page tables per THP"),
    ("cost", "page tables per THP, half of them split", "pgtable_cost", ""),
    ("cost", "page tables not given back", "pgtable_cost", ""),
    ("storm", "THPs that were swapped out", "fork_storm", "swapped out"),
    ("timing", "", "timing", "median time"),
)
"""Kind and name of a number in the first version of the tables, and now; an empty name matches any."""


def _measurements(connection: Connection) -> None:
    """One table for the verdicts of all measures in place of one for fault sweeps, whose rows are let go."""
    if not inspect(connection).has_table("sweeps"):
        return  # made by the first step, as it is now
    METADATA.create_all(connection)
    connection.execute(text("DROP TABLE sweeps"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE measures ALTER COLUMN kind TYPE TEXT"))
    c = MEASURES.c
    for kind, what, measure, name in _RENAMED:
        rows = update(MEASURES).where(c.kind == kind)
        connection.execute(
            (rows.where(c.what == what) if what else rows).values(kind=measure, what=name or c.what)
        )


STEPS: tuple[Callable[[Connection], None], ...] = (_first, _measurements)
"""Each brings a store one version on; a step that has been released is never changed.

The first makes the tables as they are now; so the others look whether there is anything left to do.
"""
