# SPDX-License-Identifier: GPL-2.0-only
"""The verdict of a whole run: one word, one sentence, one exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.model.run import SEVERITY, ArchComparison, TestComparison, Verdict
from results.text import amount, join

EXIT_CLEAN = 0
EXIT_REGRESSION = 1
EXIT_UNPROVEN = 3
"""Infrastructure, or nothing, or not everything, was exercised."""

GREEN = (Verdict.UNCHANGED, Verdict.FIXED)
GAPS = (Verdict.NOT_EXERCISED, Verdict.UNSUPPORTED)
"""What a known gap may explain."""


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The verdict on a run."""

    verdict: Verdict
    headline: str
    exit_code: int


def run_verdict(arches: Sequence[ArchComparison]) -> RunVerdict:
    """Sum up all architectures; a run that exercised nothing is never clean."""
    if not arches:
        return RunVerdict(
            Verdict.NOT_EXERCISED, "Nothing was tested: the run has no architecture.", EXIT_UNPROVEN
        )
    regressed = [arch for arch in arches if arch.verdict is Verdict.REGRESSION]
    if regressed:
        return RunVerdict(Verdict.REGRESSION, _regression_headline(regressed), EXIT_REGRESSION)
    in_the_way = [arch for arch in arches if not _is_clean(arch)]
    if in_the_way:
        return _unproven(arches, _most_serious(in_the_way))
    if not any(is_exercised(test) for arch in arches for test in arch.tests):
        return _unproven(arches, _most_serious(arches))
    judged = [arch for arch in arches if arch.verdict in GREEN] or list(arches)
    return RunVerdict(_most_serious(judged).verdict, _clean_headline(arches), EXIT_CLEAN)


def most_serious(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the most serious of some verdicts."""
    return max(verdicts, key=SEVERITY.__getitem__, default=Verdict.UNCHANGED)


def is_exercised(test: TestComparison) -> bool:
    """Tell whether a test was really exercised on both kernels."""
    return test.base.exercised and test.series.exercised


def _most_serious(arches: Sequence[ArchComparison]) -> ArchComparison:
    return max(arches, key=lambda arch: SEVERITY[arch.verdict])


def _is_clean(arch: ArchComparison) -> bool:
    """Tell whether an architecture is green, or its gaps are known ones.

    A test that base exercises and the series does not is no known gap, nor is one that is gone from
    the tree: the series made it.
    """
    if arch.verdict in GREEN:
        return True
    if arch.verdict not in GAPS or not arch.allowed_unexercised or arch.gone_tests:
        return False
    return not any(test.base.exercised and not test.series.exercised for test in arch.tests)


def _unproven(arches: Sequence[ArchComparison], worst: ArchComparison) -> RunVerdict:
    count = _exercised_phrase(arches)
    match worst.verdict:
        case Verdict.INFRASTRUCTURE:
            text = f"No verdict on {worst.arch}: {_reason(worst)}; {count}."
        case Verdict.FLAKY:
            text = f"Flaky on {worst.arch}, no verdict: {_reason(worst)}; {count}."
        case Verdict.FAILS_ON_BOTH:
            text = f"No new failure, but both kernels fail on {worst.arch}: {_reason(worst)}; {count}."
        case Verdict.UNSUPPORTED:
            text = f"Not everything can be tested on {worst.arch}: {_reason(worst)}; {count}."
        case _:
            text = f"Not everything was exercised on {worst.arch}: {_reason(worst)}; {count}."
    return RunVerdict(worst.verdict, text, EXIT_UNPROVEN)


def _regression_headline(regressed: Sequence[ArchComparison]) -> str:
    others = [arch.arch for arch in regressed[1:]]
    also = f" Also on {join(others)}." if others else ""
    return f"Regression on {regressed[0].arch}: {_short_reason(regressed[0])}.{also}"


def _clean_headline(arches: Sequence[ArchComparison]) -> str:
    fixed = sum(1 for arch in arches for test in arch.tests if test.verdict is Verdict.FIXED)
    gaps = [
        arch.arch for arch in arches if arch.verdict in GAPS or any(test.known_gap for test in arch.tests)
    ]
    lead = f"No regression, {amount(fixed, 'test')} fixed" if fixed else "No regression"
    known = f"; known gaps on {join(gaps)}" if gaps else ""
    failing = [arch.arch for arch in arches if any(test.known_failure for test in arch.tests)]
    known += f"; known failures on {join(failing)}" if failing else ""
    return f"{lead}: {_exercised_phrase(arches)}{known}."


def _exercised_phrase(arches: Sequence[ArchComparison]) -> str:
    tests = [test for arch in arches for test in arch.tests]
    exercised = sum(1 for test in tests if is_exercised(test))
    where = join([arch.arch for arch in arches])
    return f"{exercised} of {len(tests)} tests exercised on both kernels on {where}"


def _reason(arch: ArchComparison) -> str:
    return arch.reasons[0].rstrip(".") if arch.reasons else str(arch.verdict)


def _short_reason(arch: ArchComparison) -> str:
    """Say what regressed without what the test printed; that stands with the test."""
    reason = _reason(arch)
    tests = [test.name for test in arch.tests if test.verdict is Verdict.REGRESSION]
    if not reason.startswith(tuple(f"{name} " for name in tests)):
        return reason
    more = len(tests) - 1
    also = f"; so {'does' if more == 1 else 'do'} {amount(more, 'more test')}" if more else ""
    return reason.partition(": ")[0] + also
