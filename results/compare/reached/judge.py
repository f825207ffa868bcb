# SPDX-License-Identifier: GPL-2.0-only
"""Judge each changed line: did it run, on which architecture, by which test.

A line that did not run is no regression. It is what a review has to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from results.model.reached import (
    BOOT,
    ChangedFile,
    DiffRow,
    LineReach,
    Reach,
    ReachedFact,
    ReachedKernel,
    ReachedLine,
    ReachedRun,
    ReachedShare,
)
from results.model.run import ICOUNT, Build, PlannedTest

_UNHARMED = "_unharmed"
_COMPILED = (Reach.REACHED, Reach.FAULT_ONLY, Reach.NOT_REACHED)
_ORDER = {reach: rank for rank, reach in enumerate(Reach)}
_ON_ERROR = re.compile(
    r"-E[A-Z]{2,}\b|\bERR_(?:PTR|CAST)\b|\bgoto (?:\w*_)?(?:err|error|fail|failed|out|unlock|undo|abort|free)"
    r"|\bVM_FAULT_(?:OOM|SIGBUS|ERROR)\b|\breturn (?:err|error|ret|rc)\b|\breturn NULL;|\bpr_(?:err|warn)"
)
_STATEMENT = re.compile(r"\s.*[;{]\s*(?:/\*.*\*/\s*)?$")
_NO_STATEMENT = re.compile(r"\s*(?:#|/?\*|//|\}?\s*(?:else\s*)?\{?\s*$)")
"""Text that is no code of its own, where no compiler said what is."""


def counted_tests(planned: Sequence[PlannedTest]) -> tuple[PlannedTest, ...]:
    """Choose what a kernel with counters runs: each test once, but for those that count instructions.

    What lets allocations fail runs a second time without failures, so that both can be told apart.
    """
    return tuple(
        replace(each, boots=1)
        for test in planned
        if ICOUNT not in test.needs
        for each in _with_unharmed(test)
    )


def _with_unharmed(test: PlannedTest) -> tuple[PlannedTest, ...]:
    if not test.unharmed:
        return (test,)
    return (test, replace(test, name=f"{test.name}{_UNHARMED}", argv=test.unharmed, unharmed=()))


@dataclass(frozen=True, slots=True)
class ReachedBoot:
    """A boot of a kernel with counters."""

    log: str
    """Relative to the run folder."""
    seconds: float


@dataclass(slots=True)
class CountedArch:
    """What is known of one architecture."""

    arch: str
    build: Build | None = None
    boots: list[ReachedBoot] = field(default_factory=list)
    facts: dict[str, ReachedFact] = field(default_factory=dict)
    """By boot."""

    @property
    def code(self) -> dict[str, set[int]]:
        """Changed lines that the compiler made code of."""
        found: dict[str, set[int]] = {}
        for fact in self.facts.values():
            for path, lines in fact.code.items():
                found.setdefault(path, set()).update(lines)
        return found

    @property
    def kept_out(self) -> Mapping[str, Mapping[int, str]]:
        """Changed lines that the configuration keeps out, and why."""
        return next((fact.kept_out for fact in self.facts.values()), {})

    def tests_by_line(self) -> dict[tuple[str, int], set[str]]:
        """Tests by path and line."""
        found: dict[tuple[str, int], set[str]] = {}
        for fact in self.facts.values():
            for test in fact.tests:
                for path, lines in test.lines.items():
                    for line in lines:
                        found.setdefault((path, line), set()).add(test.test)
        return found


def judge_reached(
    changed: Sequence[ChangedFile],
    planned: Sequence[PlannedTest],
    counted: Sequence[CountedArch],
    claimed_percent: float | None = None,
) -> ReachedRun:
    """Judge all changed lines by what the kernels with counters ran."""
    judges = [_ArchJudge(arch, planned) for arch in counted if arch.facts]
    lines = [line for file in changed for line in _lines_of(file, judges)]
    return ReachedRun(
        total=_share("total", [line.reach for line in lines]),
        kernels=tuple(_kernel(arch, lines) for arch in counted),
        patches=_shares(lines, lambda line: str(line.patch), lambda name: int(name)),
        files=_shares(lines, lambda line: line.path, lambda name: name),
        lines=tuple(lines),
        diff=tuple(changed),
        claimed_percent=claimed_percent,
    )


class _ArchJudge:
    """What one architecture says of a line."""

    def __init__(self, arch: CountedArch, planned: Sequence[PlannedTest]) -> None:
        self._arch = arch.arch
        self._code = arch.code
        self._kept_out = arch.kept_out
        self._tests = arch.tests_by_line()
        self._order = {BOOT: -1, **{test.name: number for number, test in enumerate(counted_tests(planned))}}
        self._failing = {test.name for test in planned if test.unharmed}

    def has_code(self, path: str, line: int) -> bool:
        return line in self._code.get(path, ())

    def why_kept_out(self, path: str, line: int) -> str:
        return self._kept_out.get(path, {}).get(line, "")

    def compiles(self, path: str) -> bool:
        return bool(self._code.get(path))

    def judge(self, path: str, line: int) -> LineReach:
        if not self.has_code(path, line):
            why = self.why_kept_out(path, line) or "no object with counters has it"
            return LineReach(self._arch, Reach.NOT_COMPILED, why=why)
        tests = sorted(self._tests.get((path, line), ()), key=lambda name: self._order.get(name, 0))
        if not tests:
            return LineReach(self._arch, Reach.NOT_REACHED)
        only_failing = self._failing.issuperset(tests)
        return LineReach(self._arch, Reach.FAULT_ONLY if only_failing else Reach.REACHED, tuple(tests))


def _lines_of(file: ChangedFile, judges: Sequence[_ArchJudge]) -> Iterator[ReachedLine]:
    """Yield the lines that are code on one architecture, or that no configuration compiles."""
    for row in file.added:
        if any(judge.has_code(file.path, row.number) for judge in judges) or _is_left_out(file, row, judges):
            arches = tuple(judge.judge(file.path, row.number) for judge in judges)
            best = min((arch.reach for arch in arches), key=_ORDER.__getitem__)
            on_error = bool(_ON_ERROR.search(row.text))
            yield ReachedLine(file.path, row.number, row.text, row.patch, best, on_error, arches)


def _is_left_out(file: ChangedFile, row: DiffRow, judges: Sequence[_ArchJudge]) -> bool:
    """Tell whether a line looks like code, and every kernel leaves it out for its configuration."""
    if not judges or not file.path.endswith(".c") or _NO_STATEMENT.match(row.text):
        return False
    kept_out = all(judge.why_kept_out(file.path, row.number) for judge in judges)
    return kept_out and bool(_STATEMENT.match(row.text))


def _share(name: str, reaches: Iterable[Reach]) -> ReachedShare:
    compiled = [reach for reach in reaches if reach in _COMPILED]
    fault_only = compiled.count(Reach.FAULT_ONLY)
    return ReachedShare(name, compiled.count(Reach.REACHED) + fault_only, len(compiled), fault_only)


def _shares(
    lines: Iterable[ReachedLine], name_of: Callable[[ReachedLine], str], key: Callable[[str], int | str]
) -> tuple[ReachedShare, ...]:
    found: dict[str, list[Reach]] = {}
    for line in lines:
        found.setdefault(name_of(line), []).append(line.reach)
    return tuple(_share(name, found[name]) for name in sorted(found, key=key))


def _kernel(arch: CountedArch, lines: Iterable[ReachedLine]) -> ReachedKernel:
    reaches = [each.reach for line in lines for each in line.arches if each.arch == arch.arch]
    build = arch.build
    error = "it was not built" if build is None else "" if build.ok else build.error
    if not error and not any(fact.tests for fact in arch.facts.values()):
        error = "no boot reported counters"
    problems = (problem for fact in arch.facts.values() for problem in fact.problems)
    return ReachedKernel(
        share=_share(arch.arch, reaches),
        build_seconds=build.seconds if build else 0.0,
        build_cached=build.cached if build else False,
        error=error,
        boots=tuple(boot.log for boot in arch.boots),
        boot_seconds=sum(boot.seconds for boot in arch.boots),
        problems=tuple(dict.fromkeys(problems)),
    )
