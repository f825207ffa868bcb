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

MOST_FUZZ = 2

_FILE = re.compile(r"(?:patching|checking) file '?(.+?)'?(?: \((?:renamed|copied) from .*\))?$")
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


def place(folder: Path, diff: str, *, dry_run: bool) -> tuple[PlacedHunk, ...] | None:
    """Apply a diff to the files in a folder with GNU patch.

    Returns the hunks that needed fuzz or an offset, or None when any hunk has no place; what was
    written is then undefined. Raises InfrastructureError when there is no `patch` command.
    """
    if shutil.which("patch") is None:
        raise InfrastructureError(
            "placing hunks with fuzz needs the command `patch`", hint="run `apt install patch`"
        )
    # -u: never an ed script, which could run anything.
    options = ["-p1", "-u", "--force", f"--fuzz={MOST_FUZZ}", "--no-backup-if-mismatch", "--reject-file=-"]
    process = subprocess.run(
        ["patch", *options, *(["--dry-run"] if dry_run else [])],
        input=diff.encode("utf-8", errors="surrogateescape"),
        capture_output=True,
        env={"PATH": _path_variable(), "LC_ALL": "C"},
        cwd=folder,
        check=False,
    )
    if process.returncode != 0:
        return None
    return tuple(_placed(process.stdout.decode("utf-8", errors="replace").splitlines()))


def _path_variable() -> str:
    return str(Path(shutil.which("patch") or "/usr/bin/patch").parent)


def _placed(lines: Iterable[str]) -> list[PlacedHunk]:
    placed: list[PlacedHunk] = []
    file = ""
    for line in lines:
        if name := _FILE.match(line):
            file = name[1]
        elif hunk := _HUNK.match(line):
            placed.append(PlacedHunk(file, int(hunk[1]), int(hunk[2] or 0), int(hunk[3] or 0)))
    return placed
