# SPDX-License-Identifier: GPL-2.0-only
"""How the reports of a kernel begin: one rule for each kind, the first that matches decides.

The phrases are those of Linux 6.12 to 7.1 on x86, arm64, powerpc, s390 and sparc64.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LONGEST_REPORT = 120
"""Lines of a report that are looked at; a report without an end mark ends here at the latest."""

_LONGEST_HEADER = 300
"""No header is longer; the rest of a hostile line is not worth the time of the patterns."""

CUT_HERE = "------------[ cut here ]------------"
END_MARK = re.compile(r"---\[ end (?:trace|Kernel panic)")
SANITIZER_END = re.compile(r"={30,}\s*$")

_HINTS = (
    "BUG", "WARNING:", "Oops", "Kernel panic", "LOCKUP", "detected stall", "detected expedited stall",
    "self-detected stall", "blocked for more than", "blocked in I/O wait", "UBSAN:", "Internal error:",
    "nable to handle", "general protection fault", "page allocation failure", "invoked oom-killer",
    "corruption", "[ cut here ]", "Insufficient stack space", "ernel stack overflow", "non-static key",
    "Unhandled fault", "invalid opcode", "divide error", "exceeded stack", " [#",
)  # fmt: skip


Place = Literal["header", "pc", "frame", "lock", "system call"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way a report begins."""

    kind: str
    title: str
    """`{what}` is filled in, and where it happened is added."""
    header: re.Pattern[str]
    """Named groups: `what` goes into title and signature, `file` and `where` (a function) say the place."""
    place: Place = "header"
    """Where the function that is to blame is found, if the header does not name it."""
    end: Literal["mark", "sanitizer", "trace"] = "mark"
    """What ends the report: an end mark, a line of `=`, or the end of the first stack trace."""

    @property
    def is_oops(self) -> bool:
        """Whether it dies by an oops, whose headers follow each other before the first frame."""
        return self.kind in _OOPSES


_OOPSES = ("bug", "list-corruption", "stack-overflow", "page-fault", "gpf", "oops")


def _sanitizers(*names: str) -> Iterator[Rule]:
    for name in names:
        header = rf"BUG: {name}: (?P<what>.+?)(?: in (?P<where>[\w.]+)\S*.*)?$"
        yield Rule(name.lower(), f"{name}: {{what}}", re.compile(header), "frame", "sanitizer")


def _reports(place: Place, *rules: tuple[str, str, str]) -> Iterator[Rule]:
    """Make rules of kind, title and header for reports that have an end mark."""
    for kind, title, header in rules:
        yield Rule(kind, title, re.compile(header), place, "mark")


def _dumps(place: Place, *rules: tuple[str, str, str]) -> Iterator[Rule]:
    """Make rules of kind, title and header for messages that are over with their stack trace."""
    for kind, title, header in rules:
        yield Rule(kind, title, re.compile(header), place, "trace")


_LOCKDEP = (
    r"possible circular locking dependency detected|possible recursive locking detected|"
    r"possible irq lock inversion dependency detected|\S{1,30}-safe -> \S{1,30}-unsafe lock order detected|"
    r"inconsistent lock state|suspicious RCU usage|Nested lock was not taken|held lock freed|"
    r"bad unlock balance detected|bad contention detected|lock held when returning to user space|"
    r"chain_key collision"
)
_AT = r"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?(?:at )?"
_SOURCE = r"(?P<file>[^\s:]+\.[chS]):[0-9]+"

