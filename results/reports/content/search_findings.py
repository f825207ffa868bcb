# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a walk, a bisection or a rerun, in the form of those of a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from results.model.bisect import ArchBisection, Ballot, Bisection, CommitNote
from results.model.rerun import Estimate, Rerun, RerunCell
from results.model.run import SEVERITY, Subject, Verdict
from results.model.walk import ArchColumn, Fault, FaultKind, PatchResult, Walk
from results.reports.content import wording
from results.reports.content.finding import Finding, FindingKind, reproducing
from results.text import abbrev
from results.walk.verdict import own_faults

_KINDS = {
    FaultKind.BUILD: FindingKind.BUILD,
    FaultKind.BOOT: FindingKind.BOOT,
    FaultKind.SPLAT: FindingKind.SPLAT,
    FaultKind.TEST: FindingKind.TEST,
    FaultKind.MEASURE: FindingKind.MEASURE,
    FaultKind.WARNING: FindingKind.WARNING,
}
_LOOKS = {FaultKind.BUILD, FaultKind.WARNING}
"""Shown by a build alone."""


def walk_findings(walk: Walk) -> list[Finding]:
    """Faults of the patches that introduced them, by patch, then by architecture."""
    found = [
        (step.number, _of_fault(walk, column, step, fault))
        for column in walk.columns
        for step in column.steps
        for fault in own_faults(step)
    ]
    return [finding for _, finding in sorted(found, key=lambda pair: pair[0])]


def _of_fault(walk: Walk, column: ArchColumn, step: PatchResult, fault: Fault) -> Finding:
    cell = f"{column.arch}/{f'patch/{step.number}' if step.number else 'base'}"
    test = fault.name if fault.kind in (FaultKind.TEST, FaultKind.MEASURE) else ""
    return Finding(
        kind=_KINDS.get(fault.kind, FindingKind.PATCH),
        verdict=Verdict.REGRESSION,
        arch=column.arch,
        name=fault.name or str(fault.kind),
        title=fault.text,
        introduced=introduced(walk.subject, fault),
        log=fault.log,
        lines=fault.lines,
        said=tuple(_error(step)) if fault.kind is FaultKind.BUILD else (),
        command=reproducing(walk.id, cell, test, boots=fault.kind not in _LOOKS),
        patch=step.number,
    )


def _error(step: PatchResult) -> Iterator[str]:
    yield from (line for line in (step.build.error if step.build else "").splitlines() if line.strip())


def introduced(subject: Subject, fault: Fault) -> str:
    """Name the patch that introduced a fault, and its author: `patch 3, SUBJECT, by AUTHOR`."""
    patch = next((patch for patch in subject.patches if patch.number == fault.since), None)
    certain = fault.after >= fault.since - 1
    title = f", {patch.subject}" if patch and certain else ""
    author = f", by {subject.letter.author}" if subject.letter and subject.letter.author else ""
    return f"{fault.culprit}{title}{author}"


def bisection_findings(bisection: Bisection) -> list[Finding]:
    """The culprit of each architecture that has one."""
    return [
        _of_culprit(bisection, arch, arch.culprit) for arch in bisection.arches if arch.culprit is not None
    ]


def _of_culprit(bisection: Bisection, arch: ArchBisection, culprit: CommitNote) -> Finding:
    votes = (vote for look in arch.looks if look.commit.id == culprit.id for vote in look.votes)
    vote = next((vote for vote in votes if vote.ballot is Ballot.BAD), None)
    sure = f", certain to {wording.percent(arch.certainty)}" if arch.certainty is not None else ""
    return Finding(
        kind=FindingKind.COMMIT,
        verdict=Verdict.REGRESSION,
        arch=arch.arch,
        name=bisection.until,
        title=bisection.until,
        reason=vote.words if vote else "",
        rate=f"{arch.rate.words} of the bad commit" if arch.rate.boots else "",
        introduced=f"{abbrev(culprit.id)} {culprit.subject}, by {culprit.author}{sure}",
        log=vote.log if vote else "",
        lines=vote.lines if vote else None,
        command=narrowed_command(bisection, [arch]),
    )


def narrowed_command(bisection: Bisection, arches: Sequence[ArchBisection]) -> str:
    """The command that asks the same of the culprit and the commit before it only."""
    culprit = arches[0].culprit
    assert culprit
    good = arches[0].before or bisection.good
    skipped = {"--good", "--bad", "--arch"}
    words: list[str] = []
    rest = iter(bisection.command)
    for word in rest:
        if word in skipped:
            next(rest, None)
        elif word.partition("=")[0] not in skipped and word not in ("--json", "-q", "--quiet"):
            words.append(word)
    for arch in arches:
        words += ["--arch", arch.arch]
    return shlex.join((*words, "--good", _option(good), "--bad", _option(culprit)))


def _option(commit: CommitNote) -> str:
    kind, _, name = commit.name.partition("/")
    return name if kind == "patch" else abbrev(commit.id)


def rerun_findings(rerun: Rerun) -> list[Finding]:
    """Everything that went wrong or came to nothing at least once in the boots of a rerun, worst first."""
    found = [finding for cell in rerun.cells for finding in _of_kernel(rerun, cell)]
    return sorted(found, key=lambda finding: -SEVERITY[finding.verdict])


def _of_kernel(rerun: Rerun, cell: RerunCell) -> Iterator[Finding]:
    where = f"{cell.arch}/{cell.variant}"
    command = reproducing(rerun.run, where, times=rerun.times)
    if cell.died and cell.dying:
        yield Finding(
            FindingKind.BOOT, Verdict.REGRESSION, where, "died", "the guest dies",
            reason=_boots(cell.died), rate=_rate(len(cell.died), cell.boots, "boot", cell.dying),
            command=command,
        )  # fmt: skip
    for splat in cell.splats:
        yield Finding(
            FindingKind.SPLAT, Verdict.REGRESSION, where, splat.signature, splat.title,
            reason=_boots(splat.boots), rate=_rate(len(splat.boots), cell.boots, "boot", splat.coming),
            said=splat.example.excerpt, command=command,
        )  # fmt: skip
    for test in cell.tests:
        if test.reasons:
            why = "; ".join(f"{count} × {reason}" for reason, count in test.reasons.items())
            runs = test.failed + test.passed
            yield Finding(
                FindingKind.TEST,
                Verdict.REGRESSION if test.failed else Verdict.NOT_EXERCISED,
                where,
                test.name,
                f"{test.name} {'fails' if test.failed else 'is not exercised'}",
                reason="; ".join(filter(None, (why, _boots(test.boots)))),
                rate=_rate(test.failed, runs, "run", test.failing) if test.failing else "",
                command=reproducing(rerun.run, where, test.name, times=rerun.times),
            )


def _rate(number: int, total: int, noun: str, estimate: Estimate) -> str:
    return f"{number} of {wording.count(total, noun)}, {interval(estimate)}"


def interval(rate: Estimate) -> str:
    """`33.3 % (7.5 % to 70.1 %)`."""
    return "{} ({} to {})".format(*map(wording.percent, (rate.seen, rate.low, rate.high)))


def _boots(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"logs: {', '.join(names[:shown])}{more}" if names else ""
