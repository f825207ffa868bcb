# SPDX-License-Identifier: GPL-2.0-only
"""The verdict of a whole run: one word, one sentence, one exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.compare.reason import brief
from results.model.reached import ReachedRun
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


def run_verdict(
    arches: Sequence[ArchComparison], complete: bool = True, reached: ReachedRun | None = None
) -> RunVerdict:
    """Sum up all architectures; a run that has no end, or exercised nothing, is never clean.

    Nor is one that reached less of the series than its record claims, but that is no regression.
    """
    found = _verdict_of(arches, complete)
    if reached is None or not reached.breaks_claim or found.exit_code != EXIT_CLEAN:
        return found
    return RunVerdict(Verdict.NOT_EXERCISED, f"{_broken_claim(reached)}. {found.headline}", EXIT_UNPROVEN)


def _broken_claim(reached: ReachedRun) -> str:
    share = f"{reached.total.reached} of {amount(reached.total.lines, 'changed line')} ran"
    return f"{share}, but the record of the series claims {reached.claimed_percent:g} %"


def _verdict_of(arches: Sequence[ArchComparison], complete: bool) -> RunVerdict:
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
    if not complete:
        words = f"The run has no end; until then: {_exercised_phrase(arches)}."
        return RunVerdict(Verdict.NOT_EXERCISED, words, EXIT_UNPROVEN)
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


_LEADS = {
    Verdict.INFRASTRUCTURE: "No verdict: ",
    Verdict.FLAKY: "Flaky: ",
    Verdict.FAILS_ON_BOTH: "No new failure: ",
}


def _unproven(arches: Sequence[ArchComparison], worst: ArchComparison) -> RunVerdict:
    alike = [arch for arch in arches if arch.verdict is worst.verdict and _summary(arch) == _summary(worst)]
    lead = _LEADS.get(worst.verdict, "")
    text = f"{lead}{_on(worst, alike)}. {_exercised_phrase(arches)}."
    return RunVerdict(worst.verdict, text, EXIT_UNPROVEN)


def _on(arch: ArchComparison, alike: Sequence[ArchComparison]) -> str:
    """`3 timing tests not exercised on x86_64: the clock is too coarse`."""
    head, colon, why = _summary(arch).partition(": ") if arch.verdict in GAPS else (_summary(arch), "", "")
    return f"{head} on {join([each.arch for each in alike])}{colon}{why}"


def _regression_headline(regressed: Sequence[ArchComparison]) -> str:
    first = regressed[0]
    others = [arch.arch for arch in regressed[1:]]
    also = f" Also on {join(others)}." if others else ""
    return f"Regression on {first.arch}: {_summary(first).rstrip('.!')}.{also}"


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


def _summary(arch: ArchComparison) -> str:
    """Return the short words of an architecture; runs of older versions have none."""
    return arch.summary or brief(arch.reasons[0] if arch.reasons else str(arch.verdict))
