# SPDX-License-Identifier: GPL-2.0-only
"""What needs no attention or could not be tested, folded into one line each."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from results.compare.measures.measure import is_notable
from results.compare.reached import words as reached
from results.compare.reason import idle_reason, named
from results.compare.verdict import GAPS
from results.model.run import ArchComparison, Measurement, Run, TestComparison, Verdict
from results.reports.content import lookup, wording
from results.text import join

Said = TypeVar("Said", bound=Hashable)
_NUMBER = re.compile(r"\d+")
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fold:
    """One line for many equal things."""

    verdict: Verdict | None
    """None for what no rule judges: a number that changed, lines that did not run."""
    words: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Tests that say nothing on some architectures, all for the same reason."""

    verdict: Verdict
    tests: tuple[str, ...]
    arches: tuple[str, ...]
    reason: str
    """Of the first of them, in a clause."""
    known: str
    """Why this is no news, if it is none."""

    @property
    def words(self) -> str:
        """`3 timing tests not exercised on x86_64: the clock is too coarse`."""
        known = f" (known: {self.known})" if self.known else ""
        return f"{named(self.tests)} {self.verdict} on {join(self.arches)}: {self.reason}{known}"


def was_booted(run: Run, arch: ArchComparison) -> bool:
    """Tell whether both kernels of an architecture were booted, so that there is something to compare."""
    cells = lookup.cells_of(run, arch.arch)
    return all(cell is not None and (cell.boots or cell.boots_of) for cell in cells.values())


def folds(run: Run) -> list[Fold]:
    """Say in one line each what was not built, not tested, moved without a verdict, fixed or unchanged."""
    return [
        *_not_built(run),
        *(Fold(gap.verdict, gap.words) for gap in gaps(run)),
        *(Fold(None, words) for words in (reached.sentences(run.reached) if run.reached else ())),
        *_moved(run),
        *_tests(run, Verdict.FIXED),
        *_fixed_splats(run),
        *_claims(run),
        *_tests(run, Verdict.UNCHANGED),
    ]


def gaps(run: Run) -> list[Gap]:
    """Everything that was not tested; tests and architectures of the same reason stand together."""
    found: dict[tuple[str, Verdict, str, str], list[TestComparison]] = {}
    for arch in run.arches:
        allowed = "--allow-unexercised" if arch.allowed_unexercised else ""
        for test in arch.tests:
            if test.verdict in GAPS:
                alike = _NUMBER.sub("N", idle_reason(test))
                key = (arch.arch, test.verdict, alike, test.known_gap or allowed)
                found.setdefault(key, []).append(test)
    same: dict[tuple[Verdict, str, tuple[str, ...], str], list[tuple[str, str]]] = {}
    for (arch_name, verdict, alike, known), tests in found.items():
        group = same.setdefault((verdict, alike, tuple(test.name for test in tests), known), [])
        group.append((arch_name, idle_reason(tests[0])))
    return [
        Gap(verdict, names, tuple(arch_name for arch_name, _ in group), group[0][1], known)
        for (verdict, _, names, known), group in same.items()
    ]


def grouped(pairs: Iterable[tuple[Said, str]]) -> dict[Said, list[str]]:
    """Group names by their words, in order."""
    groups: dict[Said, list[str]] = {}
    for words, name in pairs:
        groups.setdefault(words, []).append(name)
    return groups


def _not_built(run: Run) -> Iterator[Fold]:
    states = ((_state(run, arch), arch.arch) for arch in run.arches)
    for words, arches in grouped((words, name) for words, name in states if words).items():
        yield Fold(Verdict.INFRASTRUCTURE, f"{join(arches)}: {words}")


def _state(run: Run, arch: ArchComparison) -> str:
    """Say which kernel of an architecture is missing; a build that failed is a finding."""
    missing: dict[str, list[str]] = {}
    for variant, cell in lookup.cells_of(run, arch.arch).items():
        name = "the series" if variant == "series" else variant
        if cell is None or cell.build is None:
            missing.setdefault("not built", []).append(name)
        elif cell.build.ok and not (cell.boots or cell.boots_of) and run.planned:
            missing.setdefault("not booted", []).append(name)
    return "; ".join(
        f"neither kernel was {what.removeprefix('not ')}" if len(names) == 2 else f"{names[0]} was {what}"
        for what, names in missing.items()
    )


def _tests(run: Run, verdict: Verdict) -> Iterator[Fold]:
    counts = [(sum(test.verdict is verdict for test in arch.tests), arch.arch) for arch in run.arches]
    counts = [(count, arch) for count, arch in counts if count]
    total = sum(count for count, _ in counts)
    if total:
        where = ", ".join(f"{count} on {arch}" for count, arch in counts)
        each = f"on {counts[0][1]}" if len(counts) == 1 else f"({where})"
        yield Fold(verdict, f"{wording.count(total, 'test')} {verdict} {each}")


def _claims(run: Run) -> Iterator[Fold]:
    holding = (
        (claim.claim.counter, arch.arch)
        for arch in run.arches
        for claim in arch.claims
        if claim.verdict is Verdict.UNCHANGED
    )
    for counter, arches in grouped(holding).items():
        yield Fold(Verdict.UNCHANGED, f"claim on {counter} holds on {join(arches)}")


def _fixed_splats(run: Run) -> Iterator[Fold]:
    for arch in run.arches:
        for splat in arch.splats:
            if splat.verdict is Verdict.FIXED:
                yield Fold(Verdict.FIXED, f"{splat.title} only on base on {arch.arch}")
            elif splat.verdict is Verdict.NOT_EXERCISED:
                yield Fold(splat.verdict, f"{splat.title} on {arch.arch} is not judged: {splat.reason}")
        both = [splat.title for splat in arch.splats if splat.verdict is Verdict.UNCHANGED]
        if both:
            more = f" and {len(both) - _NAMES_SHOWN} more" if len(both) > _NAMES_SHOWN else ""
            shown = "; ".join(both[:_NAMES_SHOWN]) + more
            yield Fold(Verdict.UNCHANGED, f"kernel reports on both kernels on {arch.arch}: {shown}")


def notable(arch: ArchComparison) -> list[Measurement]:
    """Return the numbers of an architecture that changed for sure, and that no verdict tells of."""
    return [item for item in arch.measurements if is_notable(item)]


def _moved(run: Run) -> Iterator[Fold]:
    """Numbers that changed for sure where no rule judges them."""
    for arch in run.arches:
        for item in notable(arch):
            yield Fold(None, f"{item.test} on {arch.arch}: {item.conclusion}, no verdict")


def arch_words(arch: ArchComparison) -> str:
    """Name the verdict of an architecture, and the numbers that changed although it is `unchanged`."""
    moved = len(notable(arch))
    more = f", {wording.count(moved, 'number')} changed" if moved else ""
    return f"{arch.verdict}{more}"
