# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a night, from its document; of a folder that is gone, from what the store kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from results.dashboard.history import Line, Row
from results.dashboard.wordings import searches_of
from results.model.document import ResultsError
from results.model.run import Run, Verdict
from results.reports.content.finding import Finding, FindingKind
from results.reports.content.findings import BAD, findings
from results.reports.content.folds import Fold, folds
from results.store.folder import read_document
from results.store.trends import Night
from results.text import abbrev

Searches = Sequence[tuple[Row, Sequence[Row]]]


@dataclass(frozen=True, slots=True)
class NightReport:
    """What one night found, in the form of all reports."""

    found: Sequence[Finding]
    folded: Sequence[Fold]
    folder: Path


def report_of(line: Line, night: Night, searches: Searches) -> NightReport:
    """Return the findings of a night, worst first, with the patch that a walk or bisection found."""
    folder = Path(line.runs[night.key].path)
    with suppress(OSError, ResultsError):
        run = read_document(Run, folder)
        found = [_introduced(line, finding, searches) for finding in findings(run)]
        return NightReport(found, folds(run), folder)
    return NightReport(list(_from_rows(line, night)), (), folder)


def _introduced(line: Line, finding: Finding, searches: Searches) -> Finding:
    """Add the commit that a search of the same series found for the same thing."""
    names = {folder.id for folder in searches_of(line, searches)}
    for folder, rows in searches:
        for row in rows if folder.id in names and folder.kind in ("walk", "bisect") else ():
            if row.arch == finding.arch and finding.name in f"{row.words} {folder.headline}":
                commit = f"{abbrev(row.commit_id)} {row.commit_subject}".strip()
                return replace(finding, introduced=f"{commit or row.words} ({folder.kind} {folder.name})")
    return finding


def _from_rows(line: Line, night: Night) -> list[Finding]:
    found = [
        Finding(
            FindingKind.SPLAT, Verdict(row.verdict), row.arch, row.signature, row.title,
            rate=f"{row.series_boots} boots with the series, {row.base_boots} of base", log=row.log,
        )
        for row in line.splats
        if row.folder == night.key and row.verdict in BAD
    ]  # fmt: skip
    for arch, rows in line.arch_rows.items():
        row = rows.get(night.key)
        if row and row.verdict in BAD and not any(one.arch == arch for one in found):
            title = row.reasons or row.verdict
            found.append(Finding(FindingKind.OTHER, Verdict(row.verdict), arch, arch, title, log=row.log))
    return found
