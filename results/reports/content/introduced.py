# SPDX-License-Identifier: GPL-2.0-only
"""The first bad patch of a run's findings, from walks and bisections of the same patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from results.bisect.predicate import (
    NotBooting,
    NotBuilding,
    Predicate,
    PredicateError,
    SplatSeen,
    TestFails,
    Vocabulary,
    WarningSeen,
    parse,
)
from results.model.bisect import Bisection
from results.model.document import DOCUMENTS, kind_of
from results.model.run import CompilerWarning, Run, Subject, Verdict
from results.model.walk import Fault, FaultKind, Walk
from results.reports.content.finding import Finding, FindingKind
from results.reports.content.findings import findings
from results.reports.content.search_findings import bisection_findings, introduced
from results.walk.verdict import own_faults

Search = Walk | Bisection


def introductions(run: Run, searches: Sequence[Search]) -> dict[str, str]:
    """Return the first bad patch of each finding that one of the searches explains, by its address.

    The searches come latest first. One of another version of the series counts as long as the patch that it
    found is still the same.
    """
    known = replace(run, introduced={})
    told = {
        finding.address: next(_explanations(run, finding, searches), "")
        for finding in findings(known)
        if finding.verdict in (Verdict.REGRESSION, Verdict.FLAKY)
    }
    return {address: words for address, words in told.items() if words}


def _explanations(run: Run, finding: Finding, searches: Sequence[Search]) -> Iterator[str]:
    for search in searches:
        if (search.subject.tree, search.subject.series) == (run.subject.tree, run.subject.series):
            found = _in_walk if isinstance(search, Walk) else _in_bisection
            for words in found(run, finding, search):
                yield f"{words} ({DOCUMENTS[kind_of(search)].noun} {search.id})"


def _in_walk(run: Run, finding: Finding, walk: Search) -> Iterator[str]:
    assert isinstance(walk, Walk)
    warnings = [each for arch in run.arches if arch.arch == finding.arch for each in arch.new_warnings]
    faults = (
        fault
        for column in walk.columns
        if column.arch == finding.arch
        for step in column.steps
        for fault in own_faults(step)
    )
    for fault in faults:
        suspects = range(fault.after + 1, fault.since + 1)
        if _is_same(finding, fault, warnings) and _are_same(run.subject, walk.subject, suspects):
            yield introduced(walk.subject, fault)


def _is_same(finding: Finding, fault: Fault, warnings: Sequence[CompilerWarning]) -> bool:
    match fault.kind:
        case FaultKind.TEST | FaultKind.MEASURE | FaultKind.SPLAT:
            return (finding.kind, finding.name) == (FindingKind(fault.kind.value), fault.name)
        case FaultKind.BUILD:
            return (finding.kind, finding.name) == (FindingKind.BUILD, "build series")
        case FaultKind.BOOT:
            return finding.kind is FindingKind.BOOT and finding.name.startswith("boot series ")
        case FaultKind.WARNING:
            names = [f"{each.file} {each.flag} {each.text}" for each in warnings]
            return finding.kind is FindingKind.WARNING and fault.name in names
        case FaultKind.OTHER:
            return False


def _are_same(subject: Subject, searched: Subject, numbers: range) -> bool:
    """Tell whether the searched patches of these numbers are in the series, unchanged."""
    ids = {patch.patch_id for patch in subject.patches if patch.patch_id}
    suspects = [patch.patch_id for patch in searched.patches if patch.number in numbers]
    return len(suspects) == len(numbers) and ids.issuperset(suspects)


def _in_bisection(run: Run, finding: Finding, bisection: Search) -> Iterator[str]:
    assert isinstance(bisection, Bisection)
    tests = tuple(test.name for test in run.planned)
    try:
        sought = parse(bisection.until, Vocabulary(tests))
    except PredicateError:  # of a test that this run does not have
        return
    for found in bisection_findings(bisection):
        culprit = next(arch.culprit for arch in bisection.arches if arch.arch == found.arch)
        kind, _, number = culprit.name.partition("/") if culprit else ("", "", "")
        if kind != "patch" or found.arch != finding.arch or not _shows(finding, sought):
            continue
        if _are_same(run.subject, bisection.subject, range(int(number), int(number) + 1)):
            yield f"patch {number}, {found.introduced}"


def _shows(finding: Finding, sought: Predicate) -> bool:
    match sought:
        case TestFails(tests):
            return finding.kind is FindingKind.TEST and fnmatchcase(finding.name, tests)
        case SplatSeen():
            return finding.kind is FindingKind.SPLAT and sought.matches(finding.name)
        case NotBuilding():
            return (finding.kind, finding.name) == (FindingKind.BUILD, "build series")
        case NotBooting():
            return finding.kind is FindingKind.BOOT and finding.name.startswith("boot series ")
        case WarningSeen(file):
            return finding.kind is FindingKind.WARNING and file in finding.reason
        case _:
            return False
