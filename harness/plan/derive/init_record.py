# SPDX-License-Identifier: GPL-2.0-only
"""Writes the record of a series that has none, from its diff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.config.catalogue import files, user_folder
from harness.config.series import SeriesRecord
from harness.config.suite import SuiteRecord
from harness.core.errors import InfrastructureError, UsageError
from harness.plan.derive.derive import derive
from harness.plan.derive.line import DerivedLine
from harness.plan.derive.record import SELFTESTS, write_records
from harness.plan.plan import Plan
from harness.plan.prepare import prepare

SCHEMA = "thp-harness/series-record/1"


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record that was written."""

    name: str
    """The name for --series: the file itself if it is not in the user's folder."""
    files: tuple[str, ...]
    """Paths of the record, and of its suite if there is one."""
    derived: tuple[DerivedLine, ...]


def init_record(
    plan: Plan, cache: Path, output: Path | None, force: bool, log: Callable[[str], None]
) -> WrittenRecord:
    """Write the record of a plan's series to a file, or to the user's folder.

    Raises:
        UsageError: if the series has a record, or the file exists.
        HarnessError: if the tree or the series can't be prepared.
    """
    if plan.series.in_file:
        raise UsageError(
            f"the series {plan.series.name} has a record: {plan.series.file}",
            hint="Copy it, and edit the copy.",
        )
    series = output or user_folder() / SeriesRecord.KIND / f"{plan.series.name}.yaml"
    if series.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{series}: a record ends in .yaml")
    name = series.stem
    beside = series.with_name(f"{name}{SELFTESTS}.yaml")
    suite = beside if output else user_folder() / SuiteRecord.KIND / beside.name
    checkouts = prepare(plan, cache, log)
    found = derive(plan, checkouts, cache)
    reference = f"./{beside.name}" if output else beside.stem
    texts = write_records(plan, found, checkouts.subject.series_title, name, reference)
    wanted = {{"series": series, "suite": suite}[kind]: text for kind, text in texts.items()}
    known = [] if output else [path for path in (files(SeriesRecord.KIND).get(name),) if path]
    if not force and (there := [path for path in (*wanted, *known) if path.exists()]):
        raise UsageError(f"{there[0]} exists", hint="Give another file with -o, or --force to override it.")
    for path, text in wanted.items():
        _write(path, text)
    return WrittenRecord(str(series) if output else name, tuple(map(str, wanted)), found.lines)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(f"can't write {path}: {error.strerror}") from error
