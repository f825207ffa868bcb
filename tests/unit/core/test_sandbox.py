# SPDX-License-Identifier: GPL-2.0-only
"""What a command in the sandbox can see, write, reach and leave behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core import sandbox
from harness.core.process import Bounds, BoundsError, Children, run_logged
from harness.core.sandbox import Sandbox, note, why_not
from tests.unit.core.test_process import WAIT_SECONDS, read_to_the_end

BOUNDS = Bounds(seconds=20, silence=20, output=1 << 20)


@pytest.fixture(autouse=True)
def _works() -> None:
    if reason := why_not():
        pytest.skip(f"no sandbox here: {reason}")


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Path]:
    """A FIFO that children hold open: its reader comes to the end when the last of them is gone."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    yield path


def run(
    script: str,
    at: Path,
    bounds: Bounds = BOUNDS,
    readable: tuple[Path, ...] = (),
    writable: tuple[Path, ...] = (),
) -> tuple[int, str]:
    """Run a shell script in the sandbox; `at` is its working directory, which it can write."""
    log = io.BytesIO()
    status = run_logged(
        ("sh", "-c", script),
        cwd=at,
        log=log,
        children=Children(),
        bounds=bounds,
        sandbox=Sandbox(readable, (at, *writable)),
    )
    return status, log.getvalue().decode()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_only_what_is_shown_is_there(work: Path, tmp_path: Path) -> None:
    (tmp_path / "shown").write_text("seen")
    (tmp_path / "secret").write_text("secret")
    script = f"cat {tmp_path}/shown; cat {tmp_path}/secret; ls {tmp_path}; echo $PWD"
    _, said = run(script, work, readable=(tmp_path / "shown",))
    assert said.startswith("seen")
    assert f"{tmp_path}/secret: No such file" in said
    assert said.endswith(f"shown\nwork\n{work}\n")


def test_only_what_is_writable_can_be_written(work: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    status, said = run(f"echo made > made; echo x > {tmp_path}/tree/x", work, readable=(tmp_path / "tree",))
    assert (work / "made").read_text() == "made\n"
    assert status != 0
    assert "Read-only file system" in said
    assert not (tmp_path / "tree" / "x").exists()


@pytest.mark.parametrize("path", ["/", "/usr", "/etc", "/proc/sys/kernel/core_pattern", "/dev/kmsg"])
def test_nothing_of_the_system_can_be_written(path: str, work: Path) -> None:
    assert run(f"touch {path}/x 2>/dev/null || echo x 2>/dev/null > {path}", work)[0] != 0


def test_there_is_no_home(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "key").write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run(f"echo $HOME; cat $HOME/key {tmp_path}/home/key 2>/dev/null", work)[1] == "/tmp\n"


def test_there_is_no_network(work: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        status, said = run(f'/usr/bin/python3 -c "{connect}"', work)
    assert status == 1
    assert "Connection refused" in said


def test_no_other_process_can_be_seen_or_ended(work: Path) -> None:
    status, _ = run(f"kill -0 {os.getpid()} 2>/dev/null && test -d /proc/{os.getpid()}", work)
    assert status != 0


def test_capabilities_are_dropped(work: Path) -> None:
    assert run("grep CapEff /proc/self/status", work)[1] == "CapEff:\t0000000000000000\n"


def test_what_left_its_session_ends_with_the_command(work: Path, lifeline: Path) -> None:
    rest: list[str] = []
    reader = read_to_the_end(lifeline, rest)
    script = f"setsid sh -c \"trap '' TERM HUP; exec 9>'{lifeline}'; touch up; sleep 1000\" & "
    status, _ = run(script + "until [ -e up ]; do sleep 0.01; done", work, readable=(lifeline,))
    assert status == 0
    reader.join(WAIT_SECONDS)
    assert rest == [""]


def test_sigterm_reaches_the_command_that_may_clean_up(work: Path) -> None:
    children = Children()
    script = "trap 'echo clean > clean; exit 3' TERM; echo up > up; while :; do sleep 0.05; done"
    ended: list[int] = []

    def end() -> None:
        until = time.monotonic() + WAIT_SECONDS
        while not (work / "up").exists() and time.monotonic() < until:
            time.sleep(0.01)
        children.end_all()

    thread = threading.Thread(target=end)
    thread.start()
    ended.append(
        run_logged(
            ("sh", "-c", script),
            cwd=work,
            log=io.BytesIO(),
            children=children,
            sandbox=Sandbox(writable=(work,)),
        )
    )
    thread.join()
    assert ended == [3]
    assert (work / "clean").exists()


def test_a_signal_that_ends_the_command_is_told(work: Path) -> None:
    assert run("kill -SEGV $$", work)[0] == -signal.SIGSEGV


def test_what_traps_sigterm_is_killed(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.core.process.GRACE_SECONDS", 0.2)
    with pytest.raises(BoundsError, match="no output for 1 s"):
        run("trap '' TERM; while :; do sleep 1; done", work, Bounds(20, 1, 1 << 20))


def test_endless_output_is_cut(work: Path) -> None:
    with pytest.raises(BoundsError, match="more than 1 MiB of output"):
        run("yes", work)


def test_a_slow_drip_ends_at_the_time_limit(work: Path) -> None:
    with pytest.raises(BoundsError, match="still running after 1 s"):
        run("while :; do echo .; sleep 0.1; done", work, Bounds(1, 20, 1 << 20))


def test_links_on_the_way_lead_to_the_same_place(work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("work")
    linked = tmp_path / "link" / "below"
    linked.mkdir()
    status, said = run(f"cd {linked} && pwd -P", work, writable=(linked,))
    assert (status, said) == (0, f"{work}/below\n")


def test_root_becomes_nobody_where_it_is_not_needed(work: Path) -> None:
    log = io.BytesIO()
    run_logged(("id", "-u"), cwd=Path("/"), log=log, children=Children(), sandbox=Sandbox(unprivileged=True))
    assert log.getvalue() == (b"65534\n" if sandbox.is_root() else f"{os.geteuid()}\n".encode())


def test_nobody_reads_and_writes_what_was_granted(work: Path) -> None:
    """Also below folders that are closed to all others."""
    work.parent.chmod(0o700)
    (work / "kernel").write_text("image")
    (work / "kernel").chmod(0o600)
    granted = Sandbox((work / "kernel",), (work,), unprivileged=True)
    granted.grant()
    script = f"cat {work}/kernel; echo made > {work}/log; echo x > {work}/kernel"
    log = io.BytesIO()
    status = run_logged(("sh", "-c", script), cwd=work, log=log, children=Children(), sandbox=granted)
    assert status != 0
    assert (work / "kernel").read_text() == "image"
    assert (work / "log").read_text() == "made\n"
    assert log.getvalue().startswith(b"image")


def test_without_a_sandbox_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert note() == ""
    monkeypatch.setenv("THP_HARNESS_SANDBOX", "0")
    assert note().endswith("with all rights of the user: it was switched off")
    assert Sandbox().around(("true",)) == ("true",)
    monkeypatch.delenv("THP_HARNESS_SANDBOX")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert note().endswith("bubblewrap is not installed")


def test_namespaces_that_are_not_allowed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "bwrap: No permissions to create new namespace"
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert why_not() == said
