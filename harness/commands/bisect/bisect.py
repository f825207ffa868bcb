# SPDX-License-Identifier: GPL-2.0-only
"""A bisection: the first commit with a symptom, on each architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.bisect.commits import CommitRange, history_range, series_range
from harness.commands.bisect.trials import TrialRunner
from harness.commands.study import ArchTasks, Study, carry_out
from harness.core.errors import HarnessError, UsageError
from harness.core.progress import Progress, clock
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.schedule import Kind, Task
from harness.engine.session import Session
from harness.plan.plan import Plan, planned_tests
from results.bisect.confidence import effort, steps_for
from results.bisect.predicate import Predicate, PredicateError, Vocabulary, is_booted, parse, tests_for
from results.bisect.report import conclude_bisection, name_of
from results.bisect.search import FAILURES_OF_USE, Hint, Question, Search, SearchResult
from results.journal.journal import decode, read_events
from results.model.bisect import Bisection, BisectScope, EndFact, Mark, Rate, SearchEnding
from results.text import abbrev, amount

MOST_AT_ONCE = 8
"""Upper bound of the concurrent guests of one search."""


@dataclass(frozen=True, slots=True)
class BisectRequest:
    """The options of a bisection beyond its plan."""

    until: str
    good: str = ""
    bad: str = ""
    confidence: float = 0.99
    all_tests: bool = False
    in_history: bool = False
    """Bisect between two revisions of the tree instead of the series."""


def bisect(
    plan: Plan, request: BisectRequest, workspace: Workspace, progress: Progress, command: Sequence[str]
) -> tuple[Bisection, Path]:
    """Find the first bad commit on each architecture; returns the results and the folder.

    Raises:
        HarnessError: if nothing can be said of any architecture: no tools, no such commit, …
    """
    predicate = read_predicate(request.until, plan)
    if request.in_history:
        plan = renamed(plan, f"{abbrev(request.good)}..{abbrev(request.bad)}")

    def study() -> Study:
        make_range = history_range if request.in_history else series_range
        commits = make_range(plan, request.good, request.bad, workspace.cache, progress.log)
        scope = BisectScope(
            until=str(predicate),
            confidence=request.confidence,
            good=commits.note(commits.history.good),
            bad=commits.note(commits.history.bad),
            commits=commits.history.commits,
            all_tests=request.all_tests,
        )
        return Study(commits.checkouts, lambda session: _tasks(session, commits, predicate, scope), scope)

    return carry_out(plan, study, workspace, progress, command).concluded_by(conclude_bisection)


def read_predicate(text: str, plan: Plan) -> Predicate:
    """Read `--until`.

    Raises:
        UsageError: showing the place of the error.
    """
    planned = planned_tests(plan.suites)
    names = tuple(test.name for test in planned)
    counters = {evidence.counter for test in planned for evidence in test.evidence}
    try:
        return parse(text, Vocabulary(names, tuple(sorted(counters | set(plan.series.counters)))))
    except PredicateError as error:
        raise UsageError(f"--until: {error}") from None


def renamed(plan: Plan, name: str) -> Plan:
    """Return a plan whose folders have another name than its series."""
    return replace(plan, series=plan.series.model_copy(update={"name": name}))


def require_tests(predicate: Predicate, session: Session) -> None:
    """Check that the tree has a test that the predicate is about.

    Raises:
        UsageError: if it has none.
    """
    if is_booted(predicate) and not tests_for(predicate, session.planned):
        raise UsageError(
            f"--until '{predicate}': the tree has no such test", hint="Choose others with --tests."
        )


def _tasks(session: Session, commits: CommitRange, predicate: Predicate, scope: BisectScope) -> ArchTasks:
    """Return the searches on the architectures whose search has not ended."""
    require_tests(predicate, session)
    done = [decode(EndFact, event).arch for event in read_events(session.run_dir) if event.name == "found"]

    def of_arch(work: ArchRunner) -> Sequence[Task]:
        if work.arch.name in done:
            return []
        search = _ArchSearch(work, commits, predicate, scope)
        return [Task(work.arch.name, Kind.BUILD, 0.0, search.action)]

    return of_arch


class _ArchSearch:
    """The search on one architecture; logs its progress and records its end."""

    def __init__(
        self, work: ArchRunner, commits: CommitRange, predicate: Predicate, scope: BisectScope
    ) -> None:
        self._work = work
        self._commits = commits
        self._scope = scope
        self._said: Mapping[str, Mark] = {}
        self._has_forecast = False
        cache = work.session.workspace.cache
        question = Question(
            good=scope.good.id,
            bad=scope.bad.id,
            commits=scope.commits,
            confidence=scope.confidence,
            booted=is_booted(predicate),
            width=max(1, min(work.session.jobserver.tokens, MOST_AT_ONCE)),
        )
        self._question = question
        trials = TrialRunner(
            work,
            predicate,
            lambda commit: commits.choices(commit, cache),
            scope.good.id,
            all_tests=scope.all_tests,
        )
        self._search = Search(question, self, trials)

    def action(self) -> Sequence[Task]:
        """Search to the end; an error ends this architecture only."""
        try:
            finding, words = self._search.run(), ""
        except HarnessError as error:
            finding = SearchResult(SearchEnding.END_UNJUDGED, marks=self._search.marks())
            words = "; ".join(filter(None, (str(error), error.hint)))
            self._work.session.progress.log(f"{self._work.arch.name}: {words}")
        self._work.session.record_found(self._fact(finding, words))
        return []

    def _fact(self, finding: SearchResult, words: str) -> EndFact:
        history = self._commits.history
        found = finding.ending is SearchEnding.FOUND
        before = next(iter(history.parents(finding.commit)), "") if found else ""
        named = dict.fromkeys(filter(None, (*finding.marks, *finding.left, finding.commit, before)))
        return EndFact(
            arch=self._work.arch.name,
            ending=finding.ending,
            words=words,
            commit=finding.commit,
            before=before,
            left=finding.left,
            marks=finding.marks,
            commits=tuple(map(self._commits.note, named)),
            rate=self._search.rate,
            git_log=history.log(finding.marks) if _is_between_ends(finding) else "",
            mentioned=history.tell(finding.commit).mentioned if found else (),
            certainty=self._search.certainty(finding.commit) if found and self._question.booted else None,
        )

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        """Ask git for the next commit, and log new marks."""
        hint = self._commits.history.hint(marks)
        log, arch = self._work.session.progress.log, self._work.arch.name
        for commit, mark in marks.items():
            if self._said.get(commit) is not mark:
                log(f"{arch}: {name_of(self._commits.note(commit))} is {mark}: {self._why(commit, mark)}")
        self._said = dict(marks)
        if not self._has_forecast:
            self._has_forecast = True
            log(f"{arch}: {self._forecast()}")
        return hint

    def parents(self, commit: str) -> Sequence[str]:
        """Return the parents of a commit, the first one first."""
        return self._commits.history.parents(commit)

    def line(self, commit: str) -> frozenset[str]:
        """Return a commit and its ancestors, as far as the good end."""
        return self._commits.history.line(commit)

    def _why(self, commit: str, mark: Mark) -> str:
        telling = [vote for vote in self._search.votes(commit) if vote.ballot.value == mark.value]
        return (telling or list(self._search.votes(commit)))[-1].words

    def _forecast(self) -> str:
        """Return the expected number of steps and boots."""
        question, rate = self._question, self._search.rate
        steps = steps_for(question.commits)
        counted = f"{amount(question.commits, 'commit')}, {steps} steps"
        if not rate.clean:
            rate = Rate(max(rate.failures, FAILURES_OF_USE), max(rate.boots, FAILURES_OF_USE))
        needed = effort(rate, question.commits, question.confidence)
        if not question.booted or not needed:
            return f"{counted}, no boots"
        boots = amount(needed.quick, "clean boot")
        rounds = steps * _rounds(needed.quick, question.width)
        rounds += _rounds(needed.sure - needed.quick, question.width)
        seconds = rounds * self._work.expect_boot().seconds
        return (
            f"{counted} of up to {boots} each, {needed.sure} of the last good commit: "
            f"about {clock(seconds)}, and the builds"
        )


def _rounds(boots: int, width: int) -> int:
    return -(-boots // width)


def _is_between_ends(finding: SearchResult) -> bool:
    return finding.ending in (SearchEnding.FOUND, SearchEnding.ONLY_SKIPPED, SearchEnding.TOO_RARE)
