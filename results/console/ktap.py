# SPDX-License-Identifier: GPL-2.0-only
"""KTAP, TAP 13 and kselftest output: lines in, a tree of results out.

The format is Documentation/dev-tools/ktap.rst of the kernel. Nesting is by indentation or by the
`# ` that the kselftest runner puts before the lines of the tests it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from results.model.run import Status
from results.text import without_printk_prefix

DEEPEST_LEVEL = 16
"""Deeper nesting than this is taken for text."""
MOST_MISSING_ROWS = 1000
"""A plan of a billion tests gets this many MISS rows, and a problem that says so."""

_SEVERITY = (Status.PASS, Status.SKIP, Status.MISS, Status.ERROR, Status.FAIL)

_PREFIX = re.compile(r"(?:# | |\t)*")
_VERSION = re.compile(r"K?TAP version [0-9]+\s*$")
_PLAN = re.compile(r"1\.\.([0-9]{1,9})(?![0-9.])\s*(?:#\s*(.*))?$")
_RESULT = re.compile(r"(ok|not ok)(?:\s+([0-9]{1,9})(?![0-9A-Za-z_.])|(?=\s+[-#])|$)(?:\s+-\s|\s+-$)?(.*)$")
_BAIL_OUT = re.compile(r"Bail out!\s*(.*)$")
_SEPARATOR = re.compile(
    r"\\."
    r"|(?P<directive>#\s*(?P<word>SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)(?:[\s:]+|$))"
    r"|(?P<remark>(?:(?<=\s)|^)#(?:\s+|$))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class KtapResult:
    """One result line, or the row of a result that was planned and never came."""

    number: int
    name: str
    status: Status
    directive: str = ""
    """SKIP, TODO, XFAIL, XPASS, TIMEOUT, ERROR, or empty."""
    reason: str = ""
    """What the line says behind its `#`, without the directive."""
    children: tuple[KtapResult, ...] = ()
    diagnostics: tuple[str, ...] = ()
    """The lines since the result before this one."""
    line: int = 0
    """Which of the lines it was, from 1; 0 for a row that has no line of its own."""


@dataclass(frozen=True, slots=True)
class KtapDocument:
    """Everything that was read."""

    plan: int | None
    results: tuple[KtapResult, ...]
    problems: tuple[str, ...] = ()
    """Where the text breaks the format's rules."""
    bail_out: str | None = None
    """The words behind `Bail out!`, if the test gave up."""
    diagnostics: tuple[str, ...] = ()
    """The lines behind the last result."""


@dataclass(slots=True)
class _Level:
    """One level of nesting while its results come in."""

    width: int
    plan: int | None = None
    plan_reason: str = ""
    results: list[KtapResult] = field(default_factory=list)
    finished: list[KtapResult] = field(default_factory=list)
    """Rows of documents that ended before this one began on the same level."""
    numbers: set[int] = field(default_factory=set)
    last_number: int = 0
    children: list[KtapResult] = field(default_factory=list)
    """Subtests whose parent's result is still to come."""
    diagnostics: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _KtapReader:
    """The state of the parser between two lines."""

    levels: list[_Level] = field(default_factory=lambda: [_Level(0)])
    problems: list[str] = field(default_factory=list)
    bail_out: str | None = None


