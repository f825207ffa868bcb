# SPDX-License-Identifier: GPL-2.0-only
"""Error reports in the kernel's log: WARNING, BUG, Oops, KASAN, lockdep, hung tasks and their kin.

The signature of a report is made of what stays the same between two builds and two boots: its
kind, file and function; never addresses, offsets, line numbers, pids or cpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from results.model.run import LineRange, Splat
from results.splats.frames import first_frame, lock_place, plain_name, program_counter, system_call
from results.splats.kernel_log import KernelLine
from results.splats.machinery import is_machinery
from results.splats.reports import Report, cut_into_reports, said_behind_header
from results.splats.rules import HEADER_LOST, Rule

LONGEST_EXCERPT = 80
MOST_SPLATS = 100
"""Different signatures of one boot that are kept."""
_LONGEST_MESSAGE = 120

_VOLATILE = re.compile(
    r"\+0x[0-9a-f]+/0x[0-9a-f]+|\(_*ptrval_*\)|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|"
    r"\b[0-9]+|(?<=[a-zA-Z_])[0-9]+(?![a-z0-9])"
)
_RCU_USAGE = re.compile(r"^(?P<file>[^\s:]+):[0-9]+ (?P<usage>.*usage!)")
_STALLS = ("lockup", "rcu-stall")


@dataclass(slots=True)
class _Collection:
    """What was found so far, one splat for each signature."""

    splats: dict[str, Splat] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    unshown: int = 0


def find_splats(kernel_lines: Iterable[KernelLine]) -> tuple[Splat, ...]:
    """Find the kernel's error reports; of several with one signature the first is kept, and says so."""
    collection = _Collection()
    for report in cut_into_reports(kernel_lines):
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


def _splat(report: Report) -> Splat:
    rule = report.rule or HEADER_LOST
    groups = report.header.groupdict() if report.header else {}
    what = _stable(plain_name(": ".join(filter(None, (groups.get("what"), groups.get("more"))))))
    file = _relative(groups.get("file") or "")
    where = _where(rule, plain_name(groups.get("where") or ""), report.lines)
    if rule.kind == "lockdep" and (usage := _rcu_usage(report.lines)):
        file, what = usage
    title = rule.title.format(what=what or "?") + (f" in {where}" if where else f" at {file}" if file else "")
    message = _stable(report.message or said_behind_header(report))
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
