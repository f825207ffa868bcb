# SPDX-License-Identifier: GPL-2.0-only
"""README, CONTRIBUTING, CHANGELOG and docs/: their lines, links and paths, and the commands named there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli.main import main

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_LINE = 110
PATH = re.compile(r"(?<![\w./~$-])(?:harness|results|configs|kselftest_wrappers|tests|ci|docs)/[\w./*-]*")
PLACEHOLDER = re.compile(r"\b(?:NAME|ROOM|ARCH)\b")
"""A word that stands for any file."""
LINK = re.compile(r"\]\(([^)\s]+)\)")

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Give the numbered lines of a document outside of fenced blocks."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(path: Path) -> set[str]:
    """Give the anchors of a document as GitHub makes them of its headings."""
    headings = (line.lstrip("# ").lower() for _, line in prose(path) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def test_there_are_documents() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "architecture.md"} <= {
        path.name for path in DOCUMENTS
    }


@documents
def test_lines_fit_an_editor(path: Path) -> None:
    """A row of a table and the address of a link can't be wrapped; prose can."""
    long = [
        (number, len(line))
        for number, line in prose(path)
        if len(LINK.sub("](…)", line)) > LONGEST_LINE and not line.startswith("|")
    ]
    assert long == []


@documents
def test_every_link_leads_to_something(path: Path) -> None:
    for number, line in prose(path):
        for target in LINK.findall(line):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = path.parent / name if name else path
            assert file.exists(), f"{path.name}:{number}: {target}"
            assert not anchor or anchor in anchors(file), f"{path.name}:{number}: {target}"


@documents
def test_every_path_is_in_the_tree(path: Path) -> None:
    """Globs and placeholders stand for at least one file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for name in PATH.findall(line):
            pattern = PLACEHOLDER.sub("*", name.rstrip("."))
            assert any(ROOT.glob(pattern)), f"{path.name}:{number}: {name}"


def test_every_proof_of_a_verdict_is_a_test() -> None:
    """docs/verdict.md names the test of each rule."""
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", (ROOT / "docs" / "verdict.md").read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    assert len(named) > 20
    assert named <= defined, named - defined


def commands(group: click.Group, words: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group) and name != "export":
            yield from commands(command, f"{words} {name}")
        elif not command.hidden:
            yield f"{words} {name}"


def test_the_readme_has_every_command() -> None:
    rows = [line.split("|")[1] for _, line in prose(ROOT / "README.md") if line.startswith("| `thp-harness")]
    named = set[str]()
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row)
        words = re.findall(r"[a-z-]+", first)
        named |= {" ".join(words), *(" ".join([*words[:-1], other.split()[0]]) for other in others)}
    assert set(commands(main, "thp-harness")) == named
