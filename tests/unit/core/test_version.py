# SPDX-License-Identifier: GPL-2.0-only
"""The version names the commit in a checkout, in what git archives, and where a build has written it down."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import __version__
from harness.core.shipped import CONFIGS, ROOT, WRAPPERS
from harness.core.version import COMMIT_FILE, commit, describe, program_version


def git(repository: Path, *words: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ("git", "-C", str(repository), *who, *words)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with this project's own commit file and attributes."""
    root = tmp_path / "checkout"
    for name in (COMMIT_FILE, ".gitattributes"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def test_a_checkout_is_asked_by_git(checkout: Path) -> None:
    name = git(checkout, "rev-parse", "HEAD")[:12]
    git(checkout, "tag", "-am", "a tag is no part of it", "v9")
    assert commit(checkout) == name
    (checkout / ".gitattributes").write_text("# other\n")
    assert commit(checkout) == f"{name}, modified"


def test_an_archive_carries_its_commit(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "archive", "-o", str(tmp_path / "all.tar"), "HEAD")
    with tarfile.open(tmp_path / "all.tar") as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    assert commit(tmp_path / "archive") == git(checkout, "rev-parse", "HEAD")[:12]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("5fafd2b83291\n", "5fafd2b83291"),
        ("5fafd2b83291, modified\n", "5fafd2b83291, modified"),
        ("$Format:%H$\n", ""),
        ("", ""),
    ],
)
def test_a_build_has_written_it_down(text: str, answer: str, checkout: Path, tmp_path: Path) -> None:
    installed = checkout / "venv"  # within a repository, but not that of the program
    (installed / COMMIT_FILE).parent.mkdir(parents=True)
    (installed / COMMIT_FILE).write_text(text)
    assert commit(installed) == answer


def test_neither_git_nor_a_file(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert commit(tmp_path) == ""


def test_the_number_and_the_digest() -> None:
    assert program_version().startswith(f"{__version__}+")
    assert describe().startswith(f"{__version__} (")
    assert CONFIGS.is_dir() and (WRAPPERS / "Makefile").is_file()
