# SPDX-License-Identifier: GPL-2.0-only
"""`results rebuild` makes the store again, whatever state its file is in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.program import Invoke, Program
from tests.samples.sample_run import green_run
from tests.samples.stored_runs import write_run

Damage = Callable[[Path], None]


def by(*statements: str) -> Damage:
    def damage(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def bytes_of(seed: int) -> Damage:
    def damage(file: Path) -> None:
        random, content = Random(seed), bytearray(file.read_bytes())
        for _ in range(random.choice((1, 20, 2000))):
            content[random.randrange(len(content))] = random.randrange(256)
        file.write_bytes(content[: random.choice((len(content), random.randrange(len(content))))])

    return damage


STATES: dict[str, Damage] = {
    "empty": lambda file: os.truncate(file, 0),
    "no table of folders": by("DROP TABLE folders"),
    "another column": by("ALTER TABLE folders RENAME COLUMN path TO road"),
    "no steps": by("DELETE FROM schema_steps"),
    "a later version": by("INSERT INTO schema_steps VALUES (99, 'x')"),
    "blobs": by("UPDATE folders SET path = x'ff00fe', started = 3.5"),
    "another program's": by("DROP TABLE folders", "CREATE VIEW folders AS SELECT 1 AS x"),
    **{f"seed {seed}": bytes_of(seed) for seed in range(4)},
}
NIGHTLY = {f"seed {seed}": bytes_of(seed) for seed in range(4, 400)}


@pytest.mark.parametrize(
    "damage",
    [*STATES.values(), *(pytest.param(each, marks=pytest.mark.nightly) for each in NIGHTLY.values())],
    ids=[*STATES, *NIGHTLY],
)
def test_rebuild_makes_a_store_of_any_state(program: Program, invoke: Invoke, damage: Damage) -> None:
    write_run(program.state / "runs", green_run())
    assert invoke("results", "import").code == 0
    file = program.state / "results.db"
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    damage(file)
    answer = invoke("results", "rebuild")
    assert answer.code == 0, answer.stderr
    assert len(invoke("results", "list", "--json").json["folders"]) == 1
    assert invoke("results", "rebuild").stdout.endswith(": 1 replaced\n")
