# SPDX-License-Identifier: GPL-2.0-only
"""How the reports of a kernel begin: one rule for each kind, the first that matches decides.

The phrases are those of Linux 6.12 to 7.1 on x86, arm64, powerpc, s390 and sparc64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LONGEST_REPORT = 120
"""Lines of a report that are looked at; a report without an end mark ends here at the latest."""

_LONGEST_HEADER = 300
"""No header is longer; the rest of a hostile line is not worth the time of the patterns."""

CUT_HERE = "------------[ cut here ]------------"
END_MARK = re.compile(r"---\[ end (?:trace|Kernel panic)")
SANITIZER_END = re.compile(r"={30,}\s*$")

_HINTS = re.compile(
    r"BUG|WARNING:|Oops|OOPS: |Kernel panic|LOCKUP|UBSAN:|Internal error:|Insufficient stack|"
    r"SError Interrupt|PANIC: |CSD lock|SLUB: Unable |Unrecoverable |Unsupported unaligned|"
    r"Kernel unaligned|Kernel stack|Slab c|Unable to handle|Bad kernel stack|Bad swap|Unused swap|\[#|"
    r"\[ cut here|\[Hardware Error|general protection|page allocation failure|pagealloc: |kmemleak: |"
    r"kmem_cache_destroy|kobject: |blocked (?:for|in|on) |unable to handle|bogus return|nobody cared|"
    r"oom-killer: |vmalloc error|percpu: alloc|duplicate filename|double (?:add|fault)|kernel stack|"
    r"non-static key|exceeded stack|corruption|detected (?:expedited )?stall|bad p|"
    r"locking correctness validator|lock debugging|printk messages dropped|DEBUG_LOCKS_WARN_ON|"
    r"ODEBUG disabled"
)
"""What a line has that begins a report, or tells that reports are missing; literal words, for speed."""

Place = Literal["header", "pc", "frame", "lock", "system call"]
End = Literal["mark", "sanitizer", "trace", "line"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way a report begins."""

    kind: str
    title: str
    """`{what}` is filled in, and where it happened is added."""
    header: re.Pattern[str]
    """Named groups: `what` and `more` for the title, `file` and `where` (a function) for the place."""
    place: Place = "header"
    """Where the function that is to blame is found, if the header does not name it."""
    end: End = "mark"
    """What ends the report: an end mark, a line of `=`, the end of its stack trace, or its first line."""

    @property
    def traps(self) -> bool:
        """Whether a WARN, a BUG or an oops that follows before the first frame belongs to this report."""
        return self.kind in _TRAPS

    @property
    def is_oops(self) -> bool:
        """Whether it dies by an oops, whose headers follow each other before the first frame."""
        return self.kind in _OOPSES


_TRAPS = ("list-corruption", "slab-corruption")
_OOPSES = ("bug", "list-corruption", "stack-overflow", "page-fault", "gpf", "oops")


def _rules(place: Place, end: End, *rules: tuple[str, str, str]) -> tuple[Rule, ...]:
    """Make rules of kind, title and header."""
    return tuple(Rule(kind, title, re.compile(header), place, end) for kind, title, header in rules)


_WHERE = r"(?P<where>[A-Za-z_][\w.]*)"
_LOCKDEP = (
    r"possible circular locking dependency detected|possible recursive locking detected|"
    r"possible irq lock inversion dependency detected|\S{1,30}-safe -> \S{1,30}-unsafe lock order detected|"
    r"inconsistent lock state|suspicious RCU usage|[Nn]ested lock was not taken|held lock freed|"
    r"bad unlock balance detected|bad contention detected|lock held when returning to user space|"
    r"chain_key collision|lock nesting collision|possible unsafe locking scenario"
)
_AT = r"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?(?:at )?"
_SOURCE = r"(?P<file>[^\s:]+\.[chS]):[0-9]+"
_TAINT = r"\((?:Not tainted|Tainted\b[^)]*|[A-Z ]*)\)"

