# SPDX-License-Identifier: GPL-2.0-only
"""Run folders for the store, and what every store must do, whatever its database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, inspect, select

from results.model.document import to_json
from results.model.run import CounterChange, Run
from results.store import engine as engines
from results.store.engine import StoreError
from results.store.rows import StoredFolder, record_of
from results.store.store import ImportState, Store, open_store
from results.store.tables import DETAILS, FOLDERS, MEASURES, METADATA, STEPS, STEPS_TABLE
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import green_run, hostile_run, regression_run
from tests.samples.sample_walk import hostile_walk


def write_run(home: Path, run: Run, name: str = "") -> Path:
    """A folder with the results of a run, and nothing else."""
    folder = home / (name or run.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(to_json(run))
    return folder


def states(store: Store, *folders: Path) -> list[ImportState]:
    return [one.state for one in store.import_folders(folders)]


def rows(store: Store) -> dict[str, int]:
    return {name: store.count(name) for name in ("folders", *DETAILS)}


def test_the_same_folder_twice_changes_nothing(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    folders = [
        write_run(tmp_path, regression_run(), "one"),
        write_run(tmp_path, replace(measured_run(), id="measured"), "two"),
    ]
    assert states(store, *folders) == [ImportState.NEW, ImportState.NEW]
    before = rows(store)
    assert before["folders"] == 2
    assert all(before[name] for name in ("arches", "tests", "measures", "measurements"))
    assert states(store, *folders) == [ImportState.UNCHANGED, ImportState.UNCHANGED]
    (folders[0] / "results.json").touch()
    assert states(store, *folders) == [ImportState.UNCHANGED, ImportState.UNCHANGED]
    assert rows(store) == before


def test_a_folder_that_changed_takes_the_place_of_itself(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    run = green_run()
    states(store, write_run(tmp_path, run))
    before = rows(store)
    changed = replace(run, headline="Something else.", arches=run.arches[:1])
    assert states(store, write_run(tmp_path, changed)) == [ImportState.REPLACED]
    assert [one.headline for one in store.listing()] == ["Something else."]
    after = rows(store)
    assert after["folders"] == 1
    assert after["tests"] == before["tests"] // 2


def test_a_copy_of_a_folder_is_the_same_run(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    first = write_run(tmp_path, green_run(), "here")
    assert states(store, first, write_run(tmp_path, green_run(), "copy")) == [
        ImportState.NEW,
        ImportState.UNCHANGED,
    ]
    assert store.paths() == [first]
    first.rename(tmp_path / "moved")
    assert states(store, tmp_path / "moved") == [ImportState.UNCHANGED]
    assert store.paths() == [tmp_path / "moved"]


def test_hostile_words_are_harmless_inside(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    run = replace(hostile_run(), id="../../x\x00\x1b[31m" + "y" * 1_000_000)
    assert states(store, write_run(tmp_path, run, "hostile")) == [ImportState.NEW]
    with store.reading() as connection:
        texts = [
            (column, value)
            for name in ("folders", *DETAILS)
            for row in connection.execute(select(METADATA.tables[name]))
            for column, value in row._mapping.items()
            if isinstance(value, str)
        ]
    assert {"name", "excerpt"} <= {column for column, _ in texts}
    for column, value in texts:
        lines = value.split("\n") if column == "excerpt" else [value]
        assert all(line.isprintable() for line in lines), column
        assert len(value) <= 8000, column
    assert "../../x\\x00\\x1b[31m" in store.listing()[0].name


def test_numbers_that_no_database_takes_are_left_out(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    run = green_run()
    tests = run.arches[0].tests
    counters = {"thp_split_pmd": CounterChange(0, 10**30)}
    wild = replace(
        tests[0], series=replace(tests[0].series, counters=counters, seconds=float("nan"), runs=10**30)
    )
    run = replace(run, seconds=float("inf"), arches=(replace(run.arches[0], tests=(wild,)),))
    assert states(store, write_run(tmp_path, run)) == [ImportState.NEW]


def test_a_run_of_tomorrow_began_before_it_was_imported(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    run = replace(green_run(), started="2199-01-01T00:00:00+14:00")
    states(store, write_run(tmp_path, run))
    (listed,) = store.listing()
    assert listed.skewed
    with store.reading() as connection:
        assert connection.execute(select(FOLDERS.c.at)).scalar_one() <= listed.imported


@pytest.mark.parametrize("started", ["yesterday", "", "2026-13-45T00:00:00Z", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_is_none_is_refused(address: str, tmp_path: Path, started: str) -> None:
    store = open_store(address)
    (outcome,) = store.import_folders([write_run(tmp_path, replace(green_run(), started=started))])
    assert outcome.state is ImportState.REFUSED
    assert "is not a time" in outcome.why
    assert store.listing() == []


def test_walks_are_links(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    (tmp_path / "walk.json").write_text(to_json(hostile_walk()))
    assert states(store, tmp_path) == [ImportState.NEW]
    (listed,) = store.listing()
    assert listed.kind == "walk"
    assert rows(store)["findings"] == len(hostile_walk().columns)


def test_pruned_runs_go_with_all_their_rows_and_may_come_again(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    runs = [replace(green_run(), id=f"r{day}", started=f"2025-06-{day:02}T00:00:00Z") for day in range(1, 4)]
    folders = [write_run(tmp_path, run) for run in runs]
    states(store, *folders)
    assert [one.name for one in store.prune(None, 1, dry_run=True)] == ["r2", "r1"]
    assert len(store.listing()) == 3
    assert [one.name for one in store.prune(None, 2)] == ["r1"]
    assert [one.name for one in store.prune(30, None)] == ["r3", "r2"]
    assert set(rows(store).values()) == {0}
    assert states(store, *folders) == [ImportState.NEW] * 3


def test_a_store_of_a_newer_program_is_left_alone(address: str) -> None:
    store = open_store(address)
    with store._writing() as connection:
        connection.execute(insert(STEPS_TABLE), {"number": len(STEPS) + 1, "done": ""})
    with pytest.raises(StoreError, match="is a store of version 3; this program has version 2") as error:
        open_store(address)
    assert "newer program" in error.value.hint


def test_an_older_store_is_brought_up_and_keeps_what_it_has(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(address).import_folders([write_run(tmp_path, green_run())])

    def next_step(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE folders ADD COLUMN mood TEXT")

    monkeypatch.setattr(engines, "STEPS", (*STEPS, next_step))
    for _ in range(2):
        store = open_store(address)
        with store.reading() as connection:
            assert engines.schema_version(connection) == len(STEPS) + 1
            assert connection.exec_driver_sql("SELECT mood FROM folders").all() == [(None,)]


def test_a_store_of_the_first_version_keeps_its_numbers(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    states(store, write_run(tmp_path, measured_run()))
    c = MEASURES.c
    numbers = select(c.kind, c.what, c.series).order_by(c.kind, c.what, c.series)
    with store.reading() as connection:
        now = connection.execute(numbers).all()
    with store._writing() as connection:
        for change in (
            "DROP TABLE measurements",
            "CREATE TABLE sweeps (folder INTEGER, operation TEXT)",
            "DELETE FROM schema_steps WHERE number > 1",
            "UPDATE measures SET kind = 'cost', what = 'page tables per mapped THP' "
            "WHERE what = 'page tables per THP'",
            "UPDATE measures SET kind = 'cost' WHERE kind = 'pgtable_cost'",
            "UPDATE measures SET what = 'split' WHERE kind = 'timing'",
            "UPDATE measures SET kind = 'storm', what = 'THPs that were swapped out' "
            "WHERE what = 'swapped out'",
        ):
            connection.exec_driver_sql(change)
    store = open_store(address)
    with store.reading() as connection:
        assert connection.execute(numbers).all() == now
        assert not inspect(connection).has_table("sweeps")
    assert store.count("measurements") == 0


def test_a_store_that_is_built_again_has_what_the_folders_have(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    kept = write_run(tmp_path, replace(green_run(), id="kept"))
    gone = write_run(tmp_path, replace(green_run(), id="gone"))
    states(store, kept, gone)
    before = rows(store)
    with store._writing() as connection:
        connection.execute(DETAILS["tests"].delete())
    assert states(store, kept, gone) == [ImportState.UNCHANGED, ImportState.UNCHANGED]
    (gone / "results.json").unlink()
    gone.rmdir()
    assert [one.state for one in store.rebuild(store.paths())] == [
        ImportState.REPLACED,
        ImportState.UNFINISHED,
    ]
    assert [one.name for one in store.listing()] == ["kept"]
    assert rows(store) == {name: count // 2 for name, count in before.items()}


def test_many_rows_of_one_run(address: str) -> None:
    store = open_store(address)
    run = green_run()
    many = replace(run.arches[0], tests=run.arches[0].tests * 330)
    assert store.put([recorded(replace(run, arches=(many,)))]) == [ImportState.NEW]
    assert store.count("tests") == len(many.tests)


def recorded(run: Run) -> StoredFolder:
    """The rows of a run whose folder is gone."""
    record = record_of(run, datetime.now(UTC))
    own = {"path": f"/nowhere/{run.id}", "file_bytes": 1, "file_time": 1, "digest": "d"}
    return replace(record, folder={**record.folder, **own})
