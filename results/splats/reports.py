# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's messages cut into reports.

Where the kernel says who prints a line (CONFIG_PRINTK_CALLER), each caller's lines are read on their own, so
that the reports of two CPUs at the same time are kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from results.splats.frames import has_frame, starts_trace
from results.splats.headers import Head, HeaderReader, source_of
from results.splats.kernel_log import KernelLine
from results.splats.printk import Message, read_messages
from results.splats.rules import ANY_BUG, CUT_HERE, END_MARK, LONGEST_REPORT, SANITIZER_END, Rule

_WIDEST_GAP = 50
"""Lines of other origin after which a report without an end mark is over."""
_TRACE_LINE = re.compile(
    r"^\s|^\[|^</?|\+0x|^(?:CPU|Call [Tt]race|Tainted|Hardware name|Workqueue|RIP|Code|Modules|R[A-Z0-9]{2}:)"
)
_ONE_AFTER_THE_OTHER = ("oops", "page-fault", "gpf", "stack-overflow")
"""Kinds of the headers by which an oops goes on."""
_OTHER_CPU = re.compile(r"NMI backtrace for cpu|CPU [0-9]+ Hard LOCKUP")
_GRACE_PERIOD_THREAD = re.compile(r"^rcu: .*kthread stack|^task:rcu_")
_AFTER_GRACE_PERIOD_THREAD = re.compile(r"</TASK>|^rcu: |^Sending NMI|^NMI backtrace")


@dataclass(slots=True)
class Report:
    """A report while its lines come in."""

    first: KernelLine
    rule: Rule | None = None
    """None behind `cut here`, as long as no header was seen."""
    header: re.Match[str] | None = None
    message: str = ""
    """What WARN() was told to print between `cut here` and the header; most architectures do so."""
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
class _Reading:
    """The reports that are open, one for each source of messages."""

    headers: HeaderReader = field(default_factory=HeaderReader)
    reports: dict[str | None, Report] = field(default_factory=dict)

    def close(self, report: Report) -> Report:
        """Take a report out; other CPUs may have been printing into it."""
        self.reports = {caller: other for caller, other in self.reports.items() if other is not report}
        return report


def cut_into_reports(kernel_lines: Iterable[KernelLine]) -> Iterator[Report]:
    """Cut the log into reports."""
    reading = _Reading()
    for line in kernel_lines:
        for message in read_messages(line.text):
            yield from _take(reading, line, message)
    while reading.reports:
        yield reading.close(next(iter(reading.reports.values())))


def _take(reading: _Reading, line: KernelLine, message: Message) -> Iterator[Report]:
    """Give a message to the report it belongs to, or begin one; yield those that are over."""
    text = message.text
    source = source_of(message)
    report = reading.reports.get(source)
    head = reading.headers.read(line, message, bool(report and report.rule is None))
    if head and head.source != source:
        source = head.source
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


def _waiting_for_other_cpus(reading: _Reading) -> Report | None:
    """Return the stall or lockup that is open: it asks other CPUs where they are, and each answers."""
    return next(
        (report for report in reading.reports.values() if report.rule and report.rule.place == "system call"),
        None,
    )


def _begin(line: KernelLine, text: str, head: Head | None, report: Report | None) -> Report | None:
    """Return a new report if this line begins one, and does not go on with the one that is open."""
    if CUT_HERE in text:
        return None if _awaits_its_trap(report) else Report(line)
    if head is None:
        return None
    if report is None:
        return Report(head.line, head.rule, head.match)
    if report.rule is ANY_BUG and head.line is report.first:
        report.rule, report.header = head.rule, head.match
        return None
    if report.rule is None:
        report.rule, report.header = head.rule, head.match
        report.message = "" if head.rule.is_oops else _said(report, head.match)
        return None
    if head.rule.traps and report.lines[-1:] == [_header_of_warning(report)]:
        report.rule, report.header = head.rule, head.match
        return None
    if _goes_on_with(report, head.rule):
        return None
    return Report(head.line, head.rule, head.match)


def _said(report: Report, header: re.Match[str]) -> str:
    """Return what WARN() was told to print; two lines of unknown origin may be another CPU's."""
    lines = [line for line in report.lines[1:] if line and not header.string.startswith(line)]
    return " ".join(lines) if _says_who_prints(report) or len(lines) <= 1 else ""


def said_behind_header(report: Report) -> str:
    """Return what WARN() was told to print where that comes behind the header.

    It does where an architecture (sparc) has no trap for WARN(): __warn() in kernel/panic.c.
    """
    header = _header_of_warning(report)
    if header is None or header not in report.lines or not _says_who_prints(report):
        return ""
    behind = report.lines[report.lines.index(header) + 1 :]
    words = tuple(takewhile(lambda line: not _TRACE_LINE.search(line), behind))
    return " ".join(words) if len(words) < len(behind) else ""


def _header_of_warning(report: Report) -> str | None:
    is_warning = report.rule is not None and report.rule.kind == "warning"
    return report.header.string if is_warning and report.header else None


def _says_who_prints(report: Report) -> bool:
    return "][" in report.first.text.partition(CUT_HERE)[0]


def _awaits_its_trap(report: Report | None) -> bool:
    """A list or slab that is broken is described before the BUG or WARN that says where."""
    return bool(report and report.rule and report.rule.traps and not report.has_trace)


def _goes_on_with(report: Report, other: Rule) -> bool:
    """Tell whether a header belongs to a report of which nothing but the beginning was seen yet."""
    rule = report.rule
    if rule is None or (report.has_trace if rule.traps else report.has_frames):
        return False
    if rule.traps:
        return other.kind in ("warning", "bug", *_ONE_AFTER_THE_OTHER)
    if rule.kind == other.kind == "lockup":
        return True
    return rule.is_oops and other.kind in _ONE_AFTER_THE_OTHER


def _is_over(report: Report, line: KernelLine, text: str) -> bool:
    if line.test != report.first.test or line.number - max(report.last, report.first.number) > _WIDEST_GAP:
        return True
    if len(report.raw) >= LONGEST_REPORT:
        return True
    ends_with_trace = report.rule is not None and report.rule.end == "trace"
    return ends_with_trace and report.has_trace and not _TRACE_LINE.search(text)


def _add(report: Report, line: KernelLine, text: str) -> bool:
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


def _is_of_grace_period_thread(report: Report, text: str) -> bool:
    """Tell whether a line shows where RCU's own thread is."""
    if report.rule is None or report.rule.kind != "rcu-stall":
        return False
    if _GRACE_PERIOD_THREAD.search(text):
        report.of_grace_period_thread = True
    elif report.of_grace_period_thread and _AFTER_GRACE_PERIOD_THREAD.search(text):
        report.of_grace_period_thread = False
        return True
    return report.of_grace_period_thread
