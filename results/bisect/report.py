# SPDX-License-Identifier: GPL-2.0-only
"""Assembles a bisection: the culprit on each architecture, and the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from results.bisect.confidence import MOST_CLEAN, reachable
from results.bisect.predicate import Predicate, Vocabulary, is_booted, parse, tests_for
from results.bisect.vote import votes_of
from results.journal.assemble import assemble_by, head, same_image
from results.journal.journal import Event, JournalError, PlanFact, decode, is_complete, lacks_facts
from results.model.bisect import (
    ArchBisection,
    Ballot,
    Bisection,
    BisectScope,
    CommitNote,
    CommitResult,
    EndFact,
    Mark,
    Rate,
    SearchEnding,
    Vote,
)
from results.model.run import Build, Cell
from results.text import abbrev, amount, join
from results.walk.walk import boot_note, build_note

EXIT_FOUND, EXIT_WRONG_ENDS, EXIT_UNKNOWN = 0, 2, 3
_WRONG_ENDS = (SearchEnding.GOOD_IS_BAD, SearchEnding.BAD_IS_GOOD)


def name_of(commit: CommitNote) -> str:
    """Return the name of a commit: `patch 7`, or the first digits of its id."""
    kind, _, name = commit.name.partition("/")
    return f"patch {name}" if kind == "patch" else abbrev(commit.id)


def assemble_bisection(folder: Path) -> Bisection:
    """Read and judge the folder of a bisection.

    Raises:
        JournalError: if the folder is none, or one of another version.
    """
    return assemble_by(conclude_bisection, folder)


def conclude_bisection(plan: PlanFact, events: Sequence[Event], cells: Sequence[Cell]) -> Bisection:
    """Name the culprit on each architecture, and the evidence.

    Raises:
        JournalError: if the plan is not that of a bisection.
    """
    if plan.bisect is None:
        raise JournalError(f"{plan.id} is no bisection")
    complete, found = is_complete(events), [] if lacks_facts(events) else events
    ends = {fact.arch: fact for fact in (decode(EndFact, each) for each in found if each.name == "found")}
    arches = tuple(_arch(plan, plan.bisect, arch, ends.get(arch), cells, complete) for arch in plan.arches)
    return Bisection(
        **head(plan, events),
        until=plan.bisect.until,
        confidence=plan.bisect.confidence,
        good=plan.bisect.good,
        bad=plan.bisect.bad,
        commits=plan.bisect.commits,
        arches=arches,
        headline=_headline(arches),
        exit_code=_exit_code(arches),
        complete=complete,
    )


def _arch(
    plan: PlanFact,
    scope: BisectScope,
    arch: str,
    end: EndFact | None,
    cells: Sequence[Cell],
    complete: bool,
) -> ArchBisection:
    own = {cell.variant: cell for cell in cells if cell.arch == arch and cell.build}
    predicate = parse(scope.until, Vocabulary(tuple(test.name for test in plan.planned)))
    good = own.get(scope.good.name)
    reference = good.build if good else None
    if end is None:
        words = "not tested: see the messages" if complete else "the search is not complete"
        ending = SearchEnding.END_UNJUDGED if complete else None
        return ArchBisection(arch, ending, words, None, None, (), Rate(), None, (), "", ())
    notes = {note.id: note for note in end.commits}
    looks = tuple(
        _look(plan, predicate, notes[commit], mark, own, reference) for commit, mark in end.marks.items()
    )
    return ArchBisection(
        arch=arch,
        ending=end.ending,
        words=end.words or _words(scope, end, notes, looks),
        culprit=notes[end.commit] if end.ending is SearchEnding.FOUND else None,
        before=notes.get(end.before),
        left=tuple(notes[commit] for commit in end.left),
        rate=end.rate,
        certainty=end.certainty,
        looks=looks,
        git_log=end.git_log,
        mentioned=end.mentioned,
    )


def _look(
    plan: PlanFact,
    predicate: Predicate,
    commit: CommitNote,
    mark: Mark,
    cells: dict[str, Cell],
    reference: Build | None,
) -> CommitResult:
    cell = cells[commit.name]
    booted = _booted_cell(cell, cells.values()) if is_booted(predicate) else cell
    votes = votes_of(predicate, tests_for(predicate, plan.planned), booted, reference)
    return CommitResult(
        commit=commit,
        mark=mark,
        words=f"{mark}: {_tally(votes, booted=bool(booted.boots))}",
        same_as=booted.variant if booted.variant != cell.variant else "",
        build=build_note(cell.build) if cell.build else None,
        votes=votes,
        boots=tuple(map(boot_note, cell.boots)),
    )


def _booted_cell(cell: Cell, cells: Iterable[Cell]) -> Cell:
    """Return the cell that was booted with the image of this one."""
    if cell.boots or cell.build is None or not cell.build.ok:
        return cell
    return next((each for each in same_image(cells, cell.build.image_sha256) if each.boots), cell)


def _tally(votes: Sequence[Vote], *, booted: bool) -> str:
    """`clean in 5 of 5 boots`."""
    if not booted:
        return votes[-1].words
    count = {ballot: sum(vote.ballot is ballot for vote in votes) for ballot in Ballot}
    judged = count[Ballot.GOOD] + count[Ballot.BAD]
    boots = amount(judged, "boot")
    void = f", {count[Ballot.NONE]} more without a vote" if count[Ballot.NONE] else ""
    if not judged:
        return f"{votes[-1].words}{f' ({len(votes)} boots)' if len(votes) > 1 else ''}"
    if count[Ballot.BAD]:
        return f"seen in {count[Ballot.BAD]} of {boots}{void}"
    return f"clean in {boots}{void}"


def _words(
    scope: BisectScope, end: EndFact, notes: dict[str, CommitNote], looks: Sequence[CommitResult]
) -> str:
    commit = notes.get(end.commit)
    name = name_of(commit) if commit else ""
    votes = next((look.votes for look in looks if commit and look.commit.id == commit.id), ())
    match end.ending:
        case SearchEnding.FOUND:
            return f"{name} introduced it: {commit.subject if commit else ''}"
        case SearchEnding.ONLY_SKIPPED:
            left = [notes[each] for each in end.left]
            skipped = next((look for look in looks if look.mark is Mark.SKIP), None)
            why = f" ({name_of(skipped.commit)}: {skipped.votes[-1].words})" if skipped else ""
            names = join(map(name_of, left))
            return f"the culprit is one of {names}; the skipped ones could not be judged{why}"
        case SearchEnding.GOOD_IS_BAD:
            return f"good is bad: {name} has the symptom, too: {_last(votes, Ballot.BAD)}"
        case SearchEnding.BAD_IS_GOOD:
            booted = any(vote.boot for vote in votes)
            times = f" in {end.rate.boots} boots" if booted else ""
            return f"bad is good: {name} does not have the symptom{times}: {_last(votes, Ballot.GOOD)}"
        case SearchEnding.TOO_RARE:
            return _too_rare(scope, end)
        case _:
            return f"{name} could not be judged: {_last(votes, Ballot.NONE)}"


def _too_rare(scope: BisectScope, end: EndFact) -> str:
    within = reachable(end.rate, scope.commits)
    hint = f"; that many allow --confidence {within:g}" if within > 0 else ""
    return (
        f"seen only in {end.rate.words}: for a confidence of {scope.confidence:g} a good commit "
        f"would need more than {MOST_CLEAN} clean boots{hint}"
    )


def _last(votes: Sequence[Vote], ballot: Ballot) -> str:
    said = [vote for vote in votes if vote.ballot is ballot] or list(votes)
    if not said:
        return "it was not tested"
    return f"{said[-1].words}{f' ({said[-1].boot})' if said[-1].boot else ''}"


def _headline(arches: Sequence[ArchBisection]) -> str:
    """Return the culprits, and whether the architectures agree."""
    culprits: dict[str, list[ArchBisection]] = {}
    for arch in arches:
        if arch.culprit:
            culprits.setdefault(arch.culprit.id, []).append(arch)
    others = [f"{arch.arch}: {arch.words}" for arch in arches if not arch.culprit]
    if not culprits:
        return f"No culprit. {'; '.join(others)}."
    found = []
    for same in culprits.values():
        culprit = same[0].culprit
        assert culprit
        found.append(f"{name_of(culprit)} ({culprit.subject}) on {join(arch.arch for arch in same)}")
    if len(culprits) > 1:
        text = f"The architectures disagree: {'; '.join(found)}."
    else:
        agree = "; all architectures agree" if len(arches) > 1 and not others else ""
        text = f"The first bad commit is {found[0]}{agree}."
    return " ".join((text, *(f"{other}." for other in others)))


def _exit_code(arches: Sequence[ArchBisection]) -> int:
    """Return 0 if each architecture has a culprit, or none because bad is good there."""
    endings = [arch.ending for arch in arches]
    if all(ending in _WRONG_ENDS for ending in endings):
        return EXIT_WRONG_ENDS
    if all(ending in (SearchEnding.FOUND, SearchEnding.BAD_IS_GOOD) for ending in endings):
        return EXIT_FOUND
    return EXIT_UNKNOWN
