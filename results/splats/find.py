# SPDX-License-Identifier: GPL-2.0-only
"""Error reports in the kernel's log: WARNING, BUG, Oops, KASAN, lockdep, hung tasks and their kin.

The signature of a report is made of what stays the same between two builds and two boots: its
kind, file and function; never addresses, offsets, line numbers, pids or cpus.

Where the kernel says who prints a line (CONFIG_PRINTK_CALLER), each caller's lines are read on their own, so
that the reports of two CPUs at the same time are kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from results.model.run import LineRange, Splat
from results.splats.frames import (
    first_frame,
    has_frame,
    lock_place,
    plain_name,
    program_counter,
    starts_trace,
    system_call,
)
from results.splats.kernel_log import KernelLine
from results.splats.machinery import is_machinery
from results.splats.printk import Message, read_messages
from results.splats.rules import (
    ANY_BUG,
    CUT_HERE,
    END_MARK,
    HEADER_LOST,
    LONGEST_REPORT,
    SANITIZER_END,
    Rule,
    hints_at_report,
    rule_for,
)

LONGEST_EXCERPT = 80
MOST_SPLATS = 100
"""Different signatures of one boot that are kept."""
_WIDEST_GAP = 50
"""Lines of other origin after which a report without an end mark is over."""
_LONGEST_MESSAGE = 120
_LINES_AFTER_TORN = 3
"""Messages among which the rest of a header that was torn apart is looked for."""

_VOLATILE = re.compile(
    r"\+0x[0-9a-f]+/0x[0-9a-f]+|\(_*ptrval_*\)|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|"
    r"\b[0-9]+|(?<=[a-zA-Z_])[0-9]+(?![a-z0-9])"
)
_TRACE_LINE = re.compile(
    r"^\s|^\[|^</?|\+0x|^(?:CPU|Call [Tt]race|Tainted|Hardware name|Workqueue|RIP|Code|Modules|R[A-Z0-9]{2}:)"
)
_ONE_AFTER_THE_OTHER = ("oops", "page-fault", "gpf", "stack-overflow")
"""Kinds of the headers by which an oops goes on."""
_RCU_USAGE = re.compile(r"^(?P<file>[^\s:]+):[0-9]+ (?P<usage>.*usage!)")
_STALLS = ("lockup", "rcu-stall")
_OTHER_CPU = re.compile(r"NMI backtrace for cpu|CPU [0-9]+ Hard LOCKUP")
_GRACE_PERIOD_THREAD = re.compile(r"^rcu: .*kthread stack|^task:rcu_")
_AFTER_GRACE_PERIOD_THREAD = re.compile(r"</TASK>|^rcu: |^Sending NMI|^NMI backtrace")


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
    in_trace: bool = False
    """Whether a call trace began."""
    has_trace: bool = False
    """Whether a call trace has a frame."""
    of_grace_period_thread: bool = False
    """Whether the lines tell where RCU's own thread is, which is never to blame."""


@dataclass(slots=True)
class _Torn:
    """A line that looks like the first half of a header."""

    line: KernelLine
    text: str
    left: int = _LINES_AFTER_TORN


@dataclass(frozen=True, slots=True)
class _Head:
    """A header that was found."""

    line: KernelLine
    source: str | None
    rule: Rule
    match: re.Match[str]


@dataclass(slots=True)
class _Reading:
    """The reports that are open, one for each source of messages."""

    has_stamps: bool = False
    reports: dict[str | None, _Report] = field(default_factory=dict)
    torn: dict[str | None, _Torn] = field(default_factory=dict)

    def close(self, report: _Report) -> _Report:
        """Take a report out; other CPUs may have been printing into it."""
        self.reports = {caller: other for caller, other in self.reports.items() if other is not report}
        return report


@dataclass(slots=True)
class _Collection:
    """What was found so far, one splat for each signature."""

    splats: dict[str, Splat] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    unshown: int = 0


def find_splats(kernel_lines: Iterable[KernelLine]) -> tuple[Splat, ...]:
    """Find the kernel's error reports; of several with one signature the first is kept, and says so."""
    collection = _Collection()
    for report in _reports(kernel_lines):
        _collect(collection, _splat(report))
    _fold_placeless(collection)
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


