# SPDX-License-Identifier: GPL-2.0-only
"""The rules for the runs of a test, or of a leaf of one: base against series."""

from __future__ import annotations

from results.compare.reason import SURE
from results.compare.tally import Runs
from results.model.run import Tally, Verdict
from results.text import amount


def judge_runs(base_runs: Runs, series_runs: Runs, base: Tally, series: Tally) -> tuple[Verdict, str]:
    """Judge what was run on both kernels."""
    if series_runs.failing:
        return _judge_failing(base_runs, series_runs, base, series)
    return _judge_not_failing(base_runs, base, series)


def _judge_failing(base_runs: Runs, series_runs: Runs, base: Tally, series: Tally) -> tuple[Verdict, str]:
    """Judge a test that failed at least once with the series."""
    because = f": {series.reason}" if series.reason else ""
    if not base_runs.failing and not base_runs.passing:
        return (
            Verdict.NOT_EXERCISED,
            f"base did not exercise it ({base.reason}), so its failure with the series "
            f"({_rate(series_runs)}) is not counted as a regression{because}",
        )
    always = not series_runs.passing
    if base_runs.failing:
        if always and not base_runs.passing:
            return Verdict.FAILS_ON_BOTH, f"fails on both kernels{because}"
        return (
            Verdict.FLAKY,
            f"failed {_rate(series_runs)} with the series and {_rate(base_runs)} on base{because}",
        )
    if always and len(series_runs.failing) >= SURE:
        return Verdict.REGRESSION, f"fails with the series ({_rate(series_runs)}), passes on base{because}"
    again = ", not run again" if len(series_runs.judged) == 1 else ""
    return Verdict.FLAKY, f"failed {_rate(series_runs)} with the series{again}, passes on base{because}"


def _judge_not_failing(base_runs: Runs, base: Tally, series: Tally) -> tuple[Verdict, str]:
    """Judge a test that never failed with the series."""
    if not series.exercised:
        on_base = (
            base.reason if not base.exercised else "failed" if base.failures else "exercised and passing"
        )
        if base.exercised:
            return Verdict.NOT_EXERCISED, f"not exercised with the series: {series.reason}; {on_base} on base"
        if base.reason == series.reason:
            return Verdict.NOT_EXERCISED, f"not exercised on either kernel: {series.reason}"
        return (
            Verdict.NOT_EXERCISED,
            f"not exercised on base: {base.reason}; with the series: {series.reason}",
        )
    if not base.exercised:
        return (
            Verdict.NOT_EXERCISED,
            f"not exercised on base: {base.reason}; exercised and passing with the series",
        )
    if not base.failures:
        return Verdict.UNCHANGED, ""
    if base_runs.passing:
        return Verdict.FLAKY, f"failed {_rate(base_runs)} on base, passes with the series: {base.reason}"
    return Verdict.FIXED, f"fails on base ({_rate(base_runs)}), passes with the series: {base.reason}"


def _rate(runs: Runs) -> str:
    judged = len(runs.judged)
    return f"{len(runs.failing)} of {amount(judged, 'run')}"
