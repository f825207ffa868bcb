# SPDX-License-Identifier: GPL-2.0-only
"""The store in a real PostgreSQL, which does what the one in a file does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from harness.commands.results_store import VARIABLE, remember
from harness.core.workspace import Workspace
from results.dashboard.site import build_site
from results.store.store import open_store
from tests.postgresql import Server, binaries, server
from tests.program import Program
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import green_run
from tests.samples.simulate import simulate
from tests.samples.stored_runs import *  # noqa: F403  (what every store must do)
from tests.samples.stored_runs import write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL: install Debian's package `postgresql`")
    with server(programs) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "cache", tmp_path / "state")


@pytest.fixture
def address(postgresql: Server) -> str:
    return postgresql.new_database()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_imports_at_once(program: Program, address: str, database: str) -> None:
    store_address = address if database == "postgresql" else str(program.state / "results.db")
    for number in range(6):
        write_run(program.state / "runs", replace(green_run(), id=f"run {number}"))
    both = [program.start("results", "import", "--store", store_address) for _ in range(2)]
    ends = [(*process.communicate(timeout=100), process.returncode) for process in both]
    assert [end[2] for end in ends] == [0, 0], ends
    store = open_store(store_address)
    assert len(store.listing()) == 6
    assert store.count("tests") == 6 * sum(len(arch.tests) for arch in green_run().arches)


def test_a_dashboard_is_built_from_it(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    runs = [*simulate(measured_run(), 8, 1), measured_run()]
    store.import_folders(write_run(tmp_path / "runs", run, str(place)) for place, run in enumerate(runs))
    built = build_site(store, tmp_path / "site")
    assert (built.runs, built.stored_runs) == (9, 9)
    assert "fails on" in (tmp_path / "site" / "index.html").read_text()


def test_a_server_that_goes_away_is_told_and_the_run_can_be_imported_later(
    program: Program, postgresql: Server
) -> None:
    address = postgresql.new_database()
    folder = write_run(program.state / "runs", green_run())
    assert program("results", "import", "--store", address).code == 0
    postgresql.stop()
    try:
        told: list[str] = []
        with mock.patch.dict(os.environ, {VARIABLE: address}):
            assert not remember(folder, Workspace(program.cache, program.state), told.append)
        assert "the server can't be reached" in told[0]
    finally:
        postgresql.restart()
    assert program("results", "import", "--store", address).stdout.endswith(": 1 unchanged\n")
