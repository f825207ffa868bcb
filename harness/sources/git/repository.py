# SPDX-License-Identifier: GPL-2.0-only
"""The git command, run so that no user's configuration, hook or locale changes what comes out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.core.sandbox import Sandbox

COMMITTER_NAME = "thp-harness"
COMMITTER_EMAIL = "thp-harness@localhost"

_KEPT_VARIABLES = ("GIT_SSL_", "GIT_SSH", "GIT_PROXY_", "GIT_EXEC_PATH", "GIT_TRACE")
_FIXED_VARIABLES = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_COMMITTER_NAME": COMMITTER_NAME,
    "GIT_COMMITTER_EMAIL": COMMITTER_EMAIL,
    "LC_ALL": "C",
    "TZ": "UTC",
}
_NO_USER_CONFIG = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
# safe.directory: trees belong to other users, and the caller named them.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.directory=*",
    "checkout.workers=0",
)
_LINES_OF_STDERR = 5


class GitError(InfrastructureError):
    """A git command failed.

    `stderr` holds all that it said, `returncode` how it ended.
    """

    def __init__(self, command: Iterable[str], returncode: int, stderr: str, stdout: str = "") -> None:
        said = [line for line in stderr.splitlines() if line.strip()]
        tail = "\n".join(f"  {line}" for line in said[-_LINES_OF_STDERR:])
        super().__init__(
            f"`{' '.join(command)}` failed with code {returncode}" + (f":\n{tail}" if tail else "")
        )
        self.returncode = returncode
        self.stderr = stderr
        self.stdout = stdout


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository or worktree; commands run in `path` and never in a repository above it."""

    path: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of every command."""
    sandbox: Sandbox | None = None
    """Around every command, if there is one."""

    def run(self, *arguments: str, stdin: bytes | None = None, user_config: bool = False) -> str:
        """Run a git command and return what it printed, without the last line's end.

        With `user_config` the user's and the system's git configuration count: proxies,
        certificates, credentials.

        Raises:
            GitError: when it ends with another code than 0.
        """
        printed = self.run_bytes(*arguments, stdin=stdin, user_config=user_config)
        return printed.decode("utf-8", errors="replace").removesuffix("\n")

    def run_bytes(self, *arguments: str, stdin: bytes | None = None, user_config: bool = False) -> bytes:
        """Like `run`, for output that may be anything."""
        command = self.command(*arguments)
        process = subprocess.run(
            self.sandbox.around(command) if self.sandbox else command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment(user_config),
            check=False,
        )
        if process.returncode != 0:
            stderr = process.stderr.decode("utf-8", errors="replace")
            stdout = process.stdout.decode("utf-8", errors="replace")
            raise GitError(("git", *arguments), process.returncode, stderr, stdout)
        return process.stdout

    def succeeds(self, *arguments: str, stdin: bytes | None = None) -> bool:
        """Whether a git command ends with code 0."""
        try:
            self.run_bytes(*arguments, stdin=stdin)
        except GitError:
            return False
        return True

    def command(self, *arguments: str) -> list[str]:
        """The command line that `run` uses."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        return ["git", "-C", str(self.path), *settings, *arguments]

    def environment(self, user_config: bool = False) -> dict[str, str]:
        """The environment that `run` uses."""
        kept = (*_KEPT_VARIABLES, "GIT_CONFIG") if user_config else _KEPT_VARIABLES
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith(kept)
        }
        config = {} if user_config else _NO_USER_CONFIG
        ceiling = {"GIT_CEILING_DIRECTORIES": str(self.path.absolute().parent)}
        return {**inherited, **_FIXED_VARIABLES, **config, **ceiling, **self.variables}
