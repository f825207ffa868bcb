# SPDX-License-Identifier: GPL-2.0-only
"""Made-up nights: always the same, marked everywhere, and with the story that they promise."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from results.model.document import from_json
from results.model.run import Run, Verdict
from tests.program import Invoke, Program
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import green_run
from tests.samples.simulate import MARK, main, simulate, write_simulated
from tests.samples.stored_runs import write_run


@pytest.fixture(scope="module")
def nights() -> list[Run]:
    return list(simulate(green_run(), 28, 1))


def test_the_same_seed_gives_the_same_nights(nights: list[Run]) -> None:
    assert list(simulate(green_run(), 28, 1)) == nights
    assert list(simulate(green_run(), 28, 2)) != nights


def test_nights_are_earlier_and_a_day_apart(nights: list[Run]) -> None:
    days = [run.started[:10] for run in nights]
    assert days == sorted(set(days))
    assert days[-1] == "2025-06-11"


def test_every_night_says_that_it_is_made_up(nights: list[Run], tmp_path: Path) -> None:
    assert len(nights) == 28
    for run in nights:
        folder = write_simulated(run, tmp_path)
        assert from_json(Run, (folder / "results.json").read_text()) == run
        assert run.simulated
        assert "simulated" in run.id
        assert run.headline.startswith(MARK)
        assert run.subject.series_title.endswith(MARK)
        for log in (folder / "logs").iterdir():
            assert all(MARK in line for line in log.read_text().splitlines())


def test_what_is_said_of_a_test_stands_at_its_place_in_the_log(nights: list[Run], tmp_path: Path) -> None:
    run = next(run for run in nights if run.verdict is Verdict.REGRESSION)
    folder = write_simulated(run, tmp_path)
    for arch in run.arches:
        lines = (folder / "logs" / f"{arch.arch}-series-1.log").read_text().splitlines()
        for test in arch.tests:
            assert test.series.lines
            assert lines[test.series.lines.first - 1] == f"{MARK} start {test.name}"
        for splat in arch.splats:
            assert "WARNING" in lines[splat.example.lines.first - 1]


def test_the_story(nights: list[Run]) -> None:
    verdicts = [run.verdict for run in nights]
    assert verdicts.count(Verdict.REGRESSION) == 9
    assert verdicts[-2:] == [Verdict.FAILS_ON_BOTH] * 2
    flaky = [
        place
        for place, run in enumerate(nights)
        for arch in run.arches
        for test in arch.tests
        if test.verdict is Verdict.FLAKY
    ]
    assert len(flaky) == 4
    assert min(flaky) >= 14
    assert Verdict.INFRASTRUCTURE in verdicts
    assert [run.exit_code == 1 for run in nights] == [verdict is Verdict.REGRESSION for verdict in verdicts]


def test_costs_and_times_rise_in_the_middle() -> None:
    nights = list(simulate(measured_run(), 28, 1))
    moved: dict[str, list[tuple[float, float]]] = {"B": [], "ns": []}
    for one, other in zip(nights[0].arches, nights[-1].arches, strict=True):
        for item, later in zip(one.measurements, other.measurements, strict=True):
            for before, after in zip(item.readings, later.readings, strict=True):
                if before.unit in moved and before.series is not None and after.series is not None:
                    moved[before.unit].append((before.series, after.series))
    assert moved["B"]
    assert moved["ns"]
    assert all(early <= late for early, late in moved["B"])
    assert all(early < late for early, late in moved["ns"])


def test_a_run_without_tests_has_no_story() -> None:
    with pytest.raises(ValueError, match="compared no test"):
        list(simulate(replace(green_run(), arches=()), 3, 1))


def test_simulated_nights_are_imported_once(
    program: Program, invoke: Invoke, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path, green_run())
    with mock.patch.dict(os.environ, program.environment(None), clear=True):
        main([str(folder), "--nights", "3"])
        assert "; 3 new in " in capfd.readouterr().out
        main([str(folder), "--nights", "3"])
        assert "; 0 new in " in capfd.readouterr().out
    assert invoke("results", "list").stdout.count("[simulated]") == 3