RULES = (
    *_sanitizers("KASAN", "KFENCE", "KMSAN"),
    Rule(
        "kcsan",
        "KCSAN: {what}",
        re.compile(r"BUG: KCSAN: (?P<what>.+? in [\w.]+(?: / [\w.]+)?)"),
        end="sanitizer",
    ),
    *_reports("frame", ("ubsan", "UBSAN: {what}", r"UBSAN: (?P<what>.+?) in (?P<file>[^\s:]+)(?::[0-9]+)*")),
    *_dumps(
        "frame",
        (
            "atomic-sleep",
            "BUG: {what}",
            r"BUG: (?P<what>sleeping function called from invalid context|"
            r"assuming \S+(?: \S+)? context) at (?P<file>[^\s:]+)",
        ),
        (
            "atomic-sleep",
            "BUG: {what}",
            r"BUG: (?P<what>scheduling while atomic|scheduling in a non-blocking section)",
        ),
        (
            "hung-task",
            "INFO: task hung",
            r"INFO: task .+:[0-9]+ (?:is )?blocked (?:in I/O wait )?for more than [0-9]+ seconds",
        ),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>Bad page (?:state|map|cache)) in process"),
    ),
    *_dumps(
        "system call",
        ("lockup", "BUG: {what}", r"BUG: (?P<what>soft lockup) - CPU#"),
        ("lockup", "{what}", r"detected (?P<what>hard LOCKUP) on cpu"),
        (
            "rcu-stall",
            "INFO: {what} detected stall",
            r"INFO: (?P<what>rcu\w*) (?:self-)?detected (?:expedited )?stalls?\b",
        ),
    ),
    *_dumps(
        "header",
        ("lockup", "BUG: {what}", r"BUG: (?P<what>workqueue lockup) - pool"),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>Bad rss-counter state) mm:\S+ type:(?P<file>\w+)"),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>non-zero pgtables_bytes) on freeing mm"),
        ("oom-kill", "oom-killer invoked", r"\binvoked oom-killer: "),
    ),
    *_reports(
        "frame",
        ("list-corruption", "{what} corruption", r"(?P<what>list_(?:add|del)) corruption"),
    ),
    *_reports(
        "pc",
        ("bug", "kernel BUG", rf"[kK]ernel BUG at {_SOURCE}"),
        ("bug", "kernel BUG", r"[kK]ernel BUG at (?P<where>[\w.]+)\+0x"),
        ("stack-overflow", "{what} was hit", r"BUG: (?P<what>\w+ stack guard page) was hit"),
        (
            "stack-overflow",
            "kernel stack overflow",
            r"Insufficient stack space to handle exception|^[kK]ernel stack overflow|exceeded stack limit",
        ),
        (
            "page-fault",
            "{what}",
            r"(?:BUG: [kK]ernel|[uU]nable to handle kernel) (?P<what>NULL pointer dereference)",
        ),
        (
            "page-fault",
            "unable to handle {what}",
            r"nable to handle (?P<what>page fault|kernel [a-z][a-z ]{0,60}?[a-z])(?= (?:at|on|in|for) |\s*$)",
        ),
        ("gpf", "{what}", r"(?P<what>general protection fault)"),
        (
            "oops",
            "Oops: {what}",
            r"(?:Oops|Internal error): (?P<what>(?:Oops - )?[A-Za-z][A-Za-z ]*[A-Za-z]).*\[#[0-9]+\]",
        ),
        ("oops", "Oops", r"\bOops\b.*\[#[0-9]+\]|Internal error: .*\[#[0-9]+\]"),
        ("oops", "{what}", r"\b(?P<what>[a-z][a-z ]{1,30}): [0-9a-f]{4} (?:ilc:[0-9] )?\[#[0-9]+\]"),
        ("oops", "{what}", r"^\S+\([0-9]+\): (?P<what>[A-Z][A-Za-z ]+) \[#[0-9]+\]"),
    ),
    *_dumps(
        "lock",
        ("lockdep", "{what}", rf"(?:WARNING: |INFO: |\[ BUG: )(?P<what>{_LOCKDEP})"),
        ("lockdep", "{what}", r"\[ BUG: (?P<what>Invalid wait context) \]"),
        ("lockdep", "{what}", r"WARNING: .+/[0-9]+ (?P<what>still has locks held)"),
        ("lockdep", "{what}", r"INFO: (?P<what>trying to register non-static key)"),
    ),
    *_reports(
        "pc",
        ("warning", "WARNING", rf"{_AT}{_SOURCE} (?:at )?(?P<where>[\w.]+)\+0x"),
        ("warning", "WARNING", r"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?at (?P<where>[\w.]+)\+0x"),
        ("warning", "WARNING", rf"{_AT}{_SOURCE}"),
    ),
    *_reports(
        "header", ("panic", "Kernel panic: {what}", r"(?<!end )Kernel panic - not syncing: (?P<what>.*)")
    ),
    *_dumps(
        "frame",
        ("allocation-failure", "{what}", r": (?P<what>page allocation failure: order:[0-9]+)"),
        (
            "bug",
            "BUG: {what}",
            r"(?:^|: |\[ )BUG: (?P<what>[A-Za-z]\S*(?: [^\s:/,]+){0,5})",
        ),
    ),
)

HEADER_LOST = Rule("warning", "report without a header", re.compile(r"(?!)"), "frame")
"""For a report of which only the `cut here` line can be recognised."""


def hints_at_report(text: str) -> bool:
    """Tell cheaply whether a line may begin a report; almost every line of a log may not."""
    return any(hint in text for hint in _HINTS) and "messages suppressed" not in text


def rule_for(text: str) -> tuple[Rule, re.Match[str]] | None:
    """Find the rule for a line that begins a report; its printk prefix must be gone."""
    if not hints_at_report(text):
        return None
    start = text[:_LONGEST_HEADER]
    for rule in RULES:
        if match := rule.header.search(start):
            return rule, match
    return None
