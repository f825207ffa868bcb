# SPDX-License-Identifier: GPL-2.0-only
"""The C code that a series changes: its lines with the patch of each, and the objects that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.sources.git.repository import GitError, Repository
from harness.sources.series.changes import FileChange, read_changes
from harness.sources.series.diff import Hunk, parse_diff
from harness.sources.series.guards import Guard
from results.model.reached import ChangedFile, DiffRow

_CODE = (".c", ".h")
MOST_OBJECTS = 200
"""With more, only those of changed .c files get counters: each is a variable on make's command line."""
_CONTEXT = 3
_BLAMED = re.compile(r"([0-9a-f]{40,64}) [0-9]+ ([0-9]+)")
_INLINE = re.compile(r"^(?:static|extern|__always_inline|inline)\b.*?\b(\w+)\(")


@dataclass(frozen=True, slots=True)
class ChangedCode:
    """What to measure of a series."""

    files: tuple[ChangedFile, ...] = ()
    objects: tuple[str, ...] = ()
    """Those of the changed .c files, and those that use a changed inline function: `mm/memory.o`, …"""
    guards: Mapping[str, Mapping[int, tuple[Guard, ...]]] = field(default_factory=dict)
    """Path → added line → conditions under which it is compiled."""


def read_changed_code(
    mirror: Repository, base: str, tip: str, patches: Sequence[str], is_inert: Callable[[str], bool]
) -> ChangedCode:
    """Read the difference of two commits; `patches` are the commits between, by number from 1.

    Files that `is_inert` names are in no kernel.

    Raises:
        GitError: for unknown commits.
    """
    changes = read_changes(mirror, base, tip)
    code = [file for file in changes.files if _is_code(file) and not is_inert(file.path)]
    numbers = {commit: number for number, commit in enumerate(patches, start=1)}
    hunks = _read_hunks(mirror, base, tip, [file.path for file in code])
    return ChangedCode(
        files=tuple(
            ChangedFile(file.path, _rows(hunks[file.path], _blame(mirror, base, tip, file.path, numbers)))
            for file in code
            if file.path in hunks
        ),
        objects=_objects(mirror, tip, code),
        guards={file.path: _guards(file) for file in code},
    )


def _is_code(file: FileChange) -> bool:
    return file.path.endswith(_CODE) and file.after is not None and bool(file.added)


def _guards(file: FileChange) -> dict[int, tuple[Guard, ...]]:
    return {line.number: (*file.guards, *line.guards) for line in file.added}


def _read_hunks(mirror: Repository, base: str, tip: str, paths: Sequence[str]) -> dict[str, list[Hunk]]:
    if not paths:
        return {}
    options = ("-r", "-p", f"-U{_CONTEXT}", "--no-renames", "--full-index", "--no-ext-diff", "--no-textconv")
    said = mirror.run_bytes("diff-tree", *options, base, tip, "--", *paths)
    return {diff.new: diff.hunks for diff in parse_diff(said.decode(errors="replace"))}


def _rows(hunks: Iterable[Hunk], patches: Mapping[int, int]) -> tuple[tuple[DiffRow, ...], ...]:
    return tuple(tuple(_rows_of(hunk, patches)) for hunk in hunks)


def _rows_of(hunk: Hunk, patches: Mapping[int, int]) -> Iterator[DiffRow]:
    number = hunk.new_start
    for line in hunk.lines:
        mark, text = line[:1] or " ", line[1:]
        if mark == "-":
            yield DiffRow(mark, text)
        elif mark in "+ ":
            yield DiffRow(mark, text, number, patches.get(number, 0) if mark == "+" else 0)
            number += 1


def _blame(mirror: Repository, base: str, tip: str, path: str, numbers: Mapping[str, int]) -> dict[int, int]:
    """Return the number of the patch that each line comes from; of lines older than `base` there is none."""
    said = mirror.run("blame", "-p", f"{base}..{tip}", "--", path)
    found = (match for line in said.splitlines() if (match := _BLAMED.match(line)))
    return {int(match[2]): numbers[match[1]] for match in found if match[1] in numbers}


def _objects(mirror: Repository, tip: str, code: Sequence[FileChange]) -> tuple[str, ...]:
    own = [file.path for file in code if file.path.endswith(".c")]
    inline = {name for file in code if file.path.endswith(".h") for name in _inline_functions(file)}
    users = _users(mirror, tip, sorted(inline))
    paths = dict.fromkeys((*own, *users))
    chosen = paths if len(paths) <= MOST_OBJECTS else own
    return tuple(str(PurePosixPath(path).with_suffix(".o")) for path in chosen)


def _inline_functions(file: FileChange) -> Iterator[str]:
    """Yield the functions of a header that hold added lines."""
    lines = (file.after or "").split("\n")
    for line in file.added:
        for text in reversed(lines[: line.number]):
            if text.startswith("}") and text != lines[line.number - 1]:
                break
            if found := _INLINE.match(text):
                yield found[1]
                break


def _users(mirror: Repository, tip: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    wanted = [word for name in names for word in ("-e", name)]
    try:
        said = mirror.run("grep", "-l", "-w", "-F", "-z", *wanted, tip, "--", ":(glob)**/*.c", ":!tools")
    except GitError:  # it finds nothing
        return []
    return [place.removeprefix(f"{tip}:") for place in said.split("\0") if place]
