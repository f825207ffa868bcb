# SPDX-License-Identifier: GPL-2.0-only
"""Real makes share one pool, and nobody takes a token that is not there."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from harness.core.jobserver import Jobserver
from harness.core.process import Stopped, clean_environment

JOBS_PER_MAKE = 6
MAKEFILE = """\
all: $(addprefix job,1 2 3 4 5 6)
job%:
	@echo start >> $(LOG); %s; echo stop >> $(LOG)
"""
A_MOMENT = "sleep 0.05"
UNTIL_THREE_HAVE_BEGUN = "timeout 60 sh -c 'until [ `grep -c start $(LOG)` -ge 3 ]; do sleep 0.01; done'"


def most_at_once(log: Path) -> int:
    running = most = 0
    for word in log.read_text().split():
        running += 1 if word == "start" else -1
        most = max(most, running)
    return most


def start_make(folder: Path, pool: Jobserver, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["make", "-s", "-C", str(folder), f"LOG={log}", "all"],
        env=dict(clean_environment(MAKEFLAGS=pool.makeflags)),
        pass_fds=pool.descriptors,
        stderr=subprocess.PIPE,
    )


def tokens_left(pool: Jobserver) -> int:
    with pool.hold(1000) as held:
        return held


@pytest.mark.parametrize("tokens", [2, 3])
def test_two_makes_share_the_tokens(tmp_path: Path, tokens: int) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE.replace("%s", A_MOMENT))
    log = tmp_path / "log"
    pool = Jobserver(tokens)
    with pool.hold(), pool.hold():
        makes = [start_make(tmp_path, pool, log) for _ in range(2)]
        warnings = [make.communicate()[1] for make in makes]
    assert warnings == [b"", b""]
    assert [make.returncode for make in makes] == [0, 0]
    assert log.read_text().split().count("stop") == 2 * JOBS_PER_MAKE
    assert most_at_once(log) <= tokens
    assert tokens_left(pool) == tokens
    pool.close()


def test_one_make_gets_all_tokens_that_are_free(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE.replace("%s", UNTIL_THREE_HAVE_BEGUN))
    pool = Jobserver(3)
    with pool.hold():
        assert start_make(tmp_path, pool, tmp_path / "log").wait() == 0
    assert most_at_once(tmp_path / "log") == 3
    pool.close()


def test_tokens_come_back_after_an_exception() -> None:
    pool = Jobserver(2)
    with pytest.raises(ZeroDivisionError), pool.hold(2):
        _ = 1 / 0
    assert tokens_left(pool) == 2
    pool.close()


def test_more_than_there_is_is_not_waited_for() -> None:
    pool = Jobserver(2)
    with pool.hold(5) as held:
        assert held == 2
    pool.close()


def test_waiting_ends_when_the_pool_is_stopped() -> None:
    pool = Jobserver(1)
    outcome: list[str] = []

    def wait_for_token() -> None:
        try:
            with pool.hold():
                outcome.append("got one")
        except Stopped:
            outcome.append("stopped")

    with pool.hold():
        waiter = threading.Thread(target=wait_for_token)
        waiter.start()
        pool.stop()
        waiter.join(60)
    assert outcome == ["stopped"]
    pool.close()


def test_closing_gives_the_descriptors_back() -> None:
    pool = Jobserver(1)
    pool.close()
    for descriptor in pool.descriptors:
        with pytest.raises(OSError):
            os.fstat(descriptor)
