# SPDX-License-Identifier: GPL-2.0-only
"""`dashboard serve`, the real program: only on 127.0.0.1, of what is in the store, and what runs now."""

from __future__ import annotations

import http.client
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.locks import claim
from harness.engine.run_folder import LOCK
from results.journal.journal import Journal, PlanFact
from tests.program import Program
from tests.samples.sample_parts import build_of
from tests.samples.sample_run import HOSTILE, green_run, regression_run
from tests.samples.stored_runs import write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Get = Callable[..., tuple[int, str]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "cache", tmp_path / "state")


@pytest.fixture
def port(program: Program) -> Iterator[int]:
    """The port of a dashboard that runs; it ends by Ctrl-C and says nothing on stderr."""
    write_run(program.state / "runs", replace(green_run(), id="first"))
    process = program.start("dashboard", "serve", "--port", "0")
    assert process.stdout and process.stderr
    line = process.stdout.readline()
    yield int(line.split("/ ")[0].rsplit(":", 1)[1])
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


@pytest.fixture
def get(port: int) -> Get:
    def ask(path: str, host: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    return ask


def test_pages_are_those_of_the_store_as_it_is_now(program: Program, get: Get) -> None:
    status, text = get("/")
    assert (status, "Nothing wrong" in text) == (200, True)
    write_run(program.state / "runs", replace(regression_run(), id="second", started="2025-06-14T00:00:00Z"))
    assert "Regression on arm64" in get("/index.html")[1]
    assert get("/tests.html")[0] == 200


def test_nobody_else_is_served(get: Get, port: int) -> None:
    assert get("/", host="evil.example")[0] == 421
    assert get("/live", host=f"evil.example:{port}")[0] == 421
    assert get("/", host=f"localhost:{port}")[0] == 200
    for path in ("/run/", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/no-such-page"):
        assert get(path)[0] == 404, path
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_what_is_running_now(program: Program, get: Get) -> None:
    assert "Nothing is running" in get("/live")[1]
    run = green_run()
    folder = program.state / "runs" / "now"
    folder.mkdir()
    journal = Journal(folder)
    journal.append(
        "plan",
        PlanFact(
            id="now", harness="0.1.0", host={}, command=(), planned=run.planned, arches=("x86_64", "arm64"),
            subject=replace(run.subject, series_title=HOSTILE.replace("\ud800", "")), claims=(),
            allow_unexercised=(), digest="d",
        ),
    )  # fmt: skip
    assert "Nothing is running" in get("/live")[1], "a run that was killed is not running"
    lock = claim(folder / LOCK)
    assert lock
    with lock:
        assert get("/live")[1].count("not built yet") == 4
        journal.append("build", build_of("x86_64", "base"))
        text = get("/live")[1]
        assert text.count("not built yet") == 3
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_a_port_that_is_taken_is_told(program: Program, port: int) -> None:
    answer = program("dashboard", "serve", "--port", str(port))
    assert answer.code == 3
    assert "Address already in use" in answer.stderr
