# SPDX-License-Identifier: GPL-2.0-only
"""Remembers the warnings of every object in an O= folder over incremental builds.

While a build runs, a link names its log; so a build that was killed is read from its log the
next time. Objects of unknown history are not trusted: the folder is emptied.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.build.kernel import diagnostics
from results.model.run import CompilerWarning

RECORD = "harness-warnings.json"
RUNNING = "harness-running-log"
SOURCES = (".c", ".h", ".S")

Ledger = Mapping[str, Sequence[CompilerWarning]]


def open_ledger(objects: Path, tree: Path, log: Path) -> Ledger:
    """Warnings by object before a build that will write `log`."""
    known = _read(objects)
    link = objects / RUNNING
    if known is not None and link.is_symlink():
        known = _read_interrupted(link, tree, known)
    if known is None:
        _empty(objects)
        known = {}
        write(objects, known)
    link.unlink(missing_ok=True)
    link.symlink_to(log.resolve())
    return known


def close_ledger(objects: Path, tree: Path, known: Ledger, lines: Sequence[str]) -> list[CompilerWarning]:
    """Record what the build printed; returns all warnings, also of objects made in earlier builds."""
    merged = diagnostics.merge(known, diagnostics.warnings_by_object(lines, tree))
    places = (tree, objects)
    still = {made: [item for item in merged[made] if _has_source(item, places)] for made in sorted(merged)}
    write(objects, still)
    (objects / RUNNING).unlink(missing_ok=True)
    return [warning for warnings in still.values() for warning in warnings]


def _has_source(warning: CompilerWarning, places: Sequence[Path]) -> bool:
    """Whether the file is still there: another commit may lack it, and then nothing is compiled from it."""
    return not warning.file.endswith(SOURCES) or any((place / warning.file).exists() for place in places)


def write(objects: Path, ledger: Ledger) -> None:
    """Replace the record in one step."""
    record = {made: [asdict(warning) for warning in warnings] for made, warnings in ledger.items()}
    draft = objects / f"{RECORD}.new"
    draft.write_text(json.dumps(record))
    draft.replace(objects / RECORD)


def _read(objects: Path) -> Ledger | None:
    try:
        record = json.loads((objects / RECORD).read_text())
        return {made: [CompilerWarning(**warning) for warning in items] for made, items in record.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _read_interrupted(link: Path, tree: Path, known: Ledger) -> Ledger | None:
    try:
        lines = link.read_text(errors="replace").splitlines()
    except OSError:
        return None
    return diagnostics.merge(known, diagnostics.warnings_by_object(lines, tree))


def _empty(objects: Path) -> None:
    for child in objects.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
