# SPDX-License-Identifier: GPL-2.0-only
"""Judges one commit of a local checkout, for people who drive `git bisect` themselves."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.commands.bisect.bisect import read_predicate, renamed, require_tests
from harness.commands.bisect.commits import commit_variant
from harness.commands.bisect.trials import TrialRunner
from harness.commands.cache.sharing import in_use
from harness.commands.run import carry_out, check_disk, room
from harness.config.arch import ArchRecord
from harness.core.errors import UsageError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.executor import ThisMachine, Tools
from harness.engine.schedule import Kind, Task
from harness.engine.session import open_session
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, checkout_of
from harness.sources.git.mirror import kernel_version, tree_hash
from harness.sources.trees.remote import fetch_local, local_commit, open_local
from harness.sources.trees.tree import LocalTree
from results.bisect.predicate import is_booted
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
    """What `--json` says of one architecture."""

    arch: str
    ballot: Ballot
    words: tuple[str, ...]
    """One for each boot."""


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """What `--json` prints, but for its `schema`."""

    commit: str
    until: str
    ballot: Ballot
    """Of all architectures together; bad on one is bad."""
    exit_code: int
    arches: tuple[ArchJudgement, ...]
    run_dir: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of a commit on each architecture; bad on one is bad."""

    commit: str
    until: str
    folder: str
    votes: dict[str, tuple[Vote, ...]]
    """Architecture → one for each boot; the last one decided."""

    @property
    def ballot(self) -> Ballot:
        """Of all architectures together."""
        said = {_deciding(votes).ballot for votes in self.votes.values()}
        return next(ballot for ballot in (Ballot.BAD, Ballot.NONE, Ballot.GOOD) if ballot in said)

    @property
    def exit_code(self) -> int:
        """As `git bisect run` reads it."""
        return _CODES[self.ballot]

    @property
    def lines(self) -> list[str]:
        """For people."""
        names = {Ballot.GOOD: "good", Ballot.BAD: "bad", Ballot.NONE: "skip"}
        found = []
        for arch, votes in self.votes.items():
            vote = _deciding(votes)
            times = f" in {len(votes)} boots" if vote.ballot is Ballot.GOOD and len(votes) > 1 else ""
            log = f" ({self.folder}/{place(vote.log, vote.lines)})" if vote.log else ""
            found.append(f"{abbrev(self.commit)} {names[vote.ballot]} on {arch}: {vote.words}{times}{log}")
        return found

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
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
    """Judge what is checked out in the plan's tree.

    Raises:
        UsageError: if it is no checkout of a kernel, or `until` is no predicate.
        InfrastructureError: for what would be the same with every other commit: no tools, no room.
    """
    predicate = read_predicate(until, plan)
    plan = renamed(plan, "judge")
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, room(plan, workspace))
        tools, lacking = ThisMachine().find_tools(plan)
        if lacking:
            raise next(iter(lacking.values()))
        checkouts, scope = _checked_out(plan, workspace, progress, str(predicate), all_tests)
        session = open_session(plan, workspace, progress, checkouts, command, bisect=scope)
        require_tests(predicate, session)
        commit, cache, votes = scope.bad.id, workspace.cache, dict[str, tuple[Vote, ...]]()
        recording = threading.Lock()

        def begin(arch: ArchRecord, known: Tools) -> Sequence[Task]:
            work = ArchRunner(session, arch, known)

            def action() -> Sequence[Task]:
                checkout = checkout_of(scope.bad.name, commit, cache)
                laboratory = TrialRunner(work, predicate, lambda _: [checkout], "", all_tests=all_tests)
                found = _votes(laboratory, commit, boots if is_booted(predicate) else 1)
                with recording:
                    votes[arch.name] = found
                return []

            return [Task(arch.name, Kind.BUILD, 0.0, action)]

        carry_out(session, tools, lacking, begin)
        check_disk(workspace, 0)
        return Judgement(commit, str(predicate), str(session.run_dir), votes)


def _votes(laboratory: TrialRunner, commit: str, boots: int) -> tuple[Vote, ...]:
    """Boot until the commit is bad, clean often enough, or not to be judged."""
    _, known = laboratory.meet(commit)
    votes = list(known)
    while True:
        ballots = [vote.ballot for vote in votes]
        last = ballots[-GIVEN_UP_AFTER:]
        given_up = len(last) == GIVEN_UP_AFTER and set(last) == {Ballot.NONE}
        if Ballot.BAD in ballots or ballots.count(Ballot.GOOD) >= boots:
            return tuple(vote for vote in votes if vote.ballot is not Ballot.NONE)
        if given_up or (votes and votes[-1].is_final):
            return tuple(votes)
        votes += laboratory.boot([commit])


def _checked_out(
    plan: Plan, workspace: Workspace, progress: Progress, until: str, all_tests: bool
) -> tuple[Checkouts, BisectScope]:
    """The commit that is checked out; with `git bisect start --no-checkout` the one to be tested."""
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
