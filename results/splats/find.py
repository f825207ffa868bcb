# SPDX-License-Identifier: GPL-2.0-only
"""Error reports in the kernel's log: WARNING, BUG, Oops, KASAN, lockdep, hung tasks and their kin.

The signature of a report is made of what stays the same between two builds and two boots: its
kind, file and function; never addresses, offsets, line numbers, pids or cpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from results.model.run import LineRange, Splat
from results.splats.frames import (
    first_frame,
    has_frame,
    is_machinery,
    lock_place,
    program_counter,
    system_call,
)
from results.splats.kernel_log import KernelLine
from results.splats.rules import (
    CUT_HERE,
    END_MARK,
    HEADER_LOST,
    LONGEST_REPORT,
    SANITIZER_END,
    Rule,
    hints_at_report,
    rule_for,
)
from results.splats.tuxparse import MOST_LINES_ASKED, second_opinion
from results.text import without_printk_prefix

LONGEST_EXCERPT = 80
MOST_SPLATS = 100
"""Different signatures of one boot that are kept."""
_WIDEST_GAP = 50
"""Lines of other origin after which a report without an end mark is over."""
_LONGEST_MESSAGE = 80

_VOLATILE = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|[0-9]+")
_TRACE_LINE = re.compile(
    r"^\s|^\[|^</?|\+0x|^(?:CPU|Call [Tt]race|Tainted|Hardware name|Workqueue|RIP|Code|R[A-Z0-9]{2}:)"
)
_RCU_USAGE = re.compile(r"^(?P<file>[^\s:]+):[0-9]+ (?P<usage>.*usage!)")


@dataclass(slots=True)
class _Report:
    """A report while its lines come in."""

    first: KernelLine
    rule: Rule | None = None
    """None behind `cut here`, as long as no header was seen."""
    header: re.Match[str] | None = None
    message: str = ""
    """What WARN() was told to print, between `cut here` and the header."""
    raw: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """Without printk's prefix."""
    last: int = 0
    has_frames: bool = False


@dataclass(slots=True)
class _Collection:
    """What was found so far, one splat for each signature."""

    splats: dict[str, Splat] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    unshown: int = 0


def find_splats(kernel_lines: Iterable[KernelLine]) -> tuple[Splat, ...]:
    """Find the kernel's error reports; of several with one signature the first is kept, and says so."""
    collection = _Collection()
    unexplained: list[KernelLine] = []
    for report in _reports(kernel_lines, unexplained):
        _collect(collection, _splat(report))
    for splat in second_opinion(unexplained):
        _collect(collection, splat)
    found = [
        _with_repeats(splat, collection.repeats[splat.signature]) for splat in collection.splats.values()
    ]
    if collection.unshown:
        found.append(_flood(collection.unshown, found[-1]))
    return tuple(sorted(found, key=lambda splat: splat.lines.first))


def _collect(collection: _Collection, splat: Splat) -> None:
    if splat.signature in collection.splats:
        collection.repeats[splat.signature] += 1
    elif len(collection.splats) < MOST_SPLATS:
        collection.splats[splat.signature] = splat
        collection.repeats[splat.signature] = 0
    else:
        collection.unshown += 1


def _with_repeats(splat: Splat, repeats: int) -> Splat:
    if not repeats:
        return splat
    return replace(splat, excerpt=(*splat.excerpt, f"[… {repeats} more with this signature in this boot]"))


def _flood(count: int, last: Splat) -> Splat:
    title = f"{count} more reports of the kernel than the {MOST_SPLATS} kinds that are shown"
    return Splat("flood", title, "flood", LineRange(last.lines.last, last.lines.last))


def _reports(kernel_lines: Iterable[KernelLine], unexplained: list[KernelLine]) -> Iterator[_Report]:
    """Cut the log into reports; lines that look bad but belong to none go to `unexplained`."""
    report: _Report | None = None
    for line in kernel_lines:
        text = without_printk_prefix(line.text)
        if report and _is_over(report, line, text):
            yield report
            report = None
        fresh = _begin(line, text, report)
        if fresh:
            if report:
                yield report
            report = fresh
        elif report is None and len(unexplained) < MOST_LINES_ASKED and hints_at_report(text):
            unexplained.append(line)
        if report and _add(report, line, text):
            yield report
            report = None
    if report:
        yield report


