# SPDX-License-Identifier: GPL-2.0-only
"""The store in an SQLite file, and everything that can be wrong with one or with a folder."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.results_store import VARIABLE, remember
from harness.core.workspace import Workspace
from results.model.document import to_json
from results.store.engine import StoreError
from results.store.store import open_store
from tests import published
from tests.program import Invoke, Program
from tests.samples.sample_run import green_run, regression_run
from tests.samples.stored_runs import *  # noqa: F403  (what every store must do)
from tests.samples.stored_runs import write_run
from tests.unit.commands.test_cache_commands import read_only


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "store" / "results.db")


@pytest.fixture
def finished(program: Program) -> Path:
    """A finished run of this machine."""
    return write_run(program.state / "runs", green_run())


def test_import_list_prune_rebuild(program: Program, invoke: Invoke, finished: Path) -> None:
    answer = invoke("results", "import", "--json")
    published.check(answer.json, "results-import")
    assert answer.json["counts"]["new"] == 1
    assert answer.json["folders"][0]["path"] == str(finished)
    listed = invoke("results", "list", "--json").json
    published.check(listed, "results-list")
    assert [one["name"] for one in listed["folders"]] == [green_run().id]
    assert invoke("results", "list", "--kind", "walk").stdout.startswith("The store is empty")
    assert "would remove run" in invoke("results", "prune", "--keep", "0", "--dry-run").stdout
    assert len(invoke("results", "prune", "--older-than", "0", "--json").json["folders"]) == 1
    assert invoke("results", "rebuild").stdout.endswith(": 1 new\n")
    assert "[stand-in]" in invoke("results", "list").stdout


def test_an_empty_machine_has_nothing_to_import(invoke: Invoke) -> None:
    answer = invoke("results", "import")
    assert (answer.code, "there is nothing to import" in answer.stdout) == (0, True)
    assert invoke("results", "list", "--json").json["folders"] == []


def test_rebuild_reads_folders_of_elsewhere_again(invoke: Invoke, finished: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "other machine", replace(regression_run(), id="elsewhere"))
    assert invoke("results", "import", str(tmp_path / "other machine")).code == 0
    assert invoke("results", "rebuild").stdout.endswith(": 1 new, 1 replaced\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (to_json(green_run())[:5000], "not JSON"),
        ("", "not JSON"),
        (to_json(green_run()).replace("results/2", "results/99"), "version 'thp-harness/results/99'"),
        (json.dumps({"schema": "thp-harness/results/2"}), "not a valid"),
        ("[" * 100_000, "not readable as JSON"),
    ],
)
def test_a_folder_that_is_damaged_is_told_and_the_others_go_in(
    invoke: Invoke, finished: Path, program: Program, content: str, said: str
) -> None:
    broken = program.state / "runs" / "broken"
    broken.mkdir()
    (broken / "results.json").write_text(content)
    answer = invoke("results", "import")
    assert answer.code == 3
    assert answer.stdout.endswith(": 1 new, 1 refused\n")
    assert answer.stderr.startswith(f"refused: {broken}: results.json")
    assert said in answer.stderr


def test_what_is_said_of_a_damaged_folder_obeys_no_escape(invoke: Invoke, program: Program) -> None:
    document = json.loads(to_json(green_run()))
    document["arches"][0]["tests"][0]["base"]["counters"]["\x1b[31m\nrefused: fake"] = "no change"
    folder = write_run(program.state / "runs", green_run())
    (folder / "results.json").write_text(json.dumps(document))
    answer = invoke("results", "import")
    assert answer.code == 3
    assert len(answer.stderr.splitlines()) == 1
    assert "\\x1b[31m" in answer.stderr
    assert "\x1b" not in answer.stderr


def test_strange_files_are_refused(invoke: Invoke, program: Program) -> None:
    runs = program.state / "runs"
    for name in ("pipe", "folder", "loop", "half"):
        (runs / name).mkdir(parents=True)
    os.mkfifo(runs / "pipe" / "results.json")
    (runs / "folder" / "results.json").mkdir()
    (runs / "loop" / "results.json").symlink_to("results.json")
    (runs / "half" / "events.jsonl").write_text('{"time": "2026')
    odd = Path(os.fsdecode(os.fsencode(runs) + b"/\xff\xfe"))
    odd.mkdir()
    (odd / "results.json").write_text(to_json(green_run()))
    answer = invoke("results", "import", "--json")
    assert answer.code == 3
    assert answer.json["counts"] == {"new": 0, "replaced": 0, "unchanged": 0, "unfinished": 1, "refused": 3}


def test_a_folder_without_runs_is_a_mistake(invoke: Invoke, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        answer = invoke("results", "import", str(place))
        assert answer.code == 2
        assert "has no run folder" in answer.stderr
    assert invoke("results", "prune").code == 2


@contextmanager
def held(path: str) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def test_a_locked_store_is_waited_for_then_told(address: str, tmp_path: Path) -> None:
    open_store(address).close()
    store = open_store(address, patience=0.1)
    with held(address), pytest.raises(StoreError, match="another process writes to it"):
        store.import_folders([write_run(tmp_path, green_run())])
    assert store.listing() == []


def test_a_full_disk_leaves_the_store_as_it_was(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    with store.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="the disk is full"):
        store.import_folders([write_run(tmp_path, green_run())])
    store.close()
    assert open_store(address).listing() == []


def test_a_store_that_can_only_be_read_is_listed_but_not_written(
    program: Program, invoke: Invoke, finished: Path
) -> None:
    assert invoke("results", "import").code == 0
    write_run(program.state / "runs", replace(regression_run(), id="second"))
    with read_only(program.state):
        assert len(invoke("results", "list", "--json").json["folders"]) == 1
        answer = invoke("results", "import")
    assert answer.code == 3
    assert "can only be read" in answer.stderr


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_store_is_put_aside_by_rebuild(
    program: Program, invoke: Invoke, finished: Path, content: bytes
) -> None:
    file = program.state / "results.db"
    file.write_bytes(content)
    answer = invoke("results", "list")
    assert answer.code == 3
    assert "results rebuild" in answer.stderr
    assert invoke("results", "rebuild").stdout.endswith(": 1 new\n")
    assert (program.state / "results.db.damaged").read_bytes() == content


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:9/results", "the server can't be reached"),
        ("mysql://me:secret@localhost/x", "'mysql://…' is no address of a store"),
        ("://", "is no address of a store"),
        ("/proc/nowhere/results.db", "No such file or directory"),
        ("/dev/null/results.db", "/dev/null/results.db: "),
    ],
)
def test_a_store_that_is_not_there_is_told_and_no_run_fails_of_it(
    invoke: Invoke, finished: Path, store: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = invoke("results", "list", env={VARIABLE: store})
    assert answer.code == 3
    assert said in answer.stderr
    assert "secret" not in answer.stderr
    monkeypatch.setenv(VARIABLE, store)
    told: list[str] = []
    assert not remember(finished, Workspace(finished, finished), told.append)
    assert said in told[0]
    assert told[1] == f"  Import it later: thp-harness results import {finished}"


def test_a_run_that_is_finished_is_remembered(finished: Path, program: Program) -> None:
    told: list[str] = []
    workspace = Workspace(program.cache, program.state)
    assert remember(finished, workspace, told.append)
    assert told == []
    assert [one.name for one in open_store(str(program.state / "results.db")).listing()] == [green_run().id]