RULES = (
    *_rules(
        "frame",
        "sanitizer",
        ("kasan", "KASAN: {what}", rf"BUG: KASAN: (?P<what>.+?)(?: in(?: {_WHERE}\S*.*)?)?$"),
        ("kfence", "KFENCE: {what}", rf"BUG: KFENCE: (?P<what>.+?)(?: in(?: {_WHERE}\S*.*)?)?$"),
        ("kmsan", "KMSAN: {what}", rf"BUG: KMSAN: (?P<what>.+?)(?: in(?: {_WHERE}\S*.*)?)?$"),
    ),
    *_rules(
        "header",
        "sanitizer",
        ("kcsan", "KCSAN: {what}", r"BUG: KCSAN: (?P<what>.+? in [\w.]+(?: / [\w.]+)?)"),
    ),
    *_rules(
        "frame",
        "mark",
        ("ubsan", "UBSAN: {what}", r"UBSAN: (?P<what>.+?) in (?P<file>[^\s:]+)(?::[0-9]+)+"),
        ("ubsan", "UBSAN: {what}", rf"UBSAN: (?P<what>.+?) (?:in|at) {_WHERE}\+0x"),
    ),
    *_rules(
        "frame",
        "trace",
        ("slab-corruption", "BUG {what}", rf"^BUG (?P<what>\S.{{0,60}}?) {_TAINT}: (?P<more>\S.*)"),
        ("slab-corruption", "{what}", r"^(?P<what>Slab corruption) (?:\(.*?\): )?"),
        ("slab-corruption", "{what}", r"^kmem_cache_destroy \S+: (?P<what>Slab cache still has objects)"),
        (
            "atomic-sleep",
            "BUG: {what}",
            r"BUG: (?P<what>sleeping function called from invalid context|assuming \S+(?: \S+)? context) "
            r"at (?P<file>[^\s:]+)",
        ),
        (
            "atomic-sleep",
            "BUG: {what}",
            r"BUG: (?P<what>scheduling while atomic|scheduling in a non-blocking section)",
        ),
        (
            "hung-task",
            "INFO: task hung",
            r"INFO: task .+:[0-9]+ (?:is )?blocked (?:in I/O wait )?(?:on \S+ )?for more than [0-9]+ seconds",
        ),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>Bad page (?:state|map|cache)) in process"),
        (
            "memory-corruption",
            "pagealloc: {what}",
            r"^pagealloc: (?P<what>memory corruption|single bit error)",
        ),
        ("memory-corruption", "BUG: {what}", r"^BUG: (?P<what>mempool element poison mismatch)"),
        ("preemptible", "BUG: {what}", r"^BUG: (?P<what>using \w+\S* in preemptible)"),
        ("memory-leak", "kmemleak: {what}", r"^kmemleak: (?P<what>unreferenced object) 0x"),
        (
            "kmemleak",
            "kmemleak: {what}",
            r"^kmemleak: (?P<what>[A-Z][a-z ]+ (?:unknown )?object)\b(?! searching|s)",
        ),
        ("sysfs", "sysfs: {what}", r"^sysfs: (?P<what>cannot create duplicate filename)"),
        ("sysfs", "kobject: {what}", r"^kobject: .{0,80}?(?P<what>tried to init an initialized object)"),
        ("allocation-failure", "{what}", r"^.{1,80}?: (?P<what>page allocation failure: order:[0-9]+)"),
        ("allocation-failure", "{what}", r"^.{1,80}?: (?P<what>vmalloc error): size"),
        ("allocation-failure", "{what}", r"^(?P<what>percpu: allocation failed)"),
    ),
    *_rules(
        "system call",
        "trace",
        ("lockup", "BUG: {what}", r"BUG: (?P<what>soft lockup) - CPU#"),
        ("lockup", "{what}", r"(?:Watchdog|CPU [0-9]+) detected (?P<what>hard LOCKUP) on (?:other CPUs|cpu)"),
        ("lockup", "{what}", rf"CPU [0-9]+ self-detected (?P<what>hard LOCKUP) @ {_WHERE}"),
        ("lockup", "{what}", r"CPU [0-9]+ (?P<what>Hard LOCKUP)\b"),
        ("lockup", "BUG: {what}", r"BUG: (?P<what>NMI Watchdog detected LOCKUP)"),
        (
            "lockup",
            "csd: {what}",
            rf"csd: Detected (?P<what>non-responsive CSD lock) .*? for CPU#[0-9]+ {_WHERE}",
        ),
        (
            "rcu-stall",
            "INFO: {what} detected stall",
            r"INFO: (?P<what>rcu\w*) (?:self-)?detected (?:expedited )?stalls?\b",
        ),
    ),
    *_rules(
        "header",
        "line",
        ("lockup", "BUG: {what}", r"BUG: (?P<what>workqueue lockup) - pool"),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>Bad rss-counter state) mm:\S+ type:(?P<file>\w+)"),
        ("bad-page", "BUG: {what}", r"BUG: (?P<what>non-zero pgtables_bytes) on freeing mm"),
        (
            "bad-page-table",
            "{what}",
            rf"^{_SOURCE}: (?P<what>bad (?:pte|pmd|pud|p4d|pgd)) "
            rf"[(0-9a-fA-F].*?(?: seen at \({_WHERE}\+0x.*)?$",
        ),
        (
            "swap-entry",
            "{what}",
            rf"^(?:{_WHERE}: )?(?P<what>(?:Bad|Unused) swap (?:file|offset) entry) [0-9a-f]+",
        ),
        ("memory-leak", "kmemleak: {what}", r"^kmemleak: [0-9]+ (?P<what>new suspected memory leaks)"),
        ("unaligned-access", "{what}", rf"^(?P<what>Kernel unaligned access) at TPC\[[0-9a-f]+\] {_WHERE}"),
        ("unaligned-access", "{what}", r"^(?P<what>Unsupported unaligned load/store trap for kernel)"),
        (
            "hardware-error",
            "{what}",
            r"\[Hardware Error\]: .*?"
            r"(?P<what>Machine Check|[Mm]achine check events? logged|Deferred error|Uncorrected error)",
        ),
        ("allocation-failure", "SLUB: {what}", r"^SLUB: (?P<what>Unable to allocate memory) on"),
    ),
    *_rules(
        "header",
        "trace",
        ("oom-kill", "oom-killer invoked", r"^.{1,80}?\binvoked oom-killer: "),
        ("irq", "irq: {what}", r"^irq [0-9]+: (?P<what>nobody cared)"),
        ("irq", "irq: {what}", r"^irq event [0-9]+: (?P<what>bogus return value)"),
    ),
    *_rules(
        "frame",
        "mark",
        ("list-corruption", "{what} corruption", r"(?P<what>list_(?:add|del)) (?:corruption|double add)"),
    ),
    *_rules(
        "pc",
        "mark",
        ("bug", "kernel BUG", rf"[kK]ernel BUG at {_SOURCE}"),
        ("bug", "kernel BUG", rf"[kK]ernel BUG at {_WHERE}\+0x"),
        ("stack-overflow", "{what} was hit", r"BUG: (?P<what>\w+ stack guard page) was hit"),
        (
            "stack-overflow",
            "kernel stack overflow",
            r"Insufficient stack space to handle exception|^[kK]ernel stack overflow|exceeded stack limit|"
            r"Bad kernel stack pointer",
        ),
        (
            "page-fault",
            "{what}",
            r"(?:BUG: [kK]ernel|[uU]nable to handle kernel) (?P<what>NULL pointer dereference)",
        ),
        (
            "page-fault",
            "unable to handle {what}",
            r"[uU]nable to handle (?P<what>page fault|unknown paging fault|kernel [a-z][a-z -]{0,60}?[a-z])"
            r"(?= (?:at|on|in|for|\() ?|\s*$)",
        ),
        ("gpf", "{what}", r"^Oops: (?P<what>general protection fault)"),
        ("gpf", "{what}", r"^(?P<what>general protection fault)(?=.*\[#[0-9]+\])"),
        ("oops", "{what}", r"PANIC: (?P<what>double fault)"),
        ("oops", "{what}", r"^(?P<what>SError Interrupt) on CPU[0-9]+, code"),
        ("oops", "{what}", r"^OOPS: (?P<what>Bogus kernel PC)"),
        (
            "oops",
            "{what}",
            r"^(?P<what>Unrecoverable (?:exception|FP|VMX|VSX|TM)\b[A-Za-z/ ]{0,40}?)"
            r"(?= (?:[0-9a-f]+ )?at |$)",
        ),
        (
            "oops",
            "Oops: {what}",
            r"(?:Oops|Internal error): (?P<what>(?:Oops - )?[A-Za-z][A-Za-z ]*[A-Za-z]).*\[#[0-9]+\]",
        ),
        ("oops", "Oops", r"\bOops\b.*\[#[0-9]+\]|Internal error: .*\[#[0-9]+\]"),
        ("oops", "{what}", r"\b(?P<what>[A-Za-z][a-z -]{1,40}): [0-9a-f]{4} (?:ilc:[0-9] )?\[#[0-9]+\]"),
        ("oops", "{what}", r"^\S+\([0-9]+\): (?P<what>[A-Z][A-Za-z ]+) \[#[0-9]+\]"),
    ),
    *_rules(
        "lock",
        "trace",
        ("lockdep", "{what}", rf"(?:WARNING: |INFO: |\[ BUG: )(?P<what>{_LOCKDEP})"),
        ("lockdep", "{what}", r"\[ BUG: (?P<what>Invalid wait context) \]"),
        ("lockdep", "{what}", r"WARNING: .+/[0-9]+ (?P<what>still has locks held)"),
        ("lockdep", "{what}", r"INFO: (?P<what>trying to register non-static key)"),
        ("lockdep", "{what}", r"^BUG: (?P<what>looking up invalid subclass|key \S+ has not been registered)"),
    ),
    *_rules(
        "pc",
        "mark",
        ("warning", "WARNING", rf"{_AT}{_SOURCE} (?:at )?{_WHERE}\+0x"),
        ("warning", "WARNING", rf"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?at {_WHERE}\+0x"),
        ("warning", "WARNING", rf"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?at {_SOURCE}"),
        ("warning", "WARNING", rf"WARNING: {_SOURCE} at "),
    ),
    *_rules(
        "header", "mark", ("panic", "Kernel panic: {what}", r"^Kernel panic - not syncing: (?P<what>.*)")
    ),
    *_rules(
        "frame", "trace", ("bug", "BUG: {what}", r"^(?:\[ )?BUG: (?P<what>[A-Za-z]\S*(?: [^\s:/,]+){0,5})")
    ),
)

