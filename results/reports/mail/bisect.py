# SPDX-License-Identifier: GPL-2.0-only
"""The mail that tells the author of a commit what a bisection found; text of 72 columns."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from results.bisect.report import name_of
from results.model.bisect import ArchBisection, Ballot, Bisection, CommitNote, CommitResult, Mark
from results.reports.content import wording
from results.reports.content.search_findings import narrowed_command
from results.reports.mail.text import greeting, header, mail, wrapped
from results.text import abbrev, join


def mails(bisection: Bisection) -> str:
    """Write one mail for each culprit; without one, a mail of the findings."""
    culprits: dict[str, list[ArchBisection]] = {}
    for arch in bisection.arches:
        if arch.culprit:
            culprits.setdefault(arch.culprit.id, []).append(arch)
    if not culprits:
        return wrapped(bisection.headline) + "\n"
    return "\n\n".join(_mail(bisection, same) for same in culprits.values())


def _mail(bisection: Bisection, arches: Sequence[ArchBisection]) -> str:
    culprit = arches[0].culprit
    assert culprit
    parts = [
        greeting(culprit.author),
        wrapped(
            f"a bisection for `{bisection.until}` on {join(arch.arch for arch in arches)} "
            f"ends at your commit:"
        ),
        _commit(bisection, culprit),
        *(_evidence(bisection, arch) for arch in arches),
        "git bisect log:\n\n" + "\n".join(map(wording.visible, arches[0].git_log.splitlines())),
        "\n".join(_reproduction(bisection, arches)),
    ]
    if culprit.name.startswith("commit/"):
        parts.append(f'Fixes: {abbrev(culprit.id)} ("{wording.visible(culprit.subject)}")')
    return mail(_header(bisection, arches, culprit), "\n\n".join(parts)) + "\n"


def _header(bisection: Bisection, arches: Sequence[ArchBisection], culprit: CommitNote) -> str:
    where = join(arch.arch for arch in arches)
    subject = f"[REGRESSION] {culprit.subject}: {bisection.until} on {where}"
    return header(culprit.author, arches[0].mentioned, subject)


def _commit(bisection: Bisection, culprit: CommitNote) -> str:
    subject = bisection.subject
    lines = [f"  {abbrev(culprit.id)} {wording.visible(culprit.subject)}"]
    if culprit.name.startswith("patch/"):
        number = culprit.name.partition("/")[2]
        place = (
            f"patch {number} of {len(subject.patches)} of {wording.series_name(subject)} "
            f"on {subject.tree} {subject.tree_version} ({abbrev(subject.base_commit)}); the id is "
            "the commit that thp-harness makes of the patch"
        )
        lines.append(wrapped(place, indent="  "))
    return "\n".join(lines)


def _evidence(bisection: Bisection, arch: ArchBisection) -> str:
    """What was seen with the culprit, and with what comes before it."""
    assert arch.culprit
    judged = {look.commit.id: look for look in arch.looks}
    after = judged.get(arch.culprit.id)
    before = judged.get(arch.before.id) if arch.before else None
    lines = [f"{arch.arch}:"]
    for look in filter(None, (after, before)):
        lines.append(wrapped(f"{name_of(look.commit)} is {look.words}", indent="  "))
        lines += _telling(look)
    if arch.certainty is not None:
        words = f"All boots together make this commit the culprit with {wording.percent(arch.certainty)}."
        lines.append(wrapped(words, indent="  "))
    return "\n".join(lines)


def _telling(look: CommitResult) -> list[str]:
    wanted = Ballot.BAD if look.mark is Mark.BAD else Ballot.GOOD
    vote = next((vote for vote in look.votes if vote.ballot is wanted), None)
    if vote is None:
        return []
    return [f"    {wording.visible(vote.words)}", f"    ({wording.place(vote.log, vote.lines)})"]


def _reproduction(bisection: Bisection, arches: Sequence[ArchBisection]) -> Iterator[str]:
    """Commands: they are not wrapped."""
    yield "How to reproduce:"
    yield ""
    yield f"  {narrowed_command(bisection, arches)}"
    culprit = arches[0].culprit
    for arch in arches:
        look = next((look for look in arch.looks if culprit and look.commit.id == culprit.id), None)
        if look and look.build:
            yield f"\nor by hand, on {arch.arch}:\n"
            yield from (f"  {command}" for command in look.build.commands)
            if look.boots:
                yield f"  {shlex.join(look.boots[0].command)}"
