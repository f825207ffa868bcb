# SPDX-License-Identifier: GPL-2.0-only
"""What was learned in earlier runs; losing it costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine.durations import (
    DEFAULT_SECONDS,
    DEFAULT_STEPS,
    DEFCONFIG_TIMES,
    Duration,
    DurationHistory,
)


def test_without_a_past_there_are_defaults(tmp_path: Path) -> None:
    history = DurationHistory(tmp_path)
    assert history.expect("build", "x86_64") == Duration(DEFAULT_SECONDS["build"], DEFAULT_STEPS)
    assert history.expect("boot", "x86_64").seconds == DEFAULT_SECONDS["boot"]
    assert history.machine("s390", "qemu") == ""


def test_what_was_learned_is_known_to_the_next_run(tmp_path: Path) -> None:
    history = DurationHistory(tmp_path)
    history.learn("build", "x86_64", 120.04, 812)
    history.learn("boot", "x86_64", 5)
    history.learn_machine("s390", "hercules", "1 MiB (interpreter)")
    later = DurationHistory(tmp_path)
    assert later.expect("build", "x86_64") == Duration(120.0, 812)
    assert later.expect("boot", "x86_64") == Duration(5.0)
    assert later.expect("build", "arm64").seconds == DEFAULT_SECONDS["build"]
    assert later.machine("s390", "hercules") == "1 MiB (interpreter)"
    assert later.machine("s390", "qemu") == ""


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"past": {}}', '{"past": {"x": 5}, "machines": {}}', "\x00"]
)
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "history.json").write_text(content)
    history = DurationHistory(tmp_path)
    assert history.expect("build", "x86_64").seconds == DEFAULT_SECONDS["build"]
    history.learn("build", "x86_64", 9)
    assert DurationHistory(tmp_path).expect("build", "x86_64").seconds == 9


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    history = DurationHistory(tmp_path / "gone")
    history.learn("boot", "x86_64", 5)
    assert history.expect("boot", "x86_64").seconds == 5


def test_another_configuration_has_a_past_of_its_own(tmp_path: Path) -> None:
    history = DurationHistory(tmp_path)
    history.learn("build", "x86_64", 100, 800)
    history.learn("build", "x86_64", 170, 850, "kasan")
    later = DurationHistory(tmp_path)
    assert later.expect("build", "x86_64") == Duration(100, 800)
    assert later.expect("build", "x86_64", "kasan") == Duration(170, 850)


def test_a_configuration_without_a_past_is_guessed_from_the_usual_one(tmp_path: Path) -> None:
    history = DurationHistory(tmp_path)
    history.learn("build", "x86_64", 100, 800)
    history.learn("boot", "x86_64", 5)
    assert history.expect("build", "x86_64", "lockdep") == Duration(100, 800)
    assert history.expect("build", "x86_64", "defconfig + lockdep").steps == 800 * DEFCONFIG_TIMES
    assert history.expect("boot", "x86_64", "defconfig") == Duration(5)
