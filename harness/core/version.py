# SPDX-License-Identifier: GPL-2.0-only
"""Which version of the program this is: by number, by commit, and by a digest of its sources."""

from __future__ import annotations

import hashlib
import re
import subprocess
from functools import cache
from pathlib import Path

from harness import __version__
from harness.core.process import clean_environment
from harness.core.shipped import ROOT

COMMIT_FILE = "harness/core/commit.txt"
"""Holds the commit where git can't be asked: `git archive` fills it in (.gitattributes), and so does the
build of a wheel or an sdist (hatch_build.py). In a checkout it holds a placeholder."""
_SOURCES = ("harness", "results", "kselftest_wrappers")
_SUFFIXES = {".py", ".c", ".h", ".html", ".css", ".js"}
_SHOWN = 12
"""Digits of a commit or digest."""


@cache
def program_version() -> str:
    """Return the version number and a digest of the program's sources, `0.2.0+1f2e3d4c5b6a`.

    Two installations with the same value behave the same. Records of `configs/` are not part of it: a plan
    carries those that it uses.
    """
    total = hashlib.sha256()
    files = (path for folder in _SOURCES for path in (ROOT / folder).rglob("*") if _is_source(path))
    for path in sorted(files):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{total.hexdigest()[:_SHOWN]}"


def _is_source(path: Path) -> bool:
    return path.suffix in _SUFFIXES or path.name == "Makefile"


def describe() -> str:
    """Return the version for people: `0.2.0 (5fafd2b83291, modified)`.

    Where the commit is unknown, it is the digest of `program_version`.
    """
    number, _, digest = program_version().partition("+")
    return f"{number} ({commit(ROOT) or f'sources {digest}'})"


def commit(root: Path) -> str:
    """Return the commit of the sources in `root`, `, modified` if they differ from it; empty if unknown."""
    if (root / ".git").exists():  # a checkout's own: site-packages may lie within any other repository
        return _ask_git(root)
    try:
        text = (root / COMMIT_FILE).read_text(encoding="ascii").strip()
    except OSError:
        return ""
    match = re.fullmatch(rf"([0-9a-f]{{{_SHOWN}}})[0-9a-f]*(, modified)?", text)
    return f"{match[1]}{match[2] or ''}" if match else ""


def _ask_git(root: Path) -> str:
    command = ("git", "-C", str(root), "describe", "--always", "--exclude=*", f"--abbrev={_SHOWN}", "--dirty")
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=30, env=dict(clean_environment())
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    name, _, dirty = answer.stdout.strip().partition("-")
    return f"{name[:_SHOWN]}{', modified' if dirty else ''}"
