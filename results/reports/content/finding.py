# SPDX-License-Identifier: GPL-2.0-only
"""One finding, as every output shows it: what, where, how often, since which patch, proof, and a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from results.model.run import LineRange, Verdict
from results.reports.content import excerpt, wording
from results.reports.content.decisive import DECISIVE_LINES, decisive
from results.reports.content.excerpt import NumberedLines

MOST_REASON = 600
"""Characters of a reason that a report shows."""
TIMES = 5
"""Boots that a reproducing command asks for."""
MOST_PAGES = 100
"""Findings of a run that have a page."""
PAGES = "findings"
"""Folder of these pages, in the run folder."""
_LINES_READ = 400
"""Of a range of a log, from which the decisive ones are chosen."""


def reproducing(run: str, cell: str, test: str = "", *, boots: bool = True, times: int = TIMES) -> str:
    """Name the one command that shows a finding of a cell (`arm64/series`) again: boots, or a build."""
    how = ("rerun", cell, "--times", str(times)) if boots else ("repro", cell)
    return shlex.join(("thp-harness", *how, "--run", run, *(("--test", test) if test else ())))


class FindingKind(StrEnum):
    """What a finding is about; findings of one verdict are in this order."""

    BUILD = "build"
    BOOT = "boot"
    SPLAT = "splat"
    TEST = "test"
    MEASURE = "measure"
    CLAIM = "claim"
    WARNING = "warning"
    PATCH = "patch"
    COMMIT = "commit"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong on one architecture."""

    kind: FindingKind
    verdict: Verdict
    arch: str
    name: str
    """The same for the same finding in another run: the test, the signature of the splat, …"""
    title: str
    """A short sentence without the architecture: `pmd_split.mremap fails with the series`."""
    reason: str = ""
    """Why, in full; empty if the title says it all."""
    profile: str = ""
    """Configuration of the kernel."""
    rate: str = ""
    """`2 of 2 boots with the series, 0 of 1 on base`."""
    introduced: str = ""
    """The first bad patch or commit, and its author, as far as they are known."""
    log: str = ""
    """Where to read it, relative to the folder; empty if nowhere."""
    lines: LineRange | None = None
    """None of a log means its end."""
    said: tuple[str, ...] = ()
    """Decisive lines that are in no log of their own: new warnings, the first error of a compiler."""
    command: str = ""
    """Reproduces it."""
    patch: int | None = None
    """Number of the patch that introduced it, in a walk."""
    excused: str = ""
    """Why it has no part in the verdict: a known failure's reason."""

    @property
    def headline(self) -> str:
        """The title with the architecture, as the subject of a mail has it."""
        return f"{self.title} [{self.arch}]"

    @property
    def address(self) -> str:
        """Its anchor in a page: the same in each run that has this finding."""
        return "finding-" + _address(f"{self.arch}-{self.name}", self.kind, self.arch, self.name, self._patch)

    @property
    def page(self) -> str:
        """Name of its page: the same in each run and on each architecture that has this finding."""
        return _address(self.name, self.kind, self.name, self._patch)

    @property
    def _patch(self) -> str:
        return "" if self.patch is None else f"patch {self.patch}"

    @property
    def place(self) -> str:
        """Where to read it, in words."""
        return wording.place(self.log, self.lines) if self.log else ""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known beyond title and reason, by name; empty values are left out."""
        facts = (
            ("rate", self.rate),
            ("kernel", self.profile),
            ("introduced", self.introduced),
            ("known failure", self.excused),
        )
        return [(name, value) for name, value in facts if value]

    def quote(self, folder: Path, most: int = DECISIVE_LINES) -> NumberedLines:
        """Read the decisive lines, at most `most`; those that are in no log have no number."""
        if self.said:
            said = tuple((0, line) for line in self.said)
            return decisive(said, most) if self.kind is FindingKind.SPLAT else said[:most]
        if not self.log:
            return ()
        if self.lines:
            return decisive(excerpt.read_lines(folder, self.log, self.lines, _LINES_READ) or (), most)
        return decisive(excerpt.read_tail(folder, self.log, _LINES_READ) or (), most)


def by_page(found: Sequence[Finding], most: int = MOST_PAGES) -> dict[str, list[Finding]]:
    """Group findings by the page that each of the first `most` has; of the others none is returned."""
    pages: dict[str, list[Finding]] = {}
    for finding in found[:most]:
        pages.setdefault(finding.page, []).append(finding)
    return pages


def page_address(finding: Finding, url: str) -> str:
    """Address of a finding's page, where the run folder is published at a URL; or empty without one."""
    return f"{url.rstrip('/')}/{PAGES}/{finding.page}.html" if url else ""


def _address(name: str, *identity: str) -> str:
    digest = sha256("\0".join(identity).encode(errors="replace")).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60]
    return f"{readable}-{digest[:8]}"
