"""A git repository that looks like the top of a kernel tree, made in a few milliseconds."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

MAKEFILE = "# SPDX-License-Identifier: GPL-2.0\n"
MAKEFILE += "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\nNAME = Tiny\n"
NUMBERS = "".join(f"line {number}\n" for number in range(1, 61))
FILES = {"Makefile": MAKEFILE, "mm/huge_memory.c": NUMBERS, "mm/memory.c": NUMBERS, ".gitignore": "*.o\n"}
ADDRESS = "author@kernel.example"
_HOME = TemporaryDirectory(prefix="tiny-kernels-")
_MADE: dict[tuple[tuple[str, str], ...], Path] = {}


def git(repository: Path, *arguments: str, **variables: str) -> str:
    """Run git as a developer would, without the machine's own configuration."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEST_FSYNC": "0",
        "GIT_AUTHOR_NAME": "Jörg Author",
        "GIT_AUTHOR_EMAIL": ADDRESS,
        "GIT_AUTHOR_DATE": "2026-03-26T19:08:12-0700",
        "GIT_COMMITTER_NAME": "Committer",
        "GIT_COMMITTER_EMAIL": "committer@kernel.example",
        "GIT_COMMITTER_DATE": "2026-03-27T10:00:00+0000",
        **variables,
    }
    command = ["git", "-C", str(repository), "-c", "maintenance.auto=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def make_kernel(path: Path, files: Mapping[str, str] = FILES) -> Path:
    """Make a repository with one commit of these files; those of the same files are copies of the first."""
    made = _MADE.setdefault(tuple(files.items()), Path(_HOME.name) / str(len(_MADE)))
    if not made.exists():
        made.mkdir()
        git(made, "init", "--quiet", "--template=", "--initial-branch=master")
        commit(made, "base", files)
    shutil.copytree(made, path)
    return path


def commit(path: Path, subject: str, files: Mapping[str, str]) -> str:
    """Commit the files' new contents and return the commit's id."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    git(path, "add", "--all", "--force")
    git(path, "commit", "--quiet", "-m", subject)
    return head(path)


def head(path: Path) -> str:
    """The commit that git has just made: its id is in a file, and no process must be asked for it."""
    folder = path / ".git"
    at = (folder / "HEAD").read_text().strip()
    return (folder / at.removeprefix("ref: ")).read_text().strip() if at.startswith("ref: ") else at


def make_series(path: Path, count: int = 3) -> list[str]:
    """Commit a series that changes one line of each file per patch; return the ids."""
    commits = []
    for number in range(1, count + 1):
        name = ("mm/huge_memory.c", "mm/memory.c")[number % 2]
        text = (path / name).read_text().replace(f"line {number * 10}\n", f"line {number * 10} changed\n")
        (path / name).write_text(text)
        message = f"mm: thp: change {number}\n\nWhy it is done, ünïcode and all."
        git(path, "commit", "--quiet", "--all", "-m", message)
        commits.append(head(path))
    return commits