def _fold_placeless(collection: _Collection) -> None:
    """Count a stall whose stack did not arrive with one of the same boot whose stack did.

    Which CPU notices it first, and what it can say of the other, differs from boot to boot.
    """
    for signature in [each.signature for each in collection.splats.values() if each.kind in _STALLS]:
        beginning = f"{signature} | "
        whole = next((other for other in collection.splats if other.startswith(beginning)), None)
        if whole is not None:
            del collection.splats[signature]
            collection.repeats[whole] += collection.repeats.pop(signature) + 1


def _with_repeats(splat: Splat, repeats: int) -> Splat:
    if not repeats:
        return splat
    return replace(splat, excerpt=(*splat.excerpt, f"[… {repeats} more with this signature in this boot]"))


def _flood(count: int, last: Splat) -> Splat:
    title = f"{count} more reports of the kernel than the {MOST_SPLATS} kinds that are shown"
    return Splat("flood", title, "flood", LineRange(last.lines.last, last.lines.last))


def _reports(kernel_lines: Iterable[KernelLine]) -> Iterator[_Report]:
    """Cut the log into reports."""
    reading = _Reading()
    for line in kernel_lines:
        for message in read_messages(line.text):
            reading.has_stamps = reading.has_stamps or message.stamped
            yield from _take(reading, line, message)
    while reading.reports:
        yield reading.close(next(iter(reading.reports.values())))


def _take(reading: _Reading, line: KernelLine, message: Message) -> Iterator[_Report]:
    """Give a message to the report it belongs to, or begin one; yield those that are over."""
    text = message.text
    head = _head(reading, line, message)
    source = head.source if head else _source(message)
    report = reading.reports.get(source)
    if report and _is_over(report, line, text):
        yield reading.close(report)
        report = None
    if report is None and reading.reports and _OTHER_CPU.search(text):
        report = _waiting_for_other_cpus(reading)
        if report:
            reading.reports[source] = report
    begun = _begin(line, text, head, report)
    if begun:
        if report:
            yield reading.close(report)
        report = reading.reports[source] = begun
    if report and _add(report, line, text):
        yield reading.close(report)


def _source(message: Message) -> str | None:
    """Return the caller of printk, if known; text without a time is no part of a report with times."""
    return message.caller if message.stamped else "unstamped"


def _waiting_for_other_cpus(reading: _Reading) -> _Report | None:
    """Return the stall or lockup that is open: it asks other CPUs where they are, and each answers."""
    return next(
        (report for report in reading.reports.values() if report.rule and report.rule.place == "system call"),
        None,
    )


def _begin(line: KernelLine, text: str, head: _Head | None, report: _Report | None) -> _Report | None:
    """Return a new report if this line begins one, and does not go on with the one that is open."""
    if CUT_HERE in text:
        return None if _awaits_its_trap(report) else _Report(line)
    if head is None:
        return None
    if report is None:
        return _Report(head.line, head.rule, head.match)
    if report.rule is ANY_BUG and head.line is report.first:
        report.rule, report.header = head.rule, head.match
        return None
    if report.rule is None:
        report.rule, report.header = head.rule, head.match
        report.message = "" if head.rule.is_oops else _said(report, head.match)
        return None
    if _goes_on_with(report, head.rule):
        return None
    return _Report(head.line, head.rule, head.match)


def _head(reading: _Reading, line: KernelLine, message: Message) -> _Head | None:
    """Return the header that a line is, or completes."""
    if CUT_HERE in message.text:
        return None
    found = rule_for(message.text)
    if not found and (whole := _rest_of_torn(reading, message)):
        return whole
    if message.stamped and _may_be_torn(reading, message, found):
        reading.torn[message.caller] = _Torn(line, message.text)
    if not found:
        return None
    if reading.has_stamps and not message.stamped and not _names_a_place(found[1]):
        return None
    return _Head(line, _source(message), *found)


def _may_be_torn(reading: _Reading, message: Message, found: tuple[Rule, re.Match[str]] | None) -> bool:
    """Tell whether a line may be the first half of a header."""
    if found:
        return found[0] is ANY_BUG
    report = reading.reports.get(message.caller)
    awaits_header = report is not None and report.rule is None and message.caller not in reading.torn
    return awaits_header or hints_at_report(message.text)


def _names_a_place(header: re.Match[str]) -> bool:
    """Tell whether a header is the kernel's for certain, though it has no time in a log that has times."""
    places = header.groupdict()
    return bool(places.get("where") or places.get("file"))


