# SPDX-License-Identifier: GPL-2.0-only
"""The O= folder of an architecture and configuration: one build goes on with the objects of the last one.

make compares time stamps, so it believes an object that a killed compiler left half written, that a
power cut emptied, or that is newer than its source only because the clock was wrong. So the end of each
build writes a seal: the tree of the sources, and the size and time stamp of each file. The next build keeps
what is as the seal says, and touches the sources that differ between both trees.

An object that is not compiled again prints no warning. The seal keeps the warnings of each object too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.build.build_cache import delete
from harness.build.kernel import diagnostics
from harness.build.kernel.confine import way_out
from harness.sources.git.repository import GitError, Repository
from results.model.run import CompilerWarning

SEAL = "harness-objects.json"
KCONFIG_MARKERS = "include/config/"
"""One file for each symbol; an object depends on those of its symbols only as long as they exist
(`$(wildcard include/config/FOO)` in the .cmd files that scripts/basic/fixdep writes)."""
SOURCES = (".c", ".h", ".S")
_DOUBTFUL_NS = 10**9
"""Time stamps of files are those of the last tick, and of another clock where a disk is remote."""

Warnings = Mapping[str, Sequence[CompilerWarning]]
"""Compiler warnings by object."""
_Stamp = tuple[int, int]
"""Size in bytes, time of the last change in ns."""


@dataclass(slots=True)
class Objects:
    """A folder of objects, each made from the sources that its time stamp says."""

    folder: Path
    tree: str = ""
    """Git tree id of the sources."""
    configured_from: str = ""
    """Content address of all that .config was made from."""
    warnings: Warnings = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether a build starts from nothing."""
        return not self.tree

    def note_warnings(self, sources: Path, lines: Sequence[str]) -> tuple[CompilerWarning, ...]:
        """Add what a build printed; returns the warnings of all objects, also of earlier builds."""
        merged = diagnostics.merge(self.warnings, diagnostics.warnings_by_object(lines, sources))
        places = (sources, self.folder)
        self.warnings = {
            made: [item for item in merged[made] if _has_source(item, places)] for made in sorted(merged)
        }
        return tuple(warning for warnings in self.warnings.values() for warning in warnings)

    def seal(self, tree: str, stopped_at: int | None = None) -> None:
        """Record what the folder holds after make has ended, built from this tree.

        make removes the target of each recipe that fails. Of a recipe that a signal interrupts, it removes
        what is there when the signal comes (info make, "Interrupts"); the command may make a file after that.
        So the files of a make that was stopped, at this time in ns, count only if they are older.

        Raises:
            OSError: if the disk is full.
        """
        self.tree = tree
        newest = sys.maxsize if stopped_at is None else stopped_at - _DOUBTFUL_NS
        record = {
            "tree": tree,
            "configured_from": self.configured_from,
            "warnings": {made: [asdict(item) for item in items] for made, items in self.warnings.items()},
            "files": {name: stamp for name, stamp in _files(self.folder) if stamp[1] < newest},
        }
        draft = self.folder / f"{SEAL}.new"
        draft.write_text(json.dumps(record))
        draft.replace(self.folder / SEAL)


def open_objects(folder: Path, sources: Path, tree: str) -> Objects:
    """Return the objects that a build of `tree` may go on with; `sources` is the worktree at it.

    Files that are not as the seal says are deleted, so that make builds them again. All are, if there is
    no whole seal, if a file is newer than the clock, if kconfig's markers are not what they were, or if
    something in the folder leads out of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if way_out(folder, sources):
        return empty_objects(folder)
    try:
        seal = json.loads((folder / SEAL).read_text())
        objects = Objects(
            folder,
            seal["tree"],
            seal["configured_from"],
            {made: [CompilerWarning(**item) for item in items] for made, items in seal["warnings"].items()},
        )
        files = {name: (size, stamp) for name, (size, stamp) in seal["files"].items()}
        if _restore(folder, files) and _touch_changes(sources, objects.tree, tree):
            return objects
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return empty_objects(folder)


def empty_objects(folder: Path) -> Objects:
    """Delete all objects."""
    for child in folder.iterdir():
        delete(child)
    return Objects(folder)


def _files(folder: Path, below: str = "") -> Iterator[tuple[str, _Stamp]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path), f"{name}/")
            elif entry.is_file(follow_symlinks=False) and not name.startswith(SEAL):
                status = entry.stat()
                yield name, (status.st_size, status.st_mtime_ns)


def _restore(folder: Path, sealed: Mapping[str, _Stamp]) -> bool:
    """Delete what is not as it was sealed; False if that is not enough."""
    now = time.time_ns()
    found = dict(_files(folder))
    if any(stamp > now for _, stamp in sealed.values()):
        return False
    strange = [name for name, stamp in found.items() if sealed.get(name) != stamp]
    gone = sealed.keys() - found.keys()
    if any(name.startswith(KCONFIG_MARKERS) for name in (*strange, *gone)):
        return False
    for name in strange:
        (folder / name).unlink()
    return True


def _touch_changes(sources: Path, old: str, new: str) -> bool:
    """Make each file that differs between two trees newer than any object; False if git can't tell."""
    if old == new:
        return True
    try:
        changed = Repository(sources).run("diff-tree", "-r", "-z", "--name-only", old, new)
    except GitError:
        return False
    for name in filter(None, changed.split("\0")):
        path = sources / name
        if path.is_file() and not path.is_symlink():
            os.utime(path)
    return True


def _has_source(warning: CompilerWarning, places: Sequence[Path]) -> bool:
    """Whether the file is still there: another commit may lack it, and then nothing is compiled from it."""
    return not warning.file.endswith(SOURCES) or any((place / warning.file).exists() for place in places)
