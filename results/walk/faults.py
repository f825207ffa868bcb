# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the kernel of a patch that base does not have, and the patch that introduced each.

Kind and name identify a fault in several kernels, so that a lasting failure counts against the patch that
introduced it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from results.compare.bringup import compare_boots, compare_builds
from results.compare.measures.registry import measured_reason
from results.compare.tally import reached_tests
from results.model.run import (
    ArchComparison,
    Boot,
    BootEnd,
    Cell,
    CompilerWarning,
    LineRange,
    TestComparison,
    Verdict,
)
from results.model.walk import Fault, FaultKind

_GREEN = (Verdict.UNCHANGED, Verdict.FIXED)
_SERIOUS = {kind: rank for rank, kind in enumerate(FaultKind)}

Key = tuple[FaultKind, str]


@dataclass(frozen=True, slots=True)
class FaultEvidence:
    """A fault of one kernel."""

    text: str
    log: str = ""
    lines: LineRange | None = None


@dataclass(frozen=True)
class Observation:
    """The kernel of one patch, compared with base."""

    number: int
    """0 is base itself."""
    base: Cell
    cell: Cell
    comparison: ArchComparison

    @cached_property
    def faults(self) -> Mapping[Key, FaultEvidence]:
        """The faults of the kernel; base has none, by definition."""
        return dict(_faults(self)) if self.number else {}

    def lacks(self, key: Key) -> bool:
        """Return whether the kernel is known not to have a fault; an untested kernel is not."""
        if not self.number:
            return True
        if key in self.faults:
            return False
        kind, name = key
        match kind:
            case FaultKind.BUILD | FaultKind.WARNING:
                return self.cell.build is not None and self.cell.build.ok
            case FaultKind.TEST:
                return any(test.verdict in _GREEN for test in self.comparison.tests if test.name == name)
            case FaultKind.MEASURE:
                return any(
                    item.verdict in _GREEN for item in self.comparison.measurements if item.test == name
                )
            case _:
                return any(reached_tests(boot) for boot in self.cell.boots)


def trace(seen: Sequence[Observation]) -> list[tuple[Fault, ...]]:
    """Return the faults of each kernel with their origin, the most serious first; kernels are in order."""
    origin: dict[Key, tuple[int, int]] = {}
    traced = []
    for index, now in enumerate(seen):
        origin = {key: where for key, where in origin.items() if not now.lacks(key)}
        for key in now.faults:
            if key not in origin:
                origin[key] = now.number, _last_without(seen[:index], key)
        faults = [_fault(key, finding, origin[key]) for key, finding in now.faults.items()]
        traced.append(tuple(sorted(faults, key=lambda fault: -_SERIOUS[fault.kind])))
    return traced


def _last_without(earlier: Sequence[Observation], key: Key) -> int:
    return next((past.number for past in reversed(earlier) if past.lacks(key)), 0)


def _fault(key: Key, finding: FaultEvidence, origin: tuple[int, int]) -> Fault:
    return Fault(*key, finding.text, *origin, finding.log, finding.lines)


def _faults(now: Observation) -> Iterator[tuple[Key, FaultEvidence]]:
    found = dict(_specific_faults(now))
    yield from found.items()
    if not found and now.comparison.verdict is Verdict.REGRESSION:
        yield (FaultKind.OTHER, ""), FaultEvidence(of_patch(now.comparison.reasons[0]))


def _specific_faults(now: Observation) -> Iterator[tuple[Key, FaultEvidence]]:
    yield from _build_faults(now)
    yield from _boot_faults(now)
    for test in now.comparison.tests:
        if test.verdict is Verdict.REGRESSION:
            text = f"{test.name} {of_patch(test.reason)}"
            yield (FaultKind.TEST, test.name), _found_by(test, now.cell, text)
    yield from _measured_faults(now)
    for splat in now.comparison.splats:
        if splat.verdict is Verdict.REGRESSION:
            boot = _boot(now.cell, splat.series_boots[0])
            log = boot.log if boot else ""
            yield (FaultKind.SPLAT, splat.signature), FaultEvidence(splat.title, log, splat.example.lines)


def _build_faults(now: Observation) -> Iterator[tuple[Key, FaultEvidence]]:
    log = now.cell.build.log if now.cell.build else ""
    for finding in compare_builds(now.base.build, now.cell.build):
        if finding.verdict is Verdict.REGRESSION:
            yield (FaultKind.BUILD, ""), FaultEvidence(of_patch(finding.text), log)
    for warning in now.comparison.new_warnings:
        text = f"{warning.file}:{warning.line}: {warning.text}{_flag(warning)}"
        yield (FaultKind.WARNING, f"{warning.file} {warning.flag} {warning.text}"), FaultEvidence(text, log)


def _flag(warning: CompilerWarning) -> str:
    return f" [{warning.flag}]" if warning.flag else ""


def _boot_faults(now: Observation) -> Iterator[tuple[Key, FaultEvidence]]:
    for finding in compare_boots(now.base, now.cell):
        if finding.verdict is Verdict.REGRESSION:
            died = next((boot for boot in now.cell.boots if boot.end is not BootEnd.DONE), None)
            yield (FaultKind.BOOT, ""), FaultEvidence(of_patch(finding.text), died.log if died else "")


def _measured_faults(now: Observation) -> Iterator[tuple[Key, FaultEvidence]]:
    """Return faults of measurements whose tests are not worse already."""
    tests = {test.name: test for test in now.comparison.tests}
    failing = {name for name, test in tests.items() if test.verdict is Verdict.REGRESSION}
    for item in now.comparison.measurements:
        if item.verdict is Verdict.REGRESSION and item.test not in failing:
            text = of_patch(measured_reason(item).text)
            yield (FaultKind.MEASURE, item.test), _found_by(tests[item.test], now.cell, text)


def _found_by(test: TestComparison, cell: Cell, text: str) -> FaultEvidence:
    boot = _boot(cell, test.series.boot)
    return FaultEvidence(text, boot.log if boot else "", test.series.lines)


def _boot(cell: Cell, boot_id: str | None) -> Boot | None:
    return next((boot for boot in cell.boots if boot.id == boot_id), None)


def of_patch(text: str) -> str:
    """Rewrite the words of a comparison with a series for one of its patches."""
    return text.replace(" with the series", "").replace("the series", "this patch").strip()
