# SPDX-License-Identifier: GPL-2.0-only
"""GNU patch, for hunks whose surroundings have changed a little."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.core.sandbox import Sandbox

MOST_FUZZ = 3
"""Lines of context, of the three that git writes, that may differ at each end of a hunk."""

_FILE = re.compile(r"(?:patching|checking) file '?(.+?)'?(?: \((?:renamed|copied) from .*\))?$")
_FAILED = re.compile(r"Hunk #(\d+) FAILED at (\d+)")
_HUNK = re.compile(r"Hunk #(\d+) succeeded at \d+(?: with fuzz (\d+))?(?: \(offset (-?\d+) lines?\))?")


@dataclass(frozen=True, slots=True)
class PlacedHunk:
    """A hunk that was not exactly where and what the patch says."""

    file: str
    hunk: int
    fuzz: int
    offset: int

    def __str__(self) -> str:
        return f"{self.file} hunk {self.hunk} (fuzz {self.fuzz}, offset {self.offset})"


@dataclass(frozen=True, slots=True)
class Placement:
    """What GNU patch could do with a diff."""

    placed: tuple[PlacedHunk, ...]
    """Hunks that needed fuzz or an offset."""
    failed: tuple[tuple[str, int], ...]
    """File and number of the hunks that have no place at all."""
    succeeded: bool


def place(folder: Path, diff: str, *, dry_run: bool) -> Placement:
    """Apply a diff to the files in a folder with GNU patch; after a failure what was written is undefined.

    Raises:
        InfrastructureError: when there is no `patch` command.
    """
    if shutil.which("patch") is None:
        raise InfrastructureError(
            "placing hunks with fuzz needs the command `patch`", hint="Run `apt install patch`."
        )
    # -u: never an ed script, which could run anything.
    options = ["-p1", "-u", "--force", f"--fuzz={MOST_FUZZ}", "--no-backup-if-mismatch", "--reject-file=-"]
    process = subprocess.run(
        Sandbox(writable=(folder,)).around(["patch", *options, *(["--dry-run"] if dry_run else [])]),
        input=diff.encode("utf-8", errors="surrogateescape"),
        capture_output=True,
        env={"PATH": _path_variable(), "LC_ALL": "C"},
        cwd=folder,
        check=False,
    )
    placed, failed = _placed(process.stdout.decode("utf-8", errors="replace").splitlines())
    return Placement(tuple(placed), tuple(failed), process.returncode == 0)


def _path_variable() -> str:
    return f"{Path(shutil.which('patch') or '/usr/bin/patch').parent}:/usr/bin:/bin"


def _placed(lines: Iterable[str]) -> tuple[list[PlacedHunk], list[tuple[str, int]]]:
    placed: list[PlacedHunk] = []
    failed: list[tuple[str, int]] = []
    file = ""
    for line in lines:
        if name := _FILE.match(line):
            file = name[1]
        elif hunk := _HUNK.match(line):
            placed.append(PlacedHunk(file, int(hunk[1]), int(hunk[2] or 0), int(hunk[3] or 0)))
        elif refused := _FAILED.match(line):
            failed.append((file, int(refused[1])))
    return placed, failed