def parse_ktap(lines: Iterable[str]) -> KtapDocument:
    """Read KTAP from text of any origin; no input is an error, what is wrong with it becomes a problem."""
    reading = _KtapReader()
    for number, line in enumerate(lines, start=1):
        _read_line(reading, without_printk_prefix(line.rstrip("\r\n")), number)
    _close_levels_deeper_than(reading, 0)
    top = reading.levels[0]
    _end_document(reading, top)
    if top.plan is None and top.results:
        reading.problems.append("no plan")
    results = (*top.finished, *top.results)
    return KtapDocument(top.plan, results, tuple(reading.problems), reading.bail_out, tuple(top.diagnostics))


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most serious of some statuses; PASS if there are none."""
    return max(statuses, key=_SEVERITY.index, default=Status.PASS)


def overall(document: KtapDocument) -> Status | None:
    """Sum a document up: its worst result, SKIP only if all were skipped, None if there are none."""
    return _sum_up(document.results)


def _sum_up(results: Sequence[KtapResult]) -> Status | None:
    if not results:
        return None
    if all(result.status is Status.SKIP for result in results):
        return Status.SKIP
    return worst(result.status for result in results if result.status is not Status.SKIP)


def _read_line(reading: _KtapReader, line: str, number: int) -> None:
    prefix = _PREFIX.match(line)
    width = len(prefix[0].expandtabs(4)) if prefix else 0
    text = line[len(prefix[0]) :] if prefix else line
    if width > 0 and not _may_be_nested(reading, text, width):
        _take_diagnostic(reading, line)
    elif _VERSION.match(text):
        _begin_document(reading, _level_at(reading, width))
    elif plan := _PLAN.match(text):
        _take_plan(reading, _level_at(reading, width), int(plan[1]), plan[2] or "")
    elif result := _RESULT.match(text):
        _take_result(reading, _level_at(reading, width), result, number)
    elif bail_out := _BAIL_OUT.match(text):
        reading.bail_out = reading.bail_out or bail_out[1].strip() or "no reason given"
    else:
        _take_diagnostic(reading, line)


def _may_be_nested(reading: _KtapReader, text: str, width: int) -> bool:
    """Prose behind a `# ` or an indentation must not start a level: there a result needs its number."""
    if len(reading.levels) >= DEEPEST_LEVEL and width > reading.levels[-1].width:
        return False
    result = _RESULT.match(text)
    return result is None or result[2] is not None


def _take_diagnostic(reading: _KtapReader, line: str) -> None:
    if line.strip():
        reading.levels[-1].diagnostics.append(line)


def _level_at(reading: _KtapReader, width: int) -> _Level:
    """Return the open level of this indentation; closes deeper ones and opens it where needed."""
    _close_levels_deeper_than(reading, width)
    if reading.levels[-1].width < width:
        reading.levels.append(_Level(width))
    return reading.levels[-1]


def _close_levels_deeper_than(reading: _KtapReader, width: int) -> None:
    while reading.levels[-1].width > width:
        level = reading.levels.pop()
        _end_document(reading, level)
        if reading.levels[-1].width < width:
            reading.levels.append(_Level(width))
        parent = reading.levels[-1]
        parent.children += level.finished + level.results
        parent.diagnostics += level.diagnostics


def _begin_document(reading: _KtapReader, level: _Level) -> None:
    """Start counting anew: a second document on the same level, as when a script runs two programs."""
    if level.plan is None and not level.results:
        return
    _end_document(reading, level)
    level.finished += level.results
    level.results = []
    level.plan, level.plan_reason = None, ""
    level.numbers, level.last_number = set(), 0


def _take_plan(reading: _KtapReader, level: _Level, count: int, reason: str) -> None:
    if level.plan is not None and len(level.numbers) >= level.plan:
        _begin_document(reading, level)
    if level.plan is not None:
        reading.problems.append(f"a second plan: 1..{count} after 1..{level.plan}")
    level.plan = max(count, level.plan or 0)
    level.plan_reason = reason


def _take_result(reading: _KtapReader, level: _Level, match: re.Match[str], line: int) -> None:
    number = int(match[2]) if match[2] else level.last_number + 1
    name, directive, reason = _split_description(match[3].strip())
    status = _status(match[1] == "ok", directive)
    result = KtapResult(
        number, name, status, directive, reason, tuple(level.children), tuple(level.diagnostics), line
    )
    _check_number(reading, level, number, name)
    level.numbers.add(number)
    level.last_number = number
    level.results.append(_reconciled_with_children(reading, result))
    level.children, level.diagnostics = [], []


def _check_number(reading: _KtapReader, level: _Level, number: int, name: str) -> None:
    shown = f"result {number} ({name})" if name else f"result {number}"
    if number in level.numbers:
        reading.problems.append(f"{shown} is there twice")
    elif number != level.last_number + 1:
        reading.problems.append(f"{shown} is out of order, {level.last_number + 1} was expected")
    if level.plan is not None and number > level.plan:
        reading.problems.append(f"{shown} is more than the plan of {level.plan}")


def _split_description(text: str) -> tuple[str, str, str]:
    """Split `name # DIRECTIVE reason` into its three parts."""
    for match in _SEPARATOR.finditer(text):
        if match["directive"] or match["remark"]:
            name, rest = text[: match.start()].strip(), text[match.end() :].strip()
            directive = (match["word"] or "").upper().replace("SKIPPED", "SKIP")
            return _unescaped(name), directive, rest
    return _unescaped(text), "", ""


def _unescaped(name: str) -> str:
    return re.sub(r"\\([#\\])", r"\1", name)


def _status(ok: bool, directive: str) -> Status:
    """Map a result line to a status; TODO never counts as green, XFAIL fails as it was expected to."""
    match directive:
        case "SKIP" | "TODO":
            return Status.SKIP
        case "XFAIL":
            return Status.PASS
        case "XPASS" | "TIMEOUT":
            return Status.FAIL
        case "ERROR":
            return Status.ERROR
        case _:
            return Status.PASS if ok else Status.FAIL


def _reconciled_with_children(reading: _KtapReader, result: KtapResult) -> KtapResult:
    """A parent is never better than its subtests, whatever its own line says."""
    below = _sum_up(result.children)
    if below is None or result.directive == "XFAIL" or worst((below, result.status)) is result.status:
        return result
    if below is Status.SKIP:
        return replace(result, status=below, reason=result.reason or result.children[0].reason)
    reading.problems.append(
        f"{result.name or result.number} says {result.status}, but a subtest says {below}"
    )
    return replace(result, status=below)


def _end_document(reading: _KtapReader, level: _Level) -> None:
    """Account for everything that was promised and did not come."""
    if level.plan == 0 and not level.results and not level.children:
        _, directive, reason = _split_description(f"# {level.plan_reason}")
        level.results.append(KtapResult(0, "", Status.SKIP, directive, reason or "its plan has no tests"))
        return
    missing = _missing_numbers(reading, level)
    if level.children:
        _adopt_orphans(reading, level, missing)
    level.results += [
        KtapResult(number, "", Status.MISS, reason="planned, but no result") for number in missing
    ]
    level.results.sort(key=lambda result: result.number)


def _missing_numbers(reading: _KtapReader, level: _Level) -> list[int]:
    count = (level.plan or 0) - sum(1 for number in level.numbers if 1 <= number <= (level.plan or 0))
    if count <= 0:
        return []
    reading.problems.append(f"{count} of {level.plan} planned results are missing")
    missing: list[int] = []
    for number in range(1, (level.plan or 0) + 1):
        if number not in level.numbers:
            missing.append(number)
        if len(missing) >= MOST_MISSING_ROWS:
            reading.problems.append(f"only {MOST_MISSING_ROWS} of the missing results have a row")
            break
    return missing


def _adopt_orphans(reading: _KtapReader, level: _Level, missing: list[int]) -> None:
    """Give subtests that came without their parent's result a place in the tree."""
    orphans, level.children = tuple(level.children), []
    if level.plan is None and not level.results:
        level.results += orphans
        return
    reading.problems.append("subtests without a result of their parent")
    number = missing.pop(0) if missing else level.last_number + 1
    status = worst((Status.MISS, *(orphan.status for orphan in orphans)))
    level.results.append(KtapResult(number, "", status, reason="no result of its own", children=orphans))
