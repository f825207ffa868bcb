# SPDX-License-Identifier: GPL-2.0-only
"""A bisection: which commit began what a predicate describes, on each architecture.

Like a run it goes on where it stopped: what its journal and the cache know is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.bisect.commits import CommitRange, history_ground, series_ground
from harness.commands.bisect.trials import TrialRunner
from harness.commands.cache.collect import trim
from harness.commands.cache.sharing import in_use
from harness.commands.cache.size import size_limit
from harness.commands.run import carry_out, check_disk, room
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError, UsageError
from harness.core.progress import Progress, clock
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner
from harness.engine.executor import ThisMachine, Tools
from harness.engine.schedule import Kind, Task
from harness.engine.session import Session, open_session
from harness.plan.plan import Plan, planned_tests
from results.bisect.confidence import effort, steps_for
from results.bisect.predicate import Predicate, PredicateError, Vocabulary, is_booted, parse, tests_for
from results.bisect.report import assemble_bisection, name_of
from results.bisect.search import FAILURES_OF_USE, Hint, Question, Search, SearchResult
from results.journal.journal import decode, read_events
from results.model.bisect import Bisection, BisectScope, EndFact, Mark, Rate, SearchEnding
from results.text import abbrev

MOST_AT_ONCE = 8
"""So many guests at most run for one search, however many CPUs there are."""


@dataclass(frozen=True, slots=True)
class BisectRequest:
    """What is asked of a bisection beyond its plan."""

    until: str
    good: str = ""
    bad: str = ""
    confidence: float = 0.99
    all_tests: bool = False
    in_history: bool = False
    """Between two revisions of the tree, not in the series."""


def bisect(
    plan: Plan, request: BisectRequest, workspace: Workspace, progress: Progress, command: Sequence[str]
) -> tuple[Bisection, Path]:
    """Find the commit; returns what was found, and the folder.

    Raises:
        HarnessError: if there is nothing to be said of any architecture (no tools, no such commit, …).
    """
    predicate = read_predicate(request.until, plan)
    limit = size_limit()
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, room(plan, workspace))
        outcome = _bisect(plan, request, predicate, workspace, progress, command)
    trim(workspace.cache, limit, progress.log)
    return outcome


def read_predicate(text: str, plan: Plan) -> Predicate:
    """Read `--until`.

    Raises:
        UsageError: showing where it goes wrong.
    """
    planned = planned_tests(plan.suites)
    names = tuple(test.name for test in planned)
    counters = {evidence.counter for test in planned for evidence in test.evidence}
    try:
        return parse(text, Vocabulary(names, tuple(sorted(counters | set(plan.series.counters)))))
    except PredicateError as error:
        raise UsageError(f"--until: {error}") from None


def renamed(plan: Plan, name: str) -> Plan:
    """A plan whose folders have another name than its series."""
    return replace(plan, series=plan.series.model_copy(update={"name": name}))


def require_tests(predicate: Predicate, session: Session) -> None:
    """See to it that there is something to boot for.

    Raises:
        UsageError: if the tree has none of the tests that the predicate is about.
    """
    if is_booted(predicate) and not tests_for(predicate, session.planned):
        session.close()
        raise UsageError(
            f"--until '{predicate}': the tree has no such test", hint="Choose others with --tests."
        )


def _bisect(
    plan: Plan,
    request: BisectRequest,
    predicate: Predicate,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
) -> tuple[Bisection, Path]:
    if request.in_history:
        plan = renamed(plan, f"{abbrev(request.good)}..{abbrev(request.bad)}")
    tools, lacking = ThisMachine().find_tools(plan)
    make_ground = history_ground if request.in_history else series_ground
    ground = make_ground(plan, request.good, request.bad, workspace.cache, progress.log)
    history = ground.history
    scope = BisectScope(
        until=str(predicate),
        confidence=request.confidence,
        good=ground.note(history.good),
        bad=ground.note(history.bad),
        commits=history.commits,
        all_tests=request.all_tests,
    )
    session = open_session(plan, workspace, progress, ground.checkouts, command, bisect=scope)
    require_tests(predicate, session)
    done = [decode(EndFact, event).arch for event in read_events(session.run_dir) if event.name == "found"]

    def begin(arch: ArchRecord, known: Tools) -> Sequence[Task]:
        if arch.name in done:
            return []
        search = _ArchSearch(ArchRunner(session, arch, known), ground, predicate, scope)
        return [Task(arch.name, Kind.BUILD, 0.0, search.action)]

    carry_out(session, tools, lacking, begin)
    return assemble_bisection(session.run_dir), session.run_dir


class _ArchSearch:
    """The search on one architecture; says how it goes on, and records how it ends."""

    def __init__(
        self, work: ArchRunner, ground: CommitRange, predicate: Predicate, scope: BisectScope
    ) -> None:
        self._work = work
        self._ground = ground
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
        laboratory = TrialRunner(
            work,
            predicate,
            lambda commit: ground.choices(commit, cache),
            scope.good.id,
            all_tests=scope.all_tests,
        )
        self._search = Search(question, self, laboratory)

    def action(self) -> Sequence[Task]:
        """Search to the end; what goes wrong here ends this architecture only."""
        try:
            finding, words = self._search.run(), ""
        except HarnessError as error:
            finding = SearchResult(SearchEnding.END_UNJUDGED, marks=self._search.marks())
            words = "; ".join(filter(None, (str(error), error.hint)))
            self._work.session.progress.log(f"{self._work.arch.name}: {words}")
        self._work.session.record_found(self._fact(finding, words))
        return []

    def _fact(self, finding: SearchResult, words: str) -> EndFact:
        history = self._ground.history
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
            commits=tuple(map(self._ground.note, named)),
            rate=self._search.rate,
            git_log=history.log(finding.marks) if _is_between_ends(finding) else "",
            mentioned=history.tell(finding.commit).mentioned if found else (),
            certainty=self._search.certainty(finding.commit) if found and self._question.booted else None,
        )

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        """What git says; tells the user what is known by now."""
        hint = self._ground.history.hint(marks)
        say, arch = self._work.session.progress.log, self._work.arch.name
        for commit, mark in marks.items():
            if self._said.get(commit) is not mark:
                say(f"{arch}: {name_of(self._ground.note(commit))} is {mark}: {self._why(commit, mark)}")
        self._said = dict(marks)
        if not self._has_forecast:
            self._has_forecast = True
            say(f"{arch}: {self._forecast()}")
        return hint

    def parents(self, commit: str) -> Sequence[str]:
        """What git says."""
        return self._ground.history.parents(commit)

    def line(self, commit: str) -> frozenset[str]:
        """What git says."""
        return self._ground.history.line(commit)

    def _why(self, commit: str, mark: Mark) -> str:
        telling = [vote for vote in self._search.votes(commit) if vote.ballot.value == mark.value]
        return (telling or list(self._search.votes(commit)))[-1].words

    def _forecast(self) -> str:
        """What is still to come, in numbers."""
        question, rate = self._question, self._search.rate
        steps = steps_for(question.commits)
        counted = f"{question.commits} commit{'s' if question.commits != 1 else ''}, {steps} steps"
        if not rate.clean:
            rate = Rate(max(rate.failures, FAILURES_OF_USE), max(rate.boots, FAILURES_OF_USE))
        needed = effort(rate, question.commits, question.confidence)
        if not question.booted or not needed:
            return f"{counted}, no boots"
        boots = f"{needed.quick} clean boot{'s' if needed.quick != 1 else ''}"
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