ANY_BUG = RULES[-1]
"""For a header of which no other rule knows the words; they may be the first half of one that is known."""

HEADER_LOST = Rule("warning", "report without a header", re.compile(r"(?!)"), "pc")
"""For a report of which only the `cut here` line can be recognised."""

_NOT_THE_KERNELS = re.compile(
    r"[^\s:\[]{1,40}\[[0-9]+\]: |# |(?:not )?ok [0-9]|TAP version|traps: \S{1,40}\[[0-9]+\] |"
    r"BUG: MAX_[A-Z_]+ too low"
)
"""What a process wrote or did; and limits of lockdep, which are no bugs but turn it off (`checkers`)."""
_BEFORE_HEADER = re.compile(r"(?:[^\s:]+(?: [^\s:]+)?: ){0,3}(?:\[ )?$")
"""What may stand before a header: `watchdog: `, `rcu: `, `pmd_split(71): `; no sentence."""


def hints_at_report(text: str) -> bool:
    """Tell cheaply whether a line may begin a report; almost every line of a log may not."""
    return _HINTS.search(text) is not None and "messages suppressed" not in text


def rule_for(text: str) -> tuple[Rule, re.Match[str]] | None:
    """Find the rule for a line that begins a report; its printk prefix must be gone."""
    if not hints_at_report(text) or _NOT_THE_KERNELS.match(text):
        return None
    start = text[:_LONGEST_HEADER]
    for rule in RULES:
        match = rule.header.search(start)
        if match and (match.start() == 0 or _BEFORE_HEADER.fullmatch(start[: match.start()])):
            return rule, match
    return None
