# SPDX-License-Identifier: GPL-2.0-only
"""KTAP, TAP 13 and kselftest output: lines in, a tree of results out (Documentation/dev-tools/ktap.rst)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from results.console.ktap_lines import (
    BAIL_OUT,
    PLAN,
    PREFIX,
    RESULT,
    SUBTEST,
    VERSION,
    hides_failure,
    may_tell,
    plain_lines,
    split_description,
    status_of,
)
from results.console.ktap_results import KtapDocument, KtapResult, sum_up, worst
from results.model.run import Status

DEEPEST_LEVEL = 16
"""Deeper nesting than this is taken for text."""
MOST_MISSING_ROWS = 1000
"""A plan of a billion tests gets this many MISS rows, and a problem that says so."""
MOST_RESULTS = 10_000
"""Results beyond are not kept, unless they failed; a test of the guest has room for fewer."""
MOST_DIAGNOSTICS = 1000
"""Lines between two results; of more the middle is forgotten."""
MOST_PROBLEMS = 100
_SHOWN = 100


@dataclass(slots=True)
class _Document:
    """What comes between two version lines of one level."""

    opened: bool = False
    """It has a version line."""
    plan: int | None = None
    plan_reason: str = ""
    plan_line: str = ""
    results: list[KtapResult] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    seen: set[tuple[int, str, Status]] = field(default_factory=set)
    last_number: int = 0
    counted: bool = False
    """Its results have numbers, so that an `ok` without one is prose."""

    @property
    def is_announced(self) -> bool:
        return self.opened or self.plan is not None

    @property
    def missing(self) -> int:
        """How many planned results never came."""
        plan = self.plan or 0
        return plan - sum(1 for number in self.numbers if 1 <= number <= plan)

    @property
    def shape(self) -> list[tuple[int, str, Status]]:
        return [(row.number, row.name, row.status) for row in self.results]


@dataclass(slots=True)
class _Level:
    """One level of nesting while its results come in."""

    width: int
    documents: list[_Document] = field(default_factory=lambda: [_Document()])
    children: list[KtapResult] = field(default_factory=list)
    """Subtests whose parent's result is still to come."""
    diagnostics: list[str] = field(default_factory=list)
    first_line: int = 0
    """Where the diagnostics begin."""

    @property
    def now(self) -> _Document:
        return self.documents[-1]


