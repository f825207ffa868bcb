# SPDX-License-Identifier: GPL-2.0-only
"""Judges one commit of a local checkout, for `git bisect run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.commands.bisect.bisect import read_predicate, renamed, require_tests
from harness.commands.bisect.commits import commit_variant
from harness.commands.bisect.trials import TrialRunner
from harness.commands.study import (
    ArchTasks,
    Study,
    cache_in_use,
    carry_out_in_cache,
    check_disk,
    disk_needed,
)
from harness.core.errors import UsageError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.executor import ThisMachine
from harness.engine.run_folder import forget_unreported
from harness.engine.schedule import Kind, Task
from harness.engine.session import Session
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, checkout_of
from harness.sources.git.mirror import kernel_version, tree_hash
from harness.sources.trees.remote import fetch_local, local_commit, open_local
from harness.sources.trees.tree import LocalTree
from results.bisect.predicate import Predicate, is_booted
from results.bisect.search import GIVEN_UP_AFTER
from results.journal.journal import Origin
from results.model.bisect import Ballot, BisectScope, CommitNote, Vote
from results.model.run import Subject
from results.reports.content.wording import place
from results.text import abbrev

SCHEMA = "thp-harness/judge/1"
GOOD, BAD, SKIP = 0, 1, 125
_CODES = {Ballot.GOOD: GOOD, Ballot.BAD: BAD, Ballot.NONE: SKIP}


@dataclass(frozen=True, slots=True)
class ArchJudgement:
    """The judgement on one architecture in `--json`."""

    arch: str
    ballot: Ballot
    words: tuple[str, ...]
    """One for each boot."""


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """The document of `--json`, without its `schema`."""

    commit: str
    until: str
    ballot: Ballot
    """Over all architectures: bad if one of them is bad."""
    exit_code: int
    arches: tuple[ArchJudgement, ...]
    run_dir: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The votes on a commit by architecture; a commit that is bad on one of them is bad."""

    commit: str
    until: str
    folder: str
    votes: dict[str, tuple[Vote, ...]]
    """Architecture → votes, one for each boot; the last one decides."""

    @property
    def ballot(self) -> Ballot:
        """The ballot over all architectures."""
        said = {_deciding(votes).ballot for votes in self.votes.values()}
        return next(ballot for ballot in (Ballot.BAD, Ballot.NONE, Ballot.GOOD) if ballot in said)

    @property
    def exit_code(self) -> int:
        """The exit status for `git bisect run`."""
        return _CODES[self.ballot]

    @property
    def lines(self) -> list[str]:
        """The judgement as text, a line for each architecture."""
        names = {Ballot.GOOD: "good", Ballot.BAD: "bad", Ballot.NONE: "skip"}
        found = []
        for arch, votes in self.votes.items():
            vote = _deciding(votes)
            times = f" in {len(votes)} boots" if vote.ballot is Ballot.GOOD and len(votes) > 1 else ""
            log = f" ({self.folder}/{place(vote.log, vote.lines)})" if vote.log else ""
            found.append(f"{abbrev(self.commit)} {names[vote.ballot]} on {arch}: {vote.words}{times}{log}")
        return found

    def as_document(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        arches = tuple(
            ArchJudgement(arch, _deciding(votes).ballot, tuple(vote.words for vote in votes))
            for arch, votes in self.votes.items()
        )
        answer = JudgeAnswer(self.commit, self.until, self.ballot, self.exit_code, arches, self.folder)
        return {"schema": SCHEMA, **asdict(answer)}


def _deciding(votes: Sequence[Vote]) -> Vote:
    return next((vote for vote in votes if vote.ballot is Ballot.BAD), votes[-1])


def judge(
    plan: Plan,
    until: str,
    boots: int,
    all_tests: bool,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
) -> Judgement:
    """Judge the commit that is checked out in the tree of a plan.

    Raises:
        UsageError: if the tree is no kernel checkout, or `until` is no predicate.
        InfrastructureError: for errors that every other commit would have, too: no tools, no disk space.
    """
    predicate = read_predicate(until, plan)
    plan = renamed(plan, "judge")
    votes: dict[str, tuple[Vote, ...]] = {}

    def study() -> Study:
        checkouts, scope = _checked_out(plan, workspace, progress, str(predicate), all_tests)

        def tasks(session: Session) -> ArchTasks:
            require_tests(predicate, session)
            return of_arch

        def of_arch(work: ArchRunner) -> Sequence[Task]:
            def action() -> Sequence[Task]:
                votes[work.arch.name] = _vote(work, scope, predicate, boots)
                return []

            return [Task(work.arch.name, Kind.BUILD, 0.0, action)]

        return Study(checkouts, tasks, scope, needs_all_tools=True)

    with cache_in_use(workspace, progress, disk_needed(plan, workspace)):
        session = carry_out_in_cache(plan, study, workspace, progress, command, ThisMachine())
    check_disk(workspace, 0)
    forget_unreported(session.run_dir)
    return Judgement(session.checkouts.subject.series_commit, str(predicate), str(session.run_dir), votes)


def _vote(work: ArchRunner, scope: BisectScope, predicate: Predicate, boots: int) -> tuple[Vote, ...]:
    """Boot until the commit is bad, clean in `boots` boots, or can't be judged."""
    commit = scope.bad.id
    checkout = checkout_of(scope.bad.name, commit, work.session.workspace.cache)
    trials = TrialRunner(work, predicate, lambda _: [checkout], "", all_tests=scope.all_tests)
    wanted = boots if is_booted(predicate) else 1
    votes = list(trials.meet(commit)[1])
    while True:
        ballots = [vote.ballot for vote in votes]
        last = ballots[-GIVEN_UP_AFTER:]
        given_up = len(last) == GIVEN_UP_AFTER and set(last) == {Ballot.NONE}
        if Ballot.BAD in ballots or ballots.count(Ballot.GOOD) >= wanted:
            return tuple(vote for vote in votes if vote.ballot is not Ballot.NONE)
        if given_up or (votes and votes[-1].is_final):
            return tuple(votes)
        votes += trials.boot([commit])


def _checked_out(
    plan: Plan, workspace: Workspace, progress: Progress, until: str, all_tests: bool
) -> tuple[Checkouts, BisectScope]:
    """Return the commit that is checked out, or BISECT_HEAD after `git bisect start --no-checkout`."""
    tree = plan.tree.source
    if not isinstance(tree, LocalTree):
        raise UsageError(f"{plan.tree.name} is no checkout", hint="Name a folder: --tree PATH.")
    repository, cache = open_local(tree.path), workspace.cache
    revision = "BISECT_HEAD" if repository.succeeds("rev-parse", "--verify", "BISECT_HEAD") else "HEAD"
    commit, notes = fetch_local(tree.path, local_commit(repository, revision), cache, progress.log)
    for words in notes:
        progress.log(words)
    title, author = repository.run("show", "-s", "--format=%s%x00%an <%ae>", commit).split("\0")
    subject = Subject(
        tree=plan.tree.name,
        tree_version=kernel_version(cache, commit),
        base_commit=commit,
        series="",
        series_title=title,
        series_commit=commit,
        stand_in=False,
    )
    hashed = tree_hash(cache, commit)
    origin = Origin(commit, path=str(tree.path.expanduser().absolute()))
    checkouts = Checkouts(subject, {"base": hashed, "series": hashed}, origin)
    note = CommitNote(commit, commit_variant(commit), title, author)
    return checkouts, BisectScope(until, 0.0, note, note, 0, all_tests)
