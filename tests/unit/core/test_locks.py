# SPDX-License-Identifier: GPL-2.0-only
"""Locks keep others out, are told about once, and never hold up somebody who wants to stop."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.core.locks import claim, locked
from harness.core.process import Children, Stopped


def no_message() -> None:
    raise AssertionError("nobody has it")


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "lock", no_message):
        assert claim(tmp_path / "new" / "lock") is None
    again = claim(tmp_path / "new" / "lock")
    assert again
    again.close()


def test_a_held_lock_is_waited_for_and_told_once(tmp_path: Path) -> None:
    path, told, order = tmp_path / "lock", list[str](), list[str]()
    waiting = threading.Event()

    def tell() -> None:
        told.append("busy")
        waiting.set()

    def wait_for_it() -> None:
        with locked(path, tell):
            order.append("second")

    second = threading.Thread(target=wait_for_it)
    with locked(path, no_message):
        second.start()
        assert waiting.wait(60)
        order.append("first")
    second.join(60)
    assert (told, order) == (["busy"], ["first", "second"])


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    path, children, outcome = tmp_path / "lock", Children(), list[str]()
    waiting = threading.Event()

    def wait_for_it() -> None:
        try:
            with locked(path, waiting.set, children.raise_if_stopping):
                outcome.append("got it")
        except Stopped:
            outcome.append("stopped")

    waiter = threading.Thread(target=wait_for_it)
    with locked(path, no_message):
        waiter.start()
        assert waiting.wait(60)
        children.end_all()
        waiter.join(60)
        assert outcome == ["stopped"]


def test_an_exception_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", no_message):
        _ = 1 / 0
    with locked(tmp_path / "lock", no_message):
        pass
