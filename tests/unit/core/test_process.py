# SPDX-License-Identifier: GPL-2.0-only
"""Children: their environment, their output, and that none of them is left behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.process import Children, clean_environment, end_group
from harness.core.process import run_logged as run_watched
from harness.core.sandbox import Sandbox

WAIT_SECONDS = 20


def run_logged(command: tuple[str, ...], **options: Any) -> int:
    return run_watched(command, children=Children(), **options)


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Path]:
    """A FIFO that children hold open: its reader comes to the end when the last of them is gone."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    yield path


def read_to_the_end(lifeline: Path, into: list[str]) -> threading.Thread:
    thread = threading.Thread(target=lambda: into.append(lifeline.read_text()), daemon=True)
    thread.start()
    return thread


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def test_output_of_both_streams_is_logged_and_told_line_by_line(tmp_path: Path) -> None:
    log, lines = io.BytesIO(), list[str]()
    script = r"printf 'one\r\n'; printf 'two\n' >&2; printf 'b\377d'; exit 7"
    assert run_logged(sh(script), cwd=tmp_path, log=log, on_line=lines.append) == 7
    assert lines == ["one", "two", "b\ufffdd"]
    assert log.getvalue() == b"one\r\ntwo\nb\xffd"


def test_a_command_runs_in_its_folder_without_input(tmp_path: Path) -> None:
    log = io.BytesIO()
    assert run_logged(sh("pwd; cat"), cwd=tmp_path, log=log) == 0
    assert log.getvalue().decode() == f"{tmp_path}\n"


def test_what_would_change_a_build_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CFLAGS", "KCFLAGS", "ARCH", "CROSS_COMPILE", "MAKEFLAGS", "LANG", "GIT_DIR", "LD_PRELOAD"):
        monkeypatch.setenv(name, "stray")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    environment = clean_environment(KBUILD_BUILD_USER="me")
    assert environment["LC_ALL"] == "C"
    assert environment["KBUILD_BUILD_USER"] == "me"
    assert environment["TMPDIR"] == str(tmp_path)
    assert environment["PATH"] == os.environ["PATH"]
    log = io.BytesIO()
    run_logged(("env",), cwd=tmp_path, log=log)
    assert b"stray" not in log.getvalue()


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    log = io.BytesIO()
    assert run_logged(("no-such-command",), cwd=tmp_path, log=log) == 127
    assert b"no-such-command" in log.getvalue()


def test_an_interrupt_leaves_nothing_of_the_whole_group(tmp_path: Path, lifeline: Path) -> None:
    """Not even a grandchild that ignores SIGTERM."""
    rest: list[str] = []
    reader = read_to_the_end(lifeline, rest)

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    script = f"exec 9>'{lifeline}'; (trap '' TERM; sleep 1000; sleep 1000) & echo started; wait"
    with pytest.raises(KeyboardInterrupt):
        run_logged(sh(script), cwd=tmp_path, log=io.BytesIO(), on_line=interrupt)
    reader.join(WAIT_SECONDS)
    assert rest == [""]


def test_a_log_on_a_full_disk_ends_the_command(tmp_path: Path, lifeline: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    rest: list[str] = []
    reader = read_to_the_end(lifeline, rest)
    with pytest.raises(OSError, match="No space left"):
        run_logged(sh(f"exec 9>'{lifeline}'; echo started; sleep 1000"), cwd=tmp_path, log=Full())
    reader.join(WAIT_SECONDS)
    assert rest == [""]


def test_a_command_dies_with_us_even_if_we_are_killed(tmp_path: Path, lifeline: Path) -> None:
    script = f"exec 9>'{lifeline}'; echo $$ >&9; exec sleep 1000"
    ours = (
        "import io, sys; from pathlib import Path; from harness.core.process import Children, run_logged; "
        "run_logged(('sh', '-c', sys.argv[1]), cwd=Path('.'), log=io.BytesIO(), children=Children())"
    )
    parent = subprocess.Popen([sys.executable, "-c", ours, script])
    with lifeline.open() as reader:
        assert int(reader.readline()) > 0
        parent.send_signal(signal.SIGKILL)
        assert reader.read() == ""
    parent.wait(WAIT_SECONDS)


@pytest.mark.parametrize("sandbox", [None, Sandbox()], ids=["plain", "sandbox"])
@pytest.mark.parametrize(("waits", "ran"), [(True, "ran\n"), (False, "")])
def test_a_command_does_not_start_after_our_end(sandbox: Sandbox | None, waits: bool, ran: str) -> None:
    """Killed while the command is being set up, we can't end it, and the kernel sends it no signal."""
    late = ("sh", "-c", 'sleep 0.3; exec "$@"', "-")
    ours = f"""
        import subprocess
        from harness.core.process import dying_with_us, lifeline
        from harness.core.sandbox import Sandbox
        command = (*{late!r}, *dying_with_us(("echo", "ran"), "KILL", {sandbox!r}))
        process = subprocess.Popen(command, pass_fds=[lifeline()])
        process.wait() if {waits} else None
    """
    command = (sys.executable, "-c", textwrap.dedent(ours))
    answer = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    assert (answer.stdout, answer.stderr) == (ran, "")


def test_ending_a_group_that_is_gone_does_nothing() -> None:
    process = subprocess.Popen(["true"], stdout=subprocess.PIPE, start_new_session=True)
    process.wait(WAIT_SECONDS)
    end_group(process)
    assert process.returncode == 0


def test_another_thread_can_end_everything(tmp_path: Path, lifeline: Path) -> None:
    children, rest, statuses = Children(), list[str](), list[int]()
    reader = read_to_the_end(lifeline, rest)
    started = threading.Event()

    def work() -> None:
        script = sh(f"exec 9>'{lifeline}'; echo started; sleep 1000")
        statuses.append(
            run_watched(
                script,
                cwd=tmp_path,
                log=io.BytesIO(),
                on_line=lambda line: started.set(),
                children=children,
            )
        )

    worker = threading.Thread(target=work)
    worker.start()
    assert started.wait(WAIT_SECONDS)
    children.end_all()
    worker.join(WAIT_SECONDS)
    reader.join(WAIT_SECONDS)
    assert statuses == [-signal.SIGTERM]
    assert rest == [""]


def test_after_the_end_nothing_new_lives(tmp_path: Path) -> None:
    children = Children()
    children.end_all()
    command = sh("sleep 1000")
    assert run_watched(command, cwd=tmp_path, log=io.BytesIO(), children=children) == -signal.SIGTERM


def test_the_log_is_never_behind(tmp_path: Path) -> None:
    """A build that is killed is read from its log."""
    log = tmp_path / "log"
    seen: list[str] = []
    with log.open("wb") as file:
        run_logged(
            sh("echo one; echo two"),
            cwd=tmp_path,
            log=file,
            on_line=lambda line: seen.append(log.read_text()),
        )
    assert len(seen) == 2
    assert seen[0].startswith("one\n")
    assert seen[1] == "one\ntwo\n"
