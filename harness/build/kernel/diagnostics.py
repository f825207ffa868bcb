# SPDX-License-Identifier: GPL-2.0-only
"""Reads kbuild's output: compiler warnings by object, and the first error with its context.

Builds are incremental, and an object that is not compiled again prints nothing; so warnings are
kept per object, and `make --output-sync=target` makes an object's lines stand together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from results.model.run import CompilerWarning

STEP = re.compile(r"^  [A-Z][A-Z0-9_]*(?: \[M\])?\s+(?P<object>\S+)$")
WARNING = re.compile(
    r"^(?P<file>[^\s:][^:]*?)(?::(?P<line>\d+))?(?::\d+)?: "
    r"warning: (?P<text>.*?)(?: \[(?P<flag>-W[^\]]+)\])?$"
)
ERROR_AT = re.compile(
    r"^(?P<file>[^\s:][^:]*?)(?::(?P<line>\d+))?(?::\d+)?: "
    r"(?:fatal )?error: (?P<text>.*?)(?: \[-Werror[=,](?P<flag>[^\]]+)\])?$"
)
CRASH = re.compile(
    r"internal compiler error|PLEASE submit a bug report|clang: error: unable to execute command"
    r"|: error: clang frontend command failed|Segmentation fault|signal terminated program"
)
"""A compiler that failed itself: gcc's and clang's own words, and the shell's."""
MODPOST = re.compile(r"^WARNING: modpost: (?P<text>.*)$")
ERROR = re.compile(
    r": (?:fatal )?error: |: undefined reference to |^(?:ERROR: |error: )|: cannot find |"
    r"^make(?:\[\d+\])?: \*\*\* |No space left on device|internal compiler error"
)
MACHINES_FAULT = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|Input/output error"
    r"|Cannot allocate memory|memory exhausted|[Oo]ut of memory\b|std::bad_alloc"
    r"|Resource temporarily unavailable"
    r"|Killed signal terminated program|\*\*\* \[.*\] (?:Killed|Terminated|Interrupt|Hangup)$"
)
CLOCK_SKEW = re.compile(
    r"make(?:\[\d+\])?: [Ww]arning: +(?:Clock skew detected|File .* has modification time .* in the future)"
)
"""As GNU make's remake.c and main.c print it."""
FAILED_OBJECT = re.compile(r"\*\*\* \[\S+: (?P<object>\S+\.o)\] Error \d+$")
_NOT_MADE = re.compile(r"\*\*\* \[\S+: (?P<object>\S+\.[os])\] Error \d+$")
CONTEXT_BEFORE, CONTEXT_AFTER = 3, 8


def step_of(line: str) -> str | None:
    """The object of a kbuild step line (`  CC      mm/huge_memory.o`), or None."""
    match = STEP.match(line)
    return match["object"] if match else None


def warnings_by_object(lines: Iterable[str], tree: Path) -> dict[str, list[CompilerWarning]]:
    """Warnings of each object that was made, empty lists for clean ones."""
    found: dict[str, list[CompilerWarning]] = {}
    current = ""
    for line in lines:
        if (step := step_of(line)) is not None:
            current = step
            found[current] = []
        elif (warning := _warning(line, tree)) and warning not in found.setdefault(current, []):
            found[current].append(warning)
    return found


def errors_by_object(lines: Iterable[str], tree: Path) -> dict[str, list[CompilerWarning]]:
    """Errors of each object that make could not make; one without a place where the compiler names none."""
    found: dict[str, list[CompilerWarning]] = {}
    current, said = "", ""
    for line in lines:
        if (step := step_of(line)) is not None:
            current, said = step, ""
        elif failed := _NOT_MADE.search(line):
            own = found.setdefault(failed["object"], found.pop(current, []))
            if not own:
                own.append(CompilerWarning(failed["object"], 0, "", said or "can't be made"))
            current, said = "", ""
        elif match := ERROR_AT.match(line):
            flag = f"-W{match['flag']}" if match["flag"] else ""
            place = _in_tree(match["file"], tree)
            found.setdefault(current, []).append(
                CompilerWarning(place, int(match["line"] or 0), flag, match["text"])
            )
        elif line.strip() and not line.startswith(("make", " ")):
            said = line.replace(f"{tree}/", "").strip()
    return {made: errors for made, errors in found.items() if errors and made}


def crashed_objects(lines: Iterable[str]) -> tuple[str, ...]:
    """Objects under which the compiler itself failed."""
    crashed: list[str] = []
    has_crashed = False
    for line in lines:
        if step_of(line) is not None:
            has_crashed = False
        elif CRASH.search(line):
            has_crashed = True
        elif has_crashed and (failed := _NOT_MADE.search(line)):
            crashed.append(failed["object"])
    return tuple(crashed)


def _warning(line: str, tree: Path) -> CompilerWarning | None:
    if match := MODPOST.match(line):
        return CompilerWarning(file="modpost", line=0, flag="", text=match["text"])
    if match := WARNING.match(line):
        return CompilerWarning(
            file=_in_tree(match["file"], tree),
            line=int(match["line"] or 0),
            flag=match["flag"] or "",
            text=match["text"],
        )
    return None


def _in_tree(name: str, tree: Path) -> str:
    return re.sub(r"^(?:\.\./)+", "", name.removeprefix(f"{tree}/"))


def merge(
    known: Mapping[str, Sequence[CompilerWarning]], news: Mapping[str, Sequence[CompilerWarning]]
) -> dict[str, Sequence[CompilerWarning]]:
    """What is known of all objects after a build in which only some were made again."""
    merged = {**known, **news}
    return {made: warnings for made, warnings in merged.items() if warnings}


def failed_object(lines: Iterable[str]) -> str:
    """The first object that make could not compile; empty if something else failed."""
    return next((found["object"] for found in map(FAILED_OBJECT.search, lines) if found), "")


def is_machines_fault(lines: Iterable[str]) -> bool:
    """Tell whether a failure says nothing about the sources: no room, no memory, a killed compiler."""
    return any(MACHINES_FAULT.search(line) for line in lines)


def has_clock_skew(lines: Iterable[str]) -> bool:
    """Tell whether make saw files that are newer than the clock."""
    return any(CLOCK_SKEW.match(line) for line in lines)


def first_error(lines: Iterable[str], tree: Path) -> str:
    """The first error as one line, and below it the lines around; the log's end if none looks like one."""
    kept = [line.replace(f"{tree}/", "") for line in lines]
    for index, line in enumerate(kept):
        if ERROR.search(line):
            context = kept[max(0, index - CONTEXT_BEFORE) : index + CONTEXT_AFTER]
            return "\n".join((line.strip(), "", *context))
    return "\n".join(kept[-CONTEXT_AFTER:])
