# SPDX-License-Identifier: GPL-2.0-only
"""A directory of patches: which of its files, in which order.

The order is that of a `series` file, as quilt(1) and `stg export` write it, or else the natural one
of the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.sources.series.mail.mbox import SeriesError
from results.text import join

_DIFF = re.compile(rb"^(?:diff --git |Index: |--- \S.*\n\+\+\+ )", re.MULTILINE)
_COVER = re.compile(rb"^Subject:.*(?:\n[ \t].*)*?\b0+/\d+", re.MULTILINE | re.IGNORECASE)
_SUBJECT = re.compile(rb"^Subject:(.{0,999}(?:\n[ \t].{0,999}){0,9})", re.MULTILINE | re.IGNORECASE)
_BRACKETS = re.compile(rb"\[([^\]]*)\]")
_STG_BASE = re.compile(r"^# This series applies on GIT commit ([0-9a-f]{40})", re.MULTILINE)
_BACKUPS = ("~", ".orig", ".rej", ".bak", ".swp")
_MOST_NAMES = 8
_COMPRESSED = b"\x1f\x8b"
_SERIES = "series"


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The files of a series, in order, and the notes about those that are left out."""

    files: tuple[tuple[str, bytes], ...]
    """Path and content."""
    notes: tuple[str, ...]
    is_listed: bool
    """A `series` file gives the order."""
    base: str = ""
    """The commit that the series was exported from, if the `series` file names one."""


def read_folder(folder: Path, read: Callable[[Path], bytes]) -> FolderFiles:
    """Choose the files of a directory.

    Raises:
        SeriesError: if there is no patch among them, or the `series` file asks for what can't be done.
    """
    listing = folder / _SERIES
    if listing.is_file() and not _DIFF.search(read(listing)):
        return _listed(folder, listing, read)
    maildir = [folder / name for name in ("cur", "new") if (folder / name).is_dir()]
    paths = [path for place in maildir or [folder] for path in place.iterdir()]
    files: list[tuple[str, bytes]] = []
    left_out: list[str] = []
    for path in sorted(paths, key=lambda path: natural(path.name)):
        if path.name.startswith("."):
            continue
        content = read(path) if path.is_file() and not path.name.endswith(_BACKUPS) else b""
        if _is_part(content):
            files.append((str(path), content))
        else:
            left_out.append(path.name + ("/" if path.is_dir() else ""))
    if not files:
        raise SeriesError(
            f"the directory {folder} holds no patch: none of its {len(left_out)} files has a diff",
            hint="Make them with `git format-patch -o DIR BASE..TIP`.",
        )
    notes = (f"left out {_names(left_out)} of {folder}: no diff in it",) if left_out else ()
    return FolderFiles(tuple(files), notes, is_listed=False)


def _is_part(content: bytes) -> bool:
    """Whether a file holds a patch, or a cover letter; a numbered patch without its diff is missed later."""
    return bool(
        content.startswith(_COMPRESSED)
        or content[:2] in (b"\xff\xfe", b"\xfe\xff")
        or _DIFF.search(content.replace(b"\r\n", b"\n"))
        or _COVER.search(content)
        or any(map(_is_numbered, _SUBJECT.findall(content)))
        or re.search(rb"^Content-Transfer-Encoding: *base64", content, re.MULTILINE | re.IGNORECASE)
        or re.search(rb"^GIT binary patch", content, re.MULTILINE)
    )


def _is_numbered(subject: bytes) -> bool:
    return any(re.search(rb"\d/\d", prefix) for prefix in _BRACKETS.findall(subject))


def natural(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """A key that sorts `9-x` before `10-x`, whatever the case of the letters."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part), name


def _listed(folder: Path, listing: Path, read: Callable[[Path], bytes]) -> FolderFiles:
    text = read(listing).decode("utf-8", errors="replace").lstrip("\ufeff")
    files: list[tuple[str, bytes]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#"):
            continue
        name, *options = words
        if bad := [option for option in options if option not in ("-p1", "-p", "1")]:
            raise SeriesError(
                f"{listing}:{number}: {name} has the option {' '.join(bad)}; only -p1 is possible",
                hint="Refresh the patch with `quilt refresh -p1`.",
            )
        path = _find(folder, name)
        if path is None:
            raise SeriesError(
                f"{listing}:{number}: there is no patch {name}",
                hint="Comment the line out, or put the file there.",
            )
        files.append((str(path), read(path)))
    if not files:
        raise SeriesError(f"{listing} names no patch", hint="Is every line commented out?")
    base = _STG_BASE.search(text)
    return FolderFiles(tuple(files), _unlisted(folder, listing, text, files), True, base[1] if base else "")


def _find(folder: Path, name: str) -> Path | None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return None
    candidates = (folder / name, folder / f"{name}.patch", folder / f"{name}.diff")
    return next((path for path in candidates if path.is_file()), None)


def _unlisted(folder: Path, listing: Path, text: str, files: list[tuple[str, bytes]]) -> tuple[str, ...]:
    taken = {Path(path).name for path, _ in files}
    out = [line.lstrip("# \t").split()[0] for line in text.splitlines() if re.match(r"#+\s*\S", line)]
    commented = [name for name in out if _find(folder, name) and name not in taken]
    others = sorted(
        (path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")),
        key=natural,
    )
    unnamed = [name for name in others if name not in (*taken, *commented, listing.name)]
    notes = [f"the order is that of {listing}"]
    if commented:
        notes.append(f"left out {_names(commented)}: commented out in {listing}")
    if unnamed:
        notes.append(f"left out {_names(unnamed)} of {folder}: not named in {listing}")
    return tuple(notes)


def _names(names: list[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more files"
    return join(names)
