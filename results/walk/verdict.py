# SPDX-License-Identifier: GPL-2.0-only
"""Which patches are safe to bisect through: rows, columns and a one-sentence verdict.

A patch is bad if it introduces a fault. A patch that inherits a fault is not bad, but can't be bisected
through, either. A patch that could not be verified is never called safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.compare.verdict import EXIT_CLEAN, EXIT_REGRESSION, EXIT_UNPROVEN
from results.model.run import Subject
from results.model.walk import (
    ArchColumn,
    Fault,
    FaultKind,
    PatchResult,
    PatchState,
    RebuildCheck,
    Safe,
    Same,
    WalkRow,
)
from results.text import join

_GOOD = (PatchState.OK, PatchState.BUILDS)
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class WalkVerdict:
    """The verdict on a series."""

    safe: Safe
    headline: str
    exit_code: int


def column_of(arch: str, steps: tuple[PatchResult, ...]) -> ArchColumn:
    """Sum up one architecture."""
    bad = [step for step in steps if own_faults(step)]
    if bad:
        return ArchColumn(arch, steps, bad[0].number, f"first bad: {_summary(own_faults(bad[0]))}")
    unknown = [step for step in steps if step.state not in _GOOD]
    if unknown:
        first = unknown[0]
        words = f"no fault found, but {_name(first.number)} is not verified: {first.state}, {first.words}"
        return ArchColumn(arch, steps, None, words)
    numbers = [step.number for step in steps if step.number]
    done = "builds" if any(step.state is PatchState.BUILDS for step in steps) else "is safe"
    return ArchColumn(arch, steps, None, f"every one of {_patches(numbers)} {done}")


def rows_of(
    subject: Subject, numbers: Sequence[int], columns: Sequence[ArchColumn], checks: Sequence[RebuildCheck]
) -> tuple[WalkRow, ...]:
    """Sum up every patch over all architectures."""
    return tuple(
        _row(subject, number, {column.arch: column.steps[index] for column in columns}, checks)
        for index, number in enumerate(numbers)
    )


def _row(
    subject: Subject, number: int, steps: Mapping[str, PatchResult], checks: Sequence[RebuildCheck]
) -> WalkRow:
    patch = subject.patches[number - 1] if number else None
    doubted = {check.arch: check.words for check in checks if check.number == number and not check.ok}
    safe, because = _judge(steps, doubted)
    return WalkRow(
        number=number,
        subject=patch.subject if patch else f"base: {subject.tree} {subject.tree_version}",
        commit=patch.commit if patch else subject.base_commit,
        safe=safe,
        because=because,
        fuzzed=sum(hunk.patch == patch.subject for hunk in subject.fuzzed) if patch else 0,
    )


def _judge(steps: Mapping[str, PatchResult], doubted: Mapping[str, str]) -> tuple[Safe, str]:
    own = {arch: texts for arch, step in steps.items() if (texts := _texts(own_faults(step)))}
    if own:
        return Safe.NO, _by_arch(own)
    inherited = {arch: _inherited(step) for arch, step in steps.items() if step.faults}
    if inherited:
        return Safe.INHERITS, _by_arch(inherited)
    if doubted:
        return Safe.UNKNOWN, _by_arch(doubted)
    open_questions = {
        arch: f"{step.state}: {step.words}" for arch, step in steps.items() if step.state not in _GOOD
    }
    if open_questions:
        return Safe.UNKNOWN, _by_arch(open_questions)
    where = join(tuple(steps))
    if any(step.state is PatchState.BUILDS for step in steps.values()):
        return Safe.UNKNOWN, f"it builds without new warnings on {where}, and nothing was booted"
    return Safe.YES, f"{_why_safe(steps)} on {where}"


def _why_safe(steps: Mapping[str, PatchResult]) -> str:
    sames = {(step.same, step.same_as) for step in steps.values()}
    same, other = next(iter(sames)) if len(sames) == 1 else (None, None)
    if other is not None and same is Same.SOURCES:
        return f"no build input of the kernel has changed since {_name(other)}"
    if other is not None and same is Same.IMAGE:
        return f"the image is the same as that of {_name(other)}"
    return "builds, boots and passes"


def own_faults(step: PatchResult) -> tuple[Fault, ...]:
    """Return the faults that a patch introduces."""
    return tuple(fault for fault in step.faults if fault.since == step.number)


def _texts(faults: Sequence[Fault]) -> str:
    shown = "; ".join(fault.text + _doubt(fault) for fault in faults[:_NAMES_SHOWN])
    more = len(faults) - _NAMES_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _doubt(fault: Fault) -> str:
    """Return the other patches that may have introduced a fault, since they could not be tested."""
    return "" if fault.after >= fault.since - 1 else f" (introduced by {fault.culprit})"


def _inherited(step: PatchResult) -> str:
    by_origin: dict[int, list[Fault]] = {}
    for fault in sorted(step.faults, key=lambda fault: fault.since):
        by_origin.setdefault(fault.since, []).append(fault)
    return f"inherited: {'; '.join(map(_summary, by_origin.values()))}"


def _by_arch(texts: Mapping[str, str]) -> str:
    """Join the words that hold for several architectures."""
    places: dict[str, list[str]] = {}
    for arch, text in texts.items():
        places.setdefault(text, []).append(arch)
    return "; ".join(f"{join(arches)}: {text}" for text, arches in places.items())


def walk_verdict(
    rows: Sequence[WalkRow],
    columns: Sequence[ArchColumn],
    checks: Sequence[RebuildCheck],
    boots: bool,
    complete: bool,
) -> WalkVerdict:
    """Return the verdict on a series."""
    where = join([column.arch for column in columns])
    walked = _patches([row.number for row in rows if row.number])
    if bad := _deeds(columns):
        return WalkVerdict(Safe.NO, f"Not safe to bisect: {'; '.join(bad)}.", EXIT_REGRESSION)
    if wrong := [check for check in checks if not check.ok]:
        first = wrong[0]
        text = f"No verdict: the kernel of {_name(first.number)} on {first.arch} {first.words}."
        return WalkVerdict(Safe.UNKNOWN, text, EXIT_UNPROVEN)
    unknown = [row for row in rows if row.safe is not Safe.YES]
    if unknown and (boots or not _all_built(columns)):
        text = f"No fault found, but {_name(unknown[0].number)} could not be verified: {unknown[0].because}."
        return WalkVerdict(Safe.UNKNOWN, text, EXIT_UNPROVEN)
    if not complete:
        return WalkVerdict(Safe.UNKNOWN, f"No fault found so far on {where}.", EXIT_UNPROVEN)
    if not boots:
        text = f"Every one of {walked} builds without new warnings on {where}; nothing was booted."
        return WalkVerdict(Safe.UNKNOWN, text, EXIT_CLEAN)
    return WalkVerdict(Safe.YES, f"Every one of {walked} is safe to bisect on {where}.", EXIT_CLEAN)


def _all_built(columns: Sequence[ArchColumn]) -> bool:
    return all(step.state is PatchState.BUILDS for column in columns for step in column.steps)


def _deeds(columns: Sequence[ArchColumn]) -> list[str]:
    """Return the faults of the first bad patches, joined over all architectures."""
    places: dict[tuple[int, str], list[str]] = {}
    for column in columns:
        for step in column.steps:
            if faults := own_faults(step):
                places.setdefault((step.number, _summary(faults)), []).append(column.arch)
    found = [f"{deed} on {join(arches)}" for (_, deed), arches in sorted(places.items())]
    more = len(found) - _NAMES_SHOWN
    return found if more <= 0 else [*found[:_NAMES_SHOWN], f"and {more} more"]


def _summary(faults: Sequence[Fault]) -> str:
    """Return a short form of the faults of a patch."""
    lead = faults[0]
    count = sum(fault.kind is lead.kind for fault in faults)
    also = f" and {count - 1} more" if count > 1 else ""
    match lead.kind:
        case FaultKind.BUILD:
            deed = "does not build"
        case FaultKind.BOOT:
            deed = "does not boot" if "does not boot" in lead.text else "makes the guest die"
        case FaultKind.TEST | FaultKind.MEASURE:
            deed = f"breaks {lead.name}{also}"
        case FaultKind.SPLAT:
            deed = f"makes the kernel report {lead.text}{also}"
        case FaultKind.WARNING:
            deed = "adds a compiler warning" if count == 1 else f"adds {count} compiler warnings"
        case _:
            deed = lead.text
    return f"{lead.culprit} {deed}"


def _name(number: int) -> str:
    return f"patch {number}" if number else "base"


def _patches(numbers: Sequence[int]) -> str:
    """Name the patches: `patches 1 to 22`, `patches 1 and 7`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    words = [str(first) if first == last else f"{first} to {last}" for first, last in ranges]
    return f"patch{'' if len(numbers) == 1 else 'es'} {join(words)}" if words else "no patches"
