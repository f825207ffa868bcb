# SPDX-License-Identifier: GPL-2.0-only
"""Unified diffs as git writes them: which files, which hunks, and whether they are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HUNK = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_GIT_HEADER = re.compile(r'diff --git (?:"a/(.+?)"|a/(.+?)) (?:"b/(.+)"|b/(.+))')
_NOTHING = "/dev/null"


@dataclass(slots=True)
class Hunk:
    """One hunk; `lines` are its lines with their first character, `missing` how many did not come."""

    old_start: int
    lines: list[str] = field(default_factory=list)
    missing: int = 0
    stopped_by: str | None = None
    """The line that can't belong to it although it is not complete; None at the end of the text."""
    new_start: int = 0


@dataclass(slots=True)
class FileDiff:
    """What a patch does to one file."""

    old: str
    new: str
    hunks: list[Hunk] = field(default_factory=list)
    binary: bool = False

    @property
    def paths(self) -> set[str]:
        """The files that it reads or writes."""
        return {self.old, self.new} - {_NOTHING}

    @property
    def removed(self) -> str | None:
        """The file that is gone afterwards: deleted or renamed."""
        return self.old if self.old not in (self.new, _NOTHING) else None


def parse_diff(text: str) -> list[FileDiff]:
    """Read every file's diff in a text that may hold anything else around them."""
    files: list[FileDiff] = []
    lines = _Lines(text.split("\n"))
    for line in lines:
        if header := _GIT_HEADER.match(line):
            files.append(FileDiff(header[1] or header[2], header[3] or header[4]))
        elif line.startswith("--- ") and (lines.ahead or "").startswith("+++ "):
            _name_file(files, line, next(lines))
        elif files and (start := _HUNK.match(line)):
            files[-1].hunks.append(_read_hunk(start, lines))
        elif files:
            _note_property(files[-1], line)
    return files


class _Lines(Iterator[str]):
    """Lines with a look at the next one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines[:-1] if lines and not lines[-1] else lines
        self._next = 0

    def __next__(self) -> str:
        if self.ahead is None:
            raise StopIteration
        self._next += 1
        return self._lines[self._next - 1]

    @property
    def ahead(self) -> str | None:
        return self._lines[self._next] if self._next < len(self._lines) else None


def _name_file(files: list[FileDiff], old_line: str, new_line: str) -> None:
    old, new = _path(old_line), _path(new_line)
    if files and not files[-1].hunks and (files[-1].new == new or new == _NOTHING):
        files[-1].old, files[-1].new = old, new
    else:  # a diff that git did not write
        files.append(FileDiff(old, new))


def _path(line: str) -> str:
    name = line[4:].split("\t")[0].strip().strip('"')
    return name if name == _NOTHING else name.partition("/")[2] or name


def _note_property(file: FileDiff, line: str) -> None:
    if line.startswith("deleted file mode"):
        file.new = _NOTHING
    elif line.startswith("new file mode"):
        file.old = _NOTHING
    elif line.startswith(("GIT binary patch", "Binary files ")):
        file.binary = True


def _read_hunk(start: re.Match[str], lines: _Lines) -> Hunk:
    hunk = Hunk(int(start[1]), new_start=int(start[3]))
    old, new = int(start[2] or 1), int(start[4] or 1)
    while old > 0 or new > 0:
        line = lines.ahead
        mark = line[:1] if line is not None else ""
        if line is None or mark not in ("", " ", "+", "-", "\\", "\t"):
            hunk.missing, hunk.stopped_by = max(old, new), line
            break
        old -= mark not in ("+", "\\")
        new -= mark not in ("-", "\\")
        hunk.lines.append(next(lines))
    return hunk
