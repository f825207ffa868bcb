# SPDX-License-Identifier: GPL-2.0-only
"""Runs the installed command line as its users do: a process with folders of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.core.sandbox import READ_SWITCH

PROGRAM = Path(sys.executable).with_name("thp-harness")
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "http_proxy", "https_proxy", "no_proxy", READ_SWITCH)


@dataclass(frozen=True)
class Answer:
    """What one command printed, and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)


class Invoke(Protocol):
    """Runs a command to its end."""

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer: ...


@dataclass(frozen=True)
class Program:
    """`thp-harness` with its own cache and state; the rest of the environment is the developer's."""

    cache_home: Path
    state_home: Path
    path: Path = PROGRAM

    @property
    def cache(self) -> Path:
        return self.cache_home / "thp-harness"

    @property
    def state(self) -> Path:
        return self.state_home / "thp-harness"

    def run_folders(self) -> list[Path]:
        return sorted((self.state / "runs").glob("*"))

    def environment(self, changes: Mapping[str, str] | None = None) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        folders = {"XDG_CACHE_HOME": str(self.cache_home), "XDG_STATE_HOME": str(self.state_home)}
        return {**inherited, **folders, **(changes or {})}

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 900) -> Answer:
        """Run a command to its end; there is never a traceback."""
        process = self.start(*arguments, env=env)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert "Traceback" not in stderr, stderr
        return Answer(process.returncode, stdout, stderr)

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, through: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a command and leave it running; `through` is a command line that starts it."""
        return subprocess.Popen(
            [*through, str(self.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self.environment(env),
            start_new_session=True,
        )
