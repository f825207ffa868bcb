# SPDX-License-Identifier: GPL-2.0-only
"""Where the program keeps things: XDG folders, and one folder a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError

PROGRAM = "thp-harness"
KINDS = ("run", "walk", "bisect", "rerun", "config")
"""Kinds of folders (`results.model.document.FolderKind`)."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """`cache` can be deleted at any time; `state` holds the runs."""

    cache: Path
    state: Path

    @property
    def runs(self) -> Path:
        """Folder of all runs."""
        return self.home("run")

    def home(self, kind: str) -> Path:
        """Folder of all runs, walks, bisects, reruns or configs; `kind` is one of KINDS."""
        return self.state / f"{kind}s"

    @property
    def homes(self) -> tuple[Path, ...]:
        """The folders of all kinds."""
        return tuple(map(self.home, KINDS))

    def create(self) -> None:
        """Make the folders.

        Raises:
            InfrastructureError: if they can't be made.
        """
        for folder in (self.cache, self.runs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InfrastructureError(
                    f"{folder} can't be made: {error.strerror}",
                    hint="Choose other folders with XDG_CACHE_HOME and XDG_STATE_HOME.",
                ) from None

    def new_run(self, label: str, home: Path | None = None) -> Path:
        """Make the folder of a new run, with its `logs/` and `boots/`; in `home`, or among the runs."""
        home = home or self.runs
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        for attempt in range(100):
            folder = home / (f"{stamp}-{label}" + (f".{attempt}" if attempt else ""))
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise InfrastructureError(f"{folder} can't be made: {error.strerror}") from None
            (folder / "logs").mkdir()
            (folder / "boots").mkdir()
            return folder
        raise InfrastructureError(f"{home}: no free name for a run at {stamp}")

    def find_run(self, name: str) -> Path:
        """The folder of a run given by path, by name, or as `latest`; a walk is never the latest run.

        Raises:
            UsageError: if there is none.
        """
        if name == "latest":
            runs = sorted(path for path in self.runs.glob("*") if path.is_dir())
            if not runs:
                raise UsageError("there is no run yet", hint=f"Start one with: {PROGRAM} run")
            return runs[-1]
        for folder in (home / name for home in (Path(), *self.homes)):
            if folder.is_dir():
                return folder.resolve()
        raise UsageError(
            f"no run '{name}'", hint=f"Runs are folders below {self.runs}; 'latest' names the last."
        )


def from_environment(environment: Mapping[str, str] = os.environ) -> Workspace:
    """Folders by the XDG base directory specification."""
    home = Path(environment.get("HOME") or Path.home())
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    state = Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state")
    return Workspace(cache / PROGRAM, state / PROGRAM)
