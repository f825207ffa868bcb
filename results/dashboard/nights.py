# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a night, from its document; of a folder that is gone, from what the store kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from results.compare.reason import VERBS
from results.dashboard.history import Line, Row
from results.dashboard.wordings import searches_of
from results.model.document import ResultsError
from results.model.run import SEVERITY, LineRange, Run, Verdict
from results.reports.content import wording
from results.reports.content.finding import Finding, FindingKind
from results.reports.content.findings import BAD, findings
from results.reports.content.folds import Fold, folds
from results.store.folder import read_document
from results.store.trends import Night
from results.text import abbrev

Searches = Sequence[tuple[Row, Sequence[Row]]]
MOST_FINDINGS = 500
"""Findings of a series and tree that have a page: those that were seen last."""


@dataclass(frozen=True, slots=True)
class NightReport:
    """What one night found, in the form of all reports."""

    found: Sequence[Finding]
    folded: Sequence[Fold]
    folder: Path


@dataclass(frozen=True, slots=True)
class FindingHistory:
    """One finding over the nights, whatever the architecture."""

    page: str
    """Its identity (`Finding.page`)."""
    by_arch: Mapping[str, Mapping[int, Finding]]
    """By architecture, then by the key of the night, oldest first."""
    nights: Sequence[Night]
    """In which any architecture had it, oldest first."""

    @property
    def latest(self) -> Finding:
        """The worst of the last night that had it."""
        return self.of(self.nights[-1])[0]

    def of(self, night: Night) -> list[Finding]:
        """Return what a night found of it, the worst first."""
        found = [seen[night.key] for seen in self.by_arch.values() if night.key in seen]
        return sorted(found, key=lambda one: -SEVERITY[one.verdict])

    @property
    def introduced(self) -> str:
        """The first bad patch, as far as any night knows it; the latest answer."""
        words = (one.introduced for night in reversed(self.nights) for one in self.of(night))
        return next(filter(None, words), "")


def histories_of(line: Line, reports: Mapping[int, NightReport]) -> dict[str, FindingHistory]:
    """Follow each finding through the nights; by page, those seen last first, the worst of a night first.

    `reports` are those of all nights, by their keys.
    """
    seen: dict[str, dict[str, dict[int, Finding]]] = {}
    nights: dict[str, list[Night]] = {}
    for night in line.nights:
        for one in reports[night.key].found:
            seen.setdefault(one.page, {}).setdefault(one.arch, {})[night.key] = one
            if night not in nights.setdefault(one.page, [])[-1:]:
                nights[one.page].append(night)
    found = [FindingHistory(page, by_arch, nights[page]) for page, by_arch in seen.items()]
    found.sort(key=lambda one: (one.nights[-1].at, SEVERITY[one.latest.verdict]), reverse=True)
    return {one.page: one for one in found[:MOST_FINDINGS]}


def report_of(line: Line, night: Night, searches: Searches) -> NightReport:
    """Return the findings of a night, worst first, with the patch that a walk or bisection found."""
    folder = Path(line.runs[night.key].path)
    with suppress(OSError, ResultsError):
        run = read_document(Run, folder)
        found = [_introduced(line, finding, searches) for finding in findings(run)]
        return NightReport(found, folds(run), folder)
    found = [_introduced(line, finding, searches) for finding in _from_rows(line, night)]
    return NightReport(sorted(found, key=lambda one: -SEVERITY[one.verdict]), (), folder)


def _introduced(line: Line, finding: Finding, searches: Searches) -> Finding:
    """Add the commit that a search of the same series found for the same thing."""
    if finding.introduced:
        return finding
    names = {folder.id for folder in searches_of(line, searches)}
    named = re.compile(rf"(?<![\w.-]){re.escape(finding.name)}(?![\w-]|\.\w)")
    for folder, rows in searches:
        for row in rows if folder.id in names and folder.kind in ("walk", "bisect") else ():
            if row.arch == finding.arch and named.search(f"{row.words} {folder.headline}"):
                commit = f"{abbrev(row.commit_id)} {row.commit_subject}".strip()
                return replace(finding, introduced=f"{commit or row.words} ({folder.kind} {folder.name})")
    return finding


def _from_rows(line: Line, night: Night) -> list[Finding]:
    """Return what the store kept of a night; a reason for each architecture of which it kept nothing else."""
    found = [
        Finding(
            FindingKind.SPLAT, Verdict(row.verdict), row.arch, row.signature, row.title,
            rate=f"{row.series_boots} boots with the series, {row.base_boots} of base", log=row.log,
            lines=_lines(row.line), said=tuple(row.excerpt.split("\n")) if row.excerpt else (),
        )
        for row in line.splats
        if row.folder == night.key and row.verdict in BAD
    ]  # fmt: skip
    for (name, arch), rows in line.tests.items():
        test = rows.get(night.key)
        if test and test.verdict in BAD:
            found.append(_of_test(name, arch, test))
    for arch, rows in line.arch_rows.items():
        row = rows.get(night.key)
        if row and row.new_warnings:
            title = wording.count(row.new_warnings, "new compiler warning")
            found.append(
                Finding(
                    FindingKind.WARNING, Verdict.REGRESSION, arch, "warnings", title, log=row.build_log
                )
            )  # fmt: skip
        if row and row.verdict in BAD and not any(one.arch == arch for one in found):
            title = row.reasons or row.verdict
            found.append(Finding(FindingKind.OTHER, Verdict(row.verdict), arch, arch, title, log=row.log))
    return found


def _of_test(name: str, arch: str, row: Row) -> Finding:
    verdict = Verdict(row.verdict)
    sides = (
        (row.series_failures, row.series_runs, "with the series"),
        (row.base_failures, row.base_runs, "on base"),
    )
    rates = [f"{bad} of {wording.count(runs, 'run')} {where}" for bad, runs, where in sides if runs]
    return Finding(
        FindingKind.TEST, verdict, arch, name, f"{name} {VERBS[verdict][0]}", reason=row.reason,
        rate=", ".join(rates), log=row.series_log, lines=_lines(row.series_line), excused=row.known,
    )  # fmt: skip


def _lines(first: int | None) -> LineRange | None:
    return LineRange(first, first) if first else None