def _rest_of_torn(reading: _Reading, message: Message) -> _Head | None:
    """Put the halves of a header together that another CPU's line, or a lost newline, tore apart."""
    for caller, torn in tuple(reading.torn.items()):
        if message.stamped and caller != message.caller:
            continue
        torn.left -= 1
        if torn.left <= 0:
            del reading.torn[caller]
        for glue in ("", " "):
            found = rule_for(torn.text + glue + message.text)
            if found and found[1].end() > len(torn.text) + len(glue):
                reading.torn.pop(caller, None)
                return _Head(torn.line, caller, *found)
    return None


def _said(report: _Report, header: re.Match[str]) -> str:
    """Return what WARN() was told to print; two lines of unknown origin may be another CPU's."""
    lines = [line for line in report.lines[1:] if line and not header.string.startswith(line)]
    is_known = "][" in report.first.text.partition(CUT_HERE)[0] or len(lines) <= 1
    return " ".join(lines) if is_known else ""


def _awaits_its_trap(report: _Report | None) -> bool:
    """A list or slab that is broken is described before the BUG or WARN that says where."""
    return bool(report and report.rule and report.rule.traps and not report.has_trace)


def _goes_on_with(report: _Report, other: Rule) -> bool:
    """Tell whether a header belongs to a report of which nothing but the beginning was seen yet."""
    rule = report.rule
    if rule is None or (report.has_trace if rule.traps else report.has_frames):
        return False
    if rule.traps:
        return other.kind in ("warning", "bug", *_ONE_AFTER_THE_OTHER)
    if rule.kind == other.kind == "lockup":
        return True
    return rule.is_oops and other.kind in _ONE_AFTER_THE_OTHER


def _is_over(report: _Report, line: KernelLine, text: str) -> bool:
    if line.test != report.first.test or line.number - max(report.last, report.first.number) > _WIDEST_GAP:
        return True
    if len(report.raw) >= LONGEST_REPORT:
        return True
    ends_with_trace = report.rule is not None and report.rule.end == "trace"
    return ends_with_trace and report.has_trace and not _TRACE_LINE.search(text)


def _add(report: _Report, line: KernelLine, text: str) -> bool:
    """Take a line into a report; tells whether it was the last one."""
    report.raw.append(line.text)
    report.last = line.number
    if _is_of_grace_period_thread(report, text):
        return False
    report.lines.append(text)
    if report.rule is None:
        return END_MARK.search(text) is not None
    if report.rule.end == "line":
        return True
    report.in_trace = report.in_trace or starts_trace(text)
    if len(report.lines) > 1 and has_frame(text):
        report.has_frames = True
        report.has_trace = report.has_trace or report.in_trace
    if report.rule.end == "sanitizer":
        return len(report.lines) > 1 and SANITIZER_END.match(text) is not None
    if report.rule.end == "trace" and "</TASK>" in text:
        return True
    return END_MARK.search(text) is not None


def _is_of_grace_period_thread(report: _Report, text: str) -> bool:
    """Tell whether a line shows where RCU's own thread is."""
    if report.rule is None or report.rule.kind != "rcu-stall":
        return False
    if _GRACE_PERIOD_THREAD.search(text):
        report.of_grace_period_thread = True
    elif report.of_grace_period_thread and _AFTER_GRACE_PERIOD_THREAD.search(text):
        report.of_grace_period_thread = False
        return True
    return report.of_grace_period_thread


def _splat(report: _Report) -> Splat:
    rule = report.rule or HEADER_LOST
    groups = report.header.groupdict() if report.header else {}
    what = _stable(plain_name(": ".join(filter(None, (groups.get("what"), groups.get("more"))))))
    file = _relative(groups.get("file") or "")
    where = _where(rule, plain_name(groups.get("where") or ""), report.lines)
    if rule.kind == "lockdep" and (usage := _rcu_usage(report.lines)):
        file, what = usage
    title = rule.title.format(what=what or "?") + (f" in {where}" if where else f" at {file}" if file else "")
    message = _stable(report.message)
    signature = " | ".join(part for part in (rule.kind, what, file, where, message) if part)
    lines = LineRange(report.first.number, max(report.last, report.first.number))
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
    return _VOLATILE.sub(_class, text)[:_LONGEST_MESSAGE].strip()


def _class(volatile: re.Match[str]) -> str:
    return "" if volatile[0].startswith("+") else "N"


def _relative(file: str) -> str:
    """Show a source file relative to the tree: an O= build may print `../mm/x.c` or an absolute path."""
    return re.sub(
        r"^(?:\.\./)+|^/.*?/(?=(?:arch|block|crypto|drivers|fs|include|init|ipc|kernel|lib|mm|net)/)",
        "",
        file,
    )
