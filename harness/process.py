"""Runs long commands: in a process group of their own, logged line by line, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

GRACE_SECONDS = 5.0
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "CCACHE_DIR")
"""What children may see of our environment: a stray CFLAGS, ARCH or MAKEFLAGS would change builds."""


def clean_environment(**extra: str) -> Mapping[str, str]:
    """A reproducible environment for child processes."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C", **extra}


def dying_with_us(command: Sequence[str], signal_name: str) -> tuple[str, ...]:
    """The command, so wrapped that the kernel sends it a signal when our thread ends (setpriv(1))."""
    return ("setpriv", "--pdeathsig", signal_name, "--", *command)


def run_logged(
    command: Sequence[str],
    *,
    cwd: Path,
    log: BinaryIO,
    on_line: Callable[[str], None] = lambda line: None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command, append its stdout and stderr to `log`, and return its exit status.

    Whatever interrupts us, the command's whole process group is ended before this returns.

    Raises:
        OSError: if the command can't be started, or the log can't be written (ENOSPC).
    """
    process = subprocess.Popen(
        dying_with_us(command, "TERM"),
        cwd=cwd,
        env=dict(environment if environment is not None else clean_environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout
    try:
        for line in process.stdout:
            log.write(line)
            on_line(line.decode(errors="replace").rstrip("\r\n"))
        log.flush()
        return process.wait()
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: politely first, then for good. Does nothing if it is gone."""
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