@dataclass(slots=True)
class _KtapReader:
    """The state of the parser between two lines."""

    bare: Callable[[str], str]
    levels: list[_Level] = field(default_factory=lambda: [_Level(0)])
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    bail_out: str | None = None
    number: int = 0
    """Of the line."""
    kept: int = 0
    """Results so far."""

    def diagnostics(self, level: _Level) -> tuple[str, ...]:
        """The lines that wait for a result; only those that get there are worth cleaning."""
        cleaned = (plain_lines(self.bare(line))[-1] for line in level.diagnostics)
        return tuple(line for line in cleaned if line and not line.isspace())

    def complain(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def doubt(self, why: str) -> None:
        self.complain(why)
        if len(self.doubts) < MOST_PROBLEMS:
            self.doubts.append(why)


def parse_ktap(lines: Iterable[str], bare: Callable[[str], str] = str) -> KtapDocument:
    """Read KTAP from text of any origin; no input is an error, what is wrong with it becomes a problem.

    `bare` takes off a line what is neither the program's nor printk's.
    """
    reading = _KtapReader(bare)
    for number, line in enumerate(lines, start=1):
        reading.number = number
        if may_tell(line):
            for text in plain_lines(bare(line)):
                _read_line(reading, text)
        else:
            _take_diagnostic(reading, line)
    _close_levels_deeper_than(reading, 0)
    top = reading.levels[0]
    plan = next((document.plan for document in reversed(top.documents) if document.plan is not None), None)
    results = tuple(_end_level(reading, top))
    if plan is None and results:
        reading.complain("no plan")
    return KtapDocument(
        plan,
        results,
        tuple(reading.problems),
        tuple(reading.doubts),
        reading.bail_out,
        reading.diagnostics(top),
    )


def _read_line(reading: _KtapReader, line: str) -> None:
    prefix = PREFIX.match(line)
    indent = prefix[0] if prefix else ""
    width, text = len(indent.expandtabs(4)), line[len(indent) :]
    if width and len(reading.levels) >= DEEPEST_LEVEL and width > reading.levels[-1].width:
        _take_text(reading, line)
    elif VERSION.match(text):
        _begin_document(_level_at(reading, width))
    elif SUBTEST.search(line) and max(3, reading.levels[-1].width + 2) <= width:
        _begin_document(_level_at(reading, width - 2))
    elif (plan := PLAN.match(text)) and _is_of_level(reading, width, quoted="#" in indent, plan=True):
        _take_plan(reading, _level_at(reading, width), int(plan[1]), plan[2] or "", line)
    elif (result := RESULT.match(text)) and _counts(reading, width, result, quoted="#" in indent):
        _take_result(reading, _level_at(reading, width), result)
    elif bail_out := BAIL_OUT.match(text):
        _take_bail_out(reading, width, bail_out[1].strip(), line)
    else:
        _take_text(reading, line)


def _is_of_level(reading: _KtapReader, width: int, *, quoted: bool, plan: bool = False) -> bool:
    """Tell whether an indented line may count, and is no prose or a diagnostic that quotes KTAP.

    What stands behind a `#` counts where a version line or a plan has announced it, and so does a
    plan that would end the levels within.
    """
    level = next((level for level in reading.levels if level.width == width), None)
    if width == 0 or (level and level.now.is_announced):
        return True
    if plan:
        return width > reading.levels[-1].width or level is reading.levels[-1]
    return not quoted


def _counts(reading: _KtapReader, width: int, result: re.Match[str], *, quoted: bool) -> bool:
    if result["number"]:
        return _is_of_level(reading, width, quoted=quoted)
    if width:
        return False
    now = reading.levels[0].now
    return result["word"] == "not ok" or (now.is_announced and not now.counted)


def _take_text(reading: _KtapReader, line: str) -> None:
    if hides_failure(line):
        reading.doubt(
            f"line {reading.number} may be a failure that could not be read: {line.strip()[:_SHOWN]}"
        )
    _take_diagnostic(reading, line)


def _take_diagnostic(reading: _KtapReader, line: str) -> None:
    if not line or line.isspace():
        return
    level = reading.levels[-1]
    if not level.diagnostics:
        level.first_line = reading.number
    level.diagnostics.append(line)
    if len(level.diagnostics) > 2 * MOST_DIAGNOSTICS:
        del level.diagnostics[MOST_DIAGNOSTICS // 2 : -MOST_DIAGNOSTICS // 2]


def _take_bail_out(reading: _KtapReader, width: int, words: str, line: str) -> None:
    words = words or "no reason given"
    level = next((level for level in reading.levels if level.width == width), None)
    if width and level and level.now.is_announced:
        _close_levels_deeper_than(reading, width)
        level.now.results.append(KtapResult(0, "Bail out!", Status.FAIL, "", words, (), (), reading.number))
    elif "#" in line.partition("Bail")[0]:
        _take_diagnostic(reading, line)
    else:
        reading.bail_out = reading.bail_out or words


def _level_at(reading: _KtapReader, width: int) -> _Level:
    """Return the open level of this indentation; closes deeper ones and opens it where needed."""
    _close_levels_deeper_than(reading, width)
    if reading.levels[-1].width < width:
        reading.levels.append(_Level(width))
    return reading.levels[-1]


def _close_levels_deeper_than(reading: _KtapReader, width: int) -> None:
    while reading.levels[-1].width > width:
        level = reading.levels.pop()
        rows = _end_level(reading, level)
        if reading.levels[-1].width < width:
            reading.levels.append(_Level(width))
        parent = reading.levels[-1]
        parent.children += rows
        parent.first_line = parent.first_line if parent.diagnostics else level.first_line
        parent.diagnostics += level.diagnostics


def _begin_document(level: _Level) -> None:
    """Start counting from 1: a second document on the same level, as when a script runs two programs."""
    if level.now.plan is not None or level.now.results:
        level.documents.append(_Document())
    level.now.opened = True


def _take_plan(reading: _KtapReader, level: _Level, count: int, reason: str, line: str) -> None:
    now = level.now
    if now.plan is not None and not now.missing:
        level.documents.append(_Document())
        now = level.now
    if now.plan is not None:
        reading.complain(f"a second plan: 1..{count} after 1..{now.plan}")
    now.plan = max(count, now.plan or 0)
    now.plan_reason, now.plan_line = reason, line


def _take_result(reading: _KtapReader, level: _Level, match: re.Match[str]) -> None:
    now = level.now
    if match["number"] and not now.counted:
        _forget_results_without_number(level)
    counts = bool(match["number"]) or not now.counted
    number = int(match["number"] or (now.last_number + 1 if counts else 0))
    name, directive, reason = split_description(match["description"].strip())
    status = status_of(match["word"] == "ok", directive)
    first_line = level.first_line if level.diagnostics else reading.number
    row = KtapResult(
        number, name, status, directive, reason, tuple(level.children), reading.diagnostics(level),
        reading.number, first_line,
    )  # fmt: skip
    level.children, level.diagnostics = [], []
    if counts:
        _check_number(reading, now, row)
        now.last_number = number
    _keep(reading, now, _reconciled_with_children(reading, row))


def _forget_results_without_number(level: _Level) -> None:
    """From its first number on a document counts: an `ok` without one was prose."""
    now = level.now
    now.counted, now.numbers, now.last_number = True, set(), 0
    now.results = [replace(row, number=0) for row in now.results if row.status is not Status.PASS]


def _keep(reading: _KtapReader, now: _Document, row: KtapResult) -> None:
    identity = (row.number, row.name, row.status)
    if row.number and row.name and identity in now.seen:
        return  # printed twice by a fork without a flush
    reading.kept += 1
    if reading.kept == MOST_RESULTS + 1:
        reading.doubt(f"more than {MOST_RESULTS} results: those beyond are not kept")
    if reading.kept <= MOST_RESULTS or (row.status is Status.FAIL and len(now.results) < 2 * MOST_RESULTS):
        now.results.append(row)
        now.numbers.add(row.number)
        now.seen.add(identity)


def _check_number(reading: _KtapReader, now: _Document, row: KtapResult) -> None:
    shown = f"result {row.number} ({row.name})" if row.name else f"result {row.number}"
    if row.number in now.numbers:
        reading.complain(f"{shown} is there twice")
    elif row.number != now.last_number + 1:
        reading.complain(f"{shown} is out of order, {now.last_number + 1} was expected")
    if now.plan is not None and row.number > now.plan:
        reading.doubt(f"{shown} is more than the plan of {now.plan}")


def _reconciled_with_children(reading: _KtapReader, result: KtapResult) -> KtapResult:
    """A parent is never better than its subtests, whatever its own line says."""
    below = sum_up(result.children)
    if below is None or result.directive == "XFAIL" or worst((below, result.status)) is result.status:
        return result
    if below is Status.SKIP:
        return replace(result, status=below, reason=result.reason or result.children[0].reason)
    reading.complain(f"{result.name or result.number} says {result.status}, but a subtest says {below}")
    return replace(result, status=below)


def _end_level(reading: _KtapReader, level: _Level) -> list[KtapResult]:
    """Return the rows of a level, with all that was promised and did not come."""
    documents = _without_copies(reading, level.documents)
    rows = [row for document in documents[:-1] for row in _end_document(reading, level, document, ())]
    children, level.children = tuple(level.children), []
    return rows + _end_document(reading, level, documents[-1], children)


def _without_copies(reading: _KtapReader, documents: list[_Document]) -> list[_Document]:
    """Leave out the beginning of another document: a process forked, and both flushed the buffer."""
    if len(documents) == 1:
        return documents
    longest: dict[object, _Document] = {}
    for document in documents:
        for key in {document.plan, (document.plan, *document.shape[:1])}:
            if key not in longest or len(longest[key].results) < len(document.results):
                longest[key] = document
    kept = []
    for document in documents:
        whole = longest[(document.plan, *document.shape[:1]) if document.results else document.plan]
        shape = document.shape
        if whole is document or not document.missing or whole.shape[: len(shape)] != shape:
            kept.append(document)
        else:
            reading.doubt(f"{len(shape)} of its results were printed twice, as if by a fork without a flush")
    return kept


def _end_document(
    reading: _KtapReader, level: _Level, document: _Document, children: tuple[KtapResult, ...]
) -> list[KtapResult]:
    """Account for everything that was promised and did not come."""
    if document.plan is not None and not document.results and not children:
        _, directive, reason = split_description(f"# {document.plan_reason}")
        if document.plan == 0:
            return [KtapResult(0, "", Status.SKIP, directive, reason or "its plan has no tests")]
        if level.width and not document.opened:
            level.diagnostics.insert(0, document.plan_line)
            return []
    missing = _missing_numbers(reading, document)
    rows = list(document.results)
    if children:
        rows += _adopted(reading, document, children, missing)
    rows += [KtapResult(number, "", Status.MISS, reason="planned, but no result") for number in missing]
    return sorted(rows, key=lambda row: row.number)


def _missing_numbers(reading: _KtapReader, document: _Document) -> list[int]:
    plan, count = document.plan or 0, document.missing
    if count <= 0 or reading.kept > MOST_RESULTS:
        return []
    reading.complain(f"{count} of {plan} planned results are missing")
    missing: list[int] = []
    for number in range(1, plan + 1):
        if number not in document.numbers:
            missing.append(number)
        if len(missing) >= MOST_MISSING_ROWS:
            reading.complain(f"only {MOST_MISSING_ROWS} of the missing results have a row")
            break
    return missing


def _adopted(
    reading: _KtapReader, document: _Document, orphans: tuple[KtapResult, ...], missing: list[int]
) -> list[KtapResult]:
    """Give subtests that came without their parent's result a place in the tree."""
    if document.plan is None and not document.results:
        return list(orphans)
    reading.complain("subtests without a result of their parent")
    number = missing.pop(0) if missing else document.last_number + 1
    status = worst((Status.MISS, *(orphan.status for orphan in orphans)))
    return [KtapResult(number, "", status, reason="no result of its own", children=orphans)]
