# SPDX-License-Identifier: GPL-2.0-only
"""Runs on several workers: faults lose nothing and repeat nothing; who can't take part is told why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from harness.cluster.tls.certificates import make_certificates
from harness.core.shipped import ROOT
from tests.cluster.faults import run_over, run_with_faults
from tests.cluster.fleet import PROGRAM, Fleet, await_true
from tests.cluster.network import BadLine, NoNetworkError
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOIN_SECONDS = 120
OLDER = "import harness.core.version as a; a.program_version = lambda: '0.0.1+older'; "


def test_a_few_faults_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    run_with_faults(tmp_path, seed=100, count=3)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_faults_lose_nothing_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    run_with_faults(tmp_path, seed, count=10)


@pytest.mark.nightly
def test_a_bad_line_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Every packet takes 200 ms each way, and one in twenty is lost."""
    (certs,) = make_certificates(tmp_path / "certs", ["all"], 30)
    try:
        with BadLine(delay=0.2, loss=0.05) as line:
            run_over(line, tmp_path / "fleet", certs, size=8)
    except NoNetworkError as error:
        pytest.skip(f"making networks takes root and /dev/net/tun: {error}")
    assert line.lost > 20
    assert line.carried > 10 * line.lost


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "cache", tmp_path / "state")


def await_answer(ask: Callable[[], Answer], wanted: Callable[[Answer], bool], fleet: Fleet) -> Answer:
    """Ask until the answer is the wanted one: processes take their time to start."""
    answers: list[Answer] = []

    def answered() -> bool:
        answers.append(ask())
        return wanted(answers[-1])

    await_true(answered, JOIN_SECONDS, lambda: f"{answers[-1]}\n{fleet.log()}")
    return answers[-1]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A scheduler without workers."""
    with Fleet(tmp_path / "fleet", 0) as fleet:
        yield fleet


def test_a_plan_that_nobody_can_carry_out_is_refused_at_once(fleet: Fleet, program: Program) -> None:
    """No scheduler, no worker, one of another version, one without tools: each time the reason is named."""

    def run() -> Answer:
        return program("run", "--arch", "x86_64", "--scheduler", fleet.address)

    elsewhere = program("run", "--scheduler", "tcp://127.0.0.1:1")
    assert elsewhere.code == 3
    assert "there is no scheduler at tcp://127.0.0.1:1" in elsewhere.stderr

    alone = await_answer(run, lambda answer: "there is no scheduler" not in answer.stderr, fleet)
    assert alone.code == 3
    assert f"no worker has joined {fleet.address}" in alone.stderr
    assert "thp-harness cluster worker" in alone.stderr

    fleet.add_worker("older", program=(*PROGRAM[:2], OLDER + PROGRAM[2]))
    older = await_answer(run, lambda answer: "no worker has joined" not in answer.stderr, fleet)
    assert older.code == 2
    assert "no worker has our program version" in older.stderr
    assert "0.0.1+older" in older.stderr
    fleet.remove("older")

    fleet.add_worker("bare", PATH="/nowhere")
    bare = await_answer(run, lambda answer: "no worker has toolchain-x86_64" in answer.stderr, fleet)
    assert bare.code == 2
    assert "apt-get install" in bare.stderr
    assert program.run_folders() == []


def test_only_who_has_a_certificate_of_the_authority_takes_part(tmp_path: Path, program: Program) -> None:
    make_certificates(tmp_path, ["hub", "build-1"], 30)
    make_certificates(tmp_path / "others", ["hub"], 30)
    schema = json.loads((ROOT / "docs" / "cluster-status.schema.json").read_text())
    with Fleet(tmp_path / "fleet", 0, certs=tmp_path / "hub") as fleet:
        fleet.add_worker("worker", "--certs", str(tmp_path / "build-1"))

        def status(certs: str = "hub") -> Answer:
            return program("cluster", "status", fleet.address, "--certs", str(tmp_path / certs), "--json")

        seen = await_answer(status, lambda answer: answer.code == 0, fleet)
        jsonschema.validate(seen.json, schema)
        (worker,) = seen.json["workers"]
        assert worker["usable"]
        assert worker["cores"] == 1

        stranger = status("others/hub")
        assert stranger.code == 2
        assert "certificate" in stranger.stderr
        assert "cluster certs" in stranger.stderr
        nobody = program("cluster", "status", fleet.address)
        assert nobody.code == 2
        assert "--certs" in nobody.stderr
        plain = program("cluster", "status", fleet.address.replace("tls", "tcp"))
        assert plain.code == 2
        assert "no scheduler that speaks tcp://" in plain.stderr

        outsider = fleet.add_worker("outsider", "--certs", str(tmp_path / "others" / "hub"))
        await_true(lambda: outsider.ended is not None, JOIN_SECONDS, fleet.log)
        assert outsider.ended == 2
        assert "certificate" in outsider.log.read_text()
        assert len(status().json["workers"]) == 1