def _begin(line: KernelLine, text: str, report: _Report | None) -> _Report | None:
    """Return a new report if this line begins one, and does not go on with the one that is open."""
    if CUT_HERE in text:
        return None if _awaits_its_trap(report) else _Report(line)
    found = rule_for(text)
    if not found:
        return None
    rule, header = found
    if report is None:
        return _Report(line, rule, header)
    if report.rule is None:
        report.rule, report.header = rule, header
        report.message = "" if rule.is_oops else " ".join(report.lines[1:])
        return None
    if not report.has_frames and rule.kind in _goes_on_with(report.rule):
        return None
    return _Report(line, rule, header)


def _awaits_its_trap(report: _Report | None) -> bool:
    """List debugging says what is wrong before it runs into the BUG or WARN that says where."""
    return bool(report and report.rule and report.rule.kind == "list-corruption" and not report.has_frames)


def _goes_on_with(rule: Rule) -> tuple[str, ...]:
    """Name the kinds whose headers belong to a report of which no frame was seen yet."""
    if not rule.is_oops:
        return ()
    oopses = ("oops", "page-fault", "gpf", "stack-overflow")
    return (*oopses, "bug", "warning") if rule.kind == "list-corruption" else oopses


def _is_over(report: _Report, line: KernelLine, text: str) -> bool:
    if line.test != report.first.test or line.number - report.last > _WIDEST_GAP:
        return True
    if len(report.lines) >= LONGEST_REPORT:
        return True
    ends_with_trace = report.rule is not None and report.rule.end == "trace"
    return ends_with_trace and report.has_frames and not _TRACE_LINE.search(text)


def _add(report: _Report, line: KernelLine, text: str) -> bool:
    """Take a line into a report; tells whether it was the last one."""
    report.raw.append(line.text)
    report.lines.append(text)
    report.last = line.number
    if report.rule is None:
        return END_MARK.search(text) is not None
    report.has_frames = report.has_frames or (line is not report.first and has_frame(text))
    if report.rule.end == "sanitizer":
        return len(report.lines) > 1 and SANITIZER_END.match(text) is not None
    if report.rule.end == "trace" and "</TASK>" in text:
        return True
    return END_MARK.search(text) is not None


def _splat(report: _Report) -> Splat:
    rule = report.rule or HEADER_LOST
    groups = report.header.groupdict() if report.header else {}
    what = _stable(groups.get("what") or "")
    file = _relative(groups.get("file") or "")
    where = _where(rule, groups.get("where") or "", report.lines)
    if rule.kind == "lockdep" and (usage := _rcu_usage(report.lines)):
        file, what = usage
    title = rule.title.format(what=what or "?") + (f" in {where}" if where else f" at {file}" if file else "")
    message = _stable(report.message)
    signature = " | ".join(part for part in (rule.kind, what, file, where, message) if part)
    lines = LineRange(report.first.number, report.last)
    return Splat(rule.kind, title, signature, lines, tuple(report.raw[:LONGEST_EXCERPT]), report.first.test)


def _where(rule: Rule, named: str, lines: list[str]) -> str:
    """Return the function that the header names, unless it only reports for the one that called it."""
    if named and not is_machinery(named):
        return named
    return (first_frame(lines[1:]) if named else _place(rule, lines)) or named


def _place(rule: Rule, lines: list[str]) -> str | None:
    """Return the function to blame."""
    match rule.place:
        case "pc":
            return program_counter(lines) or first_frame(lines)
        case "frame":
            return first_frame(lines[1:])
        case "lock":
            return lock_place(lines) or first_frame(lines[1:])
        case "system call":
            return system_call(lines) or program_counter(lines) or first_frame(lines[1:])
        case _:
            return None


def _rcu_usage(lines: list[str]) -> tuple[str, str] | None:
    for line in lines[:8]:
        if match := _RCU_USAGE.match(line):
            return _relative(match["file"]), _stable(match["usage"])
    return None


def _stable(text: str) -> str:
    """Replace whatever may differ between two boots."""
    return _VOLATILE.sub("N", text)[:_LONGEST_MESSAGE].strip()


def _relative(file: str) -> str:
    """Show a source file relative to the tree: an O= build may print `../mm/x.c` or an absolute path."""
    return re.sub(
        r"^(?:\.\./)+|^/.*?/(?=(?:arch|block|crypto|drivers|fs|include|init|ipc|kernel|lib|mm|net)/)",
        "",
        file,
    )
