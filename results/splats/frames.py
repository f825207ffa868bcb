# SPDX-License-Identifier: GPL-2.0-only
"""Functions in the stack dumps of a kernel report, on every architecture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from results.splats.machinery import is_machinery, only_reports

_NAME = r"[A-Za-z_][\w.$]{0,200}"
_FRAME = re.compile(rf"(?P<doubtful>\? )?(?P<function>{_NAME})\+0x[0-9a-f]+/0x[0-9a-f]+")
_PROGRAM_COUNTER = re.compile(
    r"(?:\bRIP: [0-9a-f]{4}:|^pc : |^NIP \[[0-9a-f]+\] |Krnl PSW : [0-9a-f]+ [0-9a-f]+ \(|\bTPC: <)"
    rf"(?P<function>{_NAME})\+0x"
)
_NOT_A_FRAME = re.compile(
    r"^(?:RIP:|pc :|lr :|NIP |LR |Krnl PSW|TPC:|RPC:|I7:|Workqueue:| *\{)|\bat: |\bat \S+\.[chS]:[0-9]"
)
_TRACE = re.compile(r"\bCall [Tt]race:|\bbacktrace\b")
_LAST_BREAK = "Last Breaking-Event-Address"
_LOCK_PLACE = re.compile(rf"\bat: (?P<function>{_NAME})\+0x")
_CLONE_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm|lto_priv|localalias|__uniq)\b(?:\.[0-9]+)*")
_SYSTEM_CALL = re.compile(
    r"^(?:__(?:x64|arm64|s390x?|powerpc|sparc|riscv|ia32)_|__(?:se|do)_|)(?:compat_|k)?(?P<name>sys_(?!call)\w+)$"
)


def program_counter(lines: Sequence[str]) -> str | None:
    """Return the function that the CPU was in, unless it only does something for others."""
    for line in lines:
        if match := _PROGRAM_COUNTER.search(line):
            function = plain_name(match["function"])
            return None if is_machinery(function) else function
    return None


def lock_place(lines: Sequence[str]) -> str | None:
    """Return the function that a lockdep report says took, or tries to take, the lock."""
    for line in lines:
        if match := _LOCK_PLACE.search(line):
            function = plain_name(match["function"])
            return None if is_machinery(function) else function
    return None


def first_frame(lines: Sequence[str]) -> str | None:
    """Return the innermost function that is somebody's; without one the innermost that does not report."""
    fallback: str | None = None
    for function in frames(lines):
        if not is_machinery(function):
            return function
        if fallback is None and not only_reports(function):
            fallback = function
    return fallback


def system_call(lines: Sequence[str]) -> str | None:
    """Return the system call at the bottom of the stack, named alike on every architecture."""
    for function in frames(lines):
        if match := _SYSTEM_CALL.match(function):
            return match["name"]
    return None


def frames(lines: Sequence[str]) -> Iterator[str]:
    """Yield the functions of the call traces, innermost first, without those the unwinder doubts.

    Where a report has a call trace, functions above it are no frames: they hold locks, or allocated.
    """
    start = next((index for index, line in enumerate(lines) if starts_trace(line)), 0)
    for line in lines[start:]:
        if _LAST_BREAK in line:
            return
        if "+0x" not in line or _NOT_A_FRAME.search(line):
            continue
        match = _FRAME.search(line)
        if match and not match["doubtful"] and "(unreliable)" not in line:
            yield plain_name(match["function"])


def starts_trace(line: str) -> bool:
    """Tell whether a call trace follows a line."""
    return _TRACE.search(line) is not None


def has_frame(line: str) -> bool:
    """Tell whether a line belongs to a stack dump, or names the program counter."""
    return "+0x" in line and _FRAME.search(line) is not None


def plain_name(function: str) -> str:
    """Take off what the compiler adds to the name of a clone; two builds don't agree on it."""
    return _CLONE_SUFFIX.sub("", function)
