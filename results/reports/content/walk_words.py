# SPDX-License-Identifier: GPL-2.0-only
"""The phrases that a walk's reports share."""

from __future__ import annotations

from collections.abc import Mapping

from results.model.run import Verdict
from results.model.walk import FaultKind, PatchResult, PatchState, RebuildCheck, Safe, Same
from results.reports.content import wording

EXIT_MEANINGS: Mapping[int, str] = {
    0: "no fault in any patch",
    1: "a patch is bad",
    2: "wrong usage",
    3: "infrastructure failed, or a patch could not be verified",
}

LOOKS: Mapping[PatchState, Verdict] = {
    PatchState.OK: Verdict.UNCHANGED,
    PatchState.BUILDS: Verdict.UNCHANGED,
    PatchState.NOT_EXERCISED: Verdict.NOT_EXERCISED,
    PatchState.FAILS_ON_BASE: Verdict.FAILS_ON_BOTH,
    PatchState.FLAKY: Verdict.FLAKY,
    PatchState.INFRASTRUCTURE: Verdict.INFRASTRUCTURE,
    PatchState.NEW_WARNINGS: Verdict.REGRESSION,
    PatchState.NEW_SPLAT: Verdict.REGRESSION,
    PatchState.REGRESSION: Verdict.REGRESSION,
    PatchState.DOES_NOT_BOOT: Verdict.REGRESSION,
    PatchState.DOES_NOT_BUILD: Verdict.REGRESSION,
}
"""A state looks like the verdict that is as serious."""

LOOKS_OF_SAFE: Mapping[Safe, Verdict] = {
    Safe.YES: Verdict.UNCHANGED,
    Safe.UNKNOWN: Verdict.NOT_EXERCISED,
    Safe.INHERITS: Verdict.UNSUPPORTED,
    Safe.NO: Verdict.REGRESSION,
}

INHERITED_SIGN, SAME_SIGN = "↳", "="

_SHORT: Mapping[PatchState, str] = {
    PatchState.NOT_EXERCISED: "gaps",
    PatchState.FAILS_ON_BASE: "on base",
    PatchState.INFRASTRUCTURE: "infra",
    PatchState.DOES_NOT_BOOT: "boot",
    PatchState.DOES_NOT_BUILD: "build",
}
_COUNTED: Mapping[PatchState, tuple[FaultKind, str]] = {
    PatchState.NEW_WARNINGS: (FaultKind.WARNING, "warning"),
    PatchState.NEW_SPLAT: (FaultKind.SPLAT, "splat"),
    PatchState.REGRESSION: (FaultKind.TEST, "test"),
}
_KILO = 10_000
"""Size changes from here on are rounded: a column of the matrix is narrow."""


def is_another_patchs(step: PatchResult) -> bool:
    """Tell whether a step has nothing but what another patch brought."""
    return step.inherited or (step.same is not None and step.state in (PatchState.OK, PatchState.BUILDS))


def sign(step: PatchResult) -> str:
    """The shape that tells a step's state without colour."""
    if step.inherited:
        return INHERITED_SIGN
    if is_another_patchs(step):
        return SAME_SIGN
    return wording.SYMBOLS[LOOKS[step.state]]


def short(step: PatchResult) -> str:
    """A step's state in at most 11 characters."""
    if step.inherited:
        return f"since {min(fault.since for fault in step.faults)}"
    if step.state in (PatchState.OK, PatchState.BUILDS):
        if step.same:
            return f"{step.same} {step.same_as}"
        grown = growth(step)
        return f"{step.state} {grown}".strip()
    if step.state in _COUNTED:
        kind, noun = _COUNTED[step.state]
        many = sum(fault.kind is kind and fault.since == step.number for fault in step.faults)
        return wording.count(many, noun) if many > 1 else noun
    return _SHORT.get(step.state, str(step.state))


def growth(step: PatchResult) -> str:
    """How much larger the kernel is than with the patch before: `+184`, `-12k`; empty if not at all."""
    more = step.size.symbols if step.size else None
    if not more:
        return ""
    return f"{more:+d}" if abs(more) < _KILO else f"{round(more / 1000):+d}k"


def long(step: PatchResult) -> str:
    """A step's state in full, as the documents have it."""
    if step.same is Same.IMAGE:
        return f"{step.state}, same image as {step.same_as}"
    if step.same is Same.SOURCES:
        return f"{step.state}, same sources as {step.same_as}"
    return str(step.state)


def safe(word: Safe) -> str:
    """Whether a patch is safe to bisect, as an answer."""
    return {Safe.INHERITS: "no, inherited", Safe.UNKNOWN: "not known"}.get(word, str(word))


def checked(check: RebuildCheck) -> str:
    """Say whether a rebuild gave the same kernel."""
    name = f"patch {check.number}" if check.number else "base"
    return f"{name} on {check.arch} {check.words}"
