# SPDX-License-Identifier: GPL-2.0-only
"""A year of nights in a store: a million results of tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from results.dashboard.site import Built, build_site
from results.model.run import Run
from results.store.rows import StoredFolder, record_of
from results.store.store import BATCH_ROWS, Store, open_store
from tests.bench.bench import Bench, BenchError
from tests.bench.clock import Span, clocked
from tests.bench.figure import Measured
from tests.samples.sample_run import green_run

ROWS = 1_000_000
ARCHES = ("x86_64", "arm64", "s390", "sparc", "powerpc-hash")
TESTS = 60
"""Of each architecture, as in the default plan."""
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_APART = timedelta(hours=2)


def store_rows(bench: Bench) -> Measured:
    """Seconds to put a million rows into an SQLite file."""
    span, built = bench.once(_fill_and_show)
    runs = built.stored_runs
    return Measured((span.wall,), f"{ROWS / span.wall:,.0f} rows a second; {runs} runs; {span.cost}")


def dashboard_page(bench: Bench) -> Measured:
    """Seconds to read that store and write the slowest page of the dashboard."""
    _, built = bench.once(_fill_and_show)
    words = f"of {built.pages} pages, {built.runs} runs; the first has {built.first_page_bytes >> 10} KiB"
    return Measured((built.page_seconds,), words)


def _fill_and_show(bench: Bench) -> tuple[Span, Built]:
    with tempfile.TemporaryDirectory(prefix="store-", dir=bench.folder) as name:
        store = open_store(str(Path(name) / "results.db"))
        records = list(many_records(ROWS))
        span = clocked(lambda: fill(store, records))
        if store.count("tests") != ROWS:
            raise BenchError(f"the store has {store.count('tests')} rows, not {ROWS}")
        built = build_site(store, Path(name) / "site")
        store.close()
    return span, built


def fill(store: Store, records: list[StoredFolder]) -> None:
    """Put records into a store, in batches as an import has them."""
    each = max(1, BATCH_ROWS // records[0].rows)
    for first in range(0, len(records), each):
        store.put(records[first : first + each])


def many_records(rows: int) -> Iterator[StoredFolder]:
    """Runs that differ in their names and times only, until they have so many rows."""
    template = record_of(_big_run(), _FIRST)
    each = len(template.details["tests"])
    for number in range(-(-rows // each)):
        at = (_FIRST + number * _APART).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = sha256(str(number).encode()).hexdigest()
        own = {
            "identity": digest,
            "digest": digest,
            "name": f"run {number}",
            "path": f"/runs/{number}",
            "file_bytes": 1,
            "file_time": 1,
            "started": at,
            "at": at,
        }
        left = min(each, rows - number * each)
        details = {**template.details, "tests": template.details["tests"][:left]}
        yield StoredFolder({**template.folder, **own}, details)


def _big_run() -> Run:
    run = green_run()
    example = run.arches[0].tests
    tests = tuple(
        replace(example[number % len(example)], name=f"suite{number // 16}.case{number}")
        for number in range(TESTS)
    )
    return replace(run, arches=tuple(replace(run.arches[0], arch=arch, tests=tests) for arch in ARCHES))
