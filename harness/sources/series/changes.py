# SPDX-License-Identifier: GPL-2.0-only
"""The lines that a series adds and removes, from git's objects, each with the conditions that guard it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.sources.git.repository import Repository
from harness.sources.series.diff import FileDiff, parse_diff
from harness.sources.series.guards import Guard, guards_of_lines, guards_of_object, has_object

_PREPROCESSED = (".c", ".h", ".S")
_MAKEFILES = ("Kbuild", "Makefile")
_LARGEST = 4 << 20
"""Bytes of a file that is looked into."""


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line that a series adds or removes."""

    number: int
    """In the file after the series if it is added, before it if it is removed; from 1."""
    text: str
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a series does to one file, all patches together."""

    path: str
    added: tuple[ChangedLine, ...] = ()
    removed: tuple[ChangedLine, ...] = ()
    before: str | None = None
    """The file without the series; None if there is none."""
    after: str | None = None
    """The file with the series; None if there is none."""
    guards: tuple[Guard, ...] = ()
    """Conditions under which its Makefile builds it."""

    @property
    def lines(self) -> tuple[ChangedLine, ...]:
        """All changed lines."""
        return (*self.removed, *self.added)

    @property
    def all_guards(self) -> tuple[Guard, ...]:
        """The conditions of the file and of its changed lines, each once."""
        return tuple(dict.fromkeys((*self.guards, *(guard for line in self.lines for guard in line.guards))))


@dataclass(frozen=True, slots=True)
class Changes:
    """All files that differ between base and series."""

    files: tuple[FileChange, ...]
    makefiles: Mapping[str, str] = field(default_factory=dict)
    """Makefiles that may build them, by path."""
    _by_path: dict[str, FileChange] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_path.update({file.path: file for file in self.files})

    def get(self, path: str) -> FileChange | None:
        """Return what the series does to one file."""
        return self._by_path.get(path)


def read_changes(mirror: Repository, base: str, tip: str) -> Changes:
    """Read the difference of two commits of the mirror.

    Raises:
        GitError: for unknown commits.
    """
    options = ("-r", "-p", "-U0", "--no-renames", "--full-index", "--no-ext-diff", "--no-textconv")
    said = mirror.run_bytes("diff-tree", *options, base, tip)
    diffs = {path: diff for diff in parse_diff(said.decode(errors="replace")) for path in diff.paths}
    wanted = [path for path, diff in diffs.items() if not diff.binary]
    before, after = (read_files(mirror, commit, wanted) for commit in (base, tip))
    makefiles = read_files(mirror, tip, sorted(makefiles_of(wanted)))
    return Changes(
        tuple(
            _change(path, diff, before.get(path), after.get(path), makefiles) for path, diff in diffs.items()
        ),
        makefiles,
    )


def read_files(mirror: Repository, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Read files of a commit, by path; without those that it has not, or that are too large.

    Raises:
        GitError: for an unknown commit.
    """
    if not paths:
        return {}
    asked = "".join(f"{commit}:{path}\n" for path in paths).encode(errors="surrogateescape")
    said = mirror.run_bytes("cat-file", "--batch", stdin=asked)
    found: dict[str, str] = {}
    place = 0
    for path in paths:
        end = said.index(b"\n", place)
        words = said[place:end].split()
        place = end + 1
        if words[-1] == b"missing" or len(words) != 3:
            continue
        size = int(words[2])
        if words[1] == b"blob" and size <= _LARGEST:
            found[path] = said[place : place + size].decode(errors="replace")
        place += size + 1
    return found


def makefiles_of(paths: Iterable[str]) -> Iterator[str]:
    """Yield where the Makefiles may be that build some files: in their folders, and in the folders above."""
    folders = {str(PurePosixPath(path).parent) for path in paths if path.endswith(_PREPROCESSED)}
    for folder in {
        str(place) for name in folders for place in (PurePosixPath(name), PurePosixPath(name).parent)
    }:
        yield from (str(PurePosixPath(folder) / name) for name in _MAKEFILES)


def _change(
    path: str, diff: FileDiff, before: str | None, after: str | None, makefiles: Mapping[str, str]
) -> FileChange:
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    for hunk in diff.hunks:
        texts = {mark: [line[1:] for line in hunk.lines if line[:1] == mark] for mark in "-+"}
        removed += enumerate(texts["-"], hunk.old_start)
        added += enumerate(texts["+"], hunk.new_start)
    return FileChange(
        path=path,
        added=_guarded(path, added, after),
        removed=_guarded(path, removed, before),
        before=before,
        after=after,
        guards=guards_of_file(path, makefiles) or (),
    )


def _guarded(path: str, lines: Sequence[tuple[int, str]], text: str | None) -> tuple[ChangedLine, ...]:
    numbers = {number for number, _ in lines}
    guards = guards_of_lines(text, numbers) if text and path.endswith(_PREPROCESSED) else {}
    return tuple(ChangedLine(number, line, guards.get(number, ())) for number, line in lines)


def guards_of_file(path: str, makefiles: Mapping[str, str]) -> tuple[Guard, ...] | None:
    """Return the conditions under which Makefiles, by path, build a file; None if none makes it an object."""
    place = PurePosixPath(path)
    texts = [makefiles.get(str(place.parent / name), "") for name in _MAKEFILES]
    if place.suffix not in (".c", ".S") or not any(has_object(text, f"{place.stem}.o") for text in texts):
        return None
    wanted = [(place.parent.parent, f"{place.parent.name}/"), (place.parent, f"{place.stem}.o")]
    return tuple(
        guard
        for folder, name in wanted
        for makefile in _MAKEFILES
        for guard in guards_of_object(makefiles.get(str(folder / makefile), ""), name)
    )
