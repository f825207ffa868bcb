# SPDX-License-Identifier: GPL-2.0-only
"""`configs/known-failures.yaml`: tests that fail whatever the series, where, why, and until when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from harness.config.arch import ArchRecord
from harness.config.catalogue import Folders, files, load, load_all, record_folders
from harness.config.record import Items, Record
from harness.config.series import TreeRecord
from harness.core.errors import UsageError, did_you_mean
from results.model.run import KnownFailure

FILE = "known-failures.yaml"
ALL = "all"


def _day(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError("must be a date like 2027-03-31")
    date.fromisoformat(text)
    return text


class FailureEntry(Record):
    """Tests that are known to fail."""

    test: str = Field(min_length=1)
    """A name, or a shell pattern (`mm.ksm*`)."""
    arch: str
    """A name of `configs/arches`, a mode of one, or `all`."""
    tree: str
    """A name of `configs/trees`, or `all`."""
    reason: str = Field(pattern=r"\S")
    expires: Annotated[str, AfterValidator(_day)]
    """The last day on which it counts."""
    subtests: Items[str] = ()
    """Results of the test that may fail: paths (`parent/child`), or shell patterns of them."""
    says: str = ""
    """A regular expression: a failure counts as known if its reason has this."""

    @model_validator(mode="after")
    def _names_what_fails(self) -> FailureEntry:
        if not self.subtests and not self.says:
            raise ValueError("needs `subtests` (which results may fail) or `says` (for what reason)")
        try:
            re.compile(self.says)
        except re.error as error:
            raise ValueError(f"says: no regular expression: {error}") from None
        return self


class FailureList(Record):
    """All of them."""

    failures: Items[FailureEntry]


def read_known_failures(
    tree: str, arches: Sequence[ArchRecord], folders: Folders = None
) -> tuple[KnownFailure, ...]:
    """Read the entries for a tree, from the lists in all folders: one for each architecture.

    Raises:
        UsageError: naming file and line or entry, if one is wrong, whatever tree it is for.
    """
    paths = [path for folder in folders or record_folders() if (path := folder / FILE).exists()]
    lists = {path: load(path, FailureList).failures for path in paths}
    known = load_all(ArchRecord, folders) if paths else {}
    names = {name: {name, *(mode.name for mode in arch.in_modes())} for name, arch in known.items()}
    names |= {mode: {mode} for modes in names.values() for mode in modes if mode not in names}
    trees = files(TreeRecord.KIND, folders=folders)
    for path, entries in lists.items():
        for number, entry in enumerate(entries, 1):
            where = f"{path}: entry {number} ({entry.test})"
            _require(f"{where}: unknown architecture", entry.arch, names)
            _require(f"{where}: unknown tree", entry.tree, trees)
    return tuple(
        KnownFailure(arch.name, entry.test, entry.reason, entry.expires, entry.subtests, entry.says)
        for entries in lists.values()
        for entry in entries
        for arch in arches
        if entry.tree in (tree, ALL) and _is_about(entry, arch, names)
    )


def _require(message: str, name: str, known: Iterable[str]) -> None:
    known = (*known, ALL)
    if name not in known:
        raise UsageError(
            f"{message} '{name}'.{did_you_mean(name, known)}", hint=f"Known: {', '.join(known)}."
        )


def _is_about(entry: FailureEntry, arch: ArchRecord, names: Mapping[str, set[str]]) -> bool:
    return entry.arch == ALL or arch.plain_name in names[entry.arch]
