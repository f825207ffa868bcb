# SPDX-License-Identifier: GPL-2.0-only
"""A run whose guest tests measured something: a sweep, page tables, times and fork storms."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from results.compare.compare import compare_arch
from results.compare.verdict import run_verdict
from results.model.run import Boot, Cell, LineRange, PlannedTest, Run, Status, TestResult
from tests.samples.cells import plan
from tests.samples.data_words import COST, STORM, cost_lines, result_of, storm_line, sweep_lines, timing_lines
from tests.samples.sample_run import green_run

LIE = "success_without_effect"
FORK = f"{'ENOMEM ' * 12}ok ok end"

SWEEPS = {
    "munmap": ("end", "split split end"),
    "mprotect_ro": ("end", "split end"),
    "mremap_move": ("ENOMEM end", f"ENOMEM split {LIE} split end"),
    "madv_dontneed": ("end", "end"),
    "madv_pageout": ("ok ok ok ok end", "ok ok ok split ok ok end"),
    "fork": (FORK, f"ENOMEM {FORK}"),
    "exec_half": ("ENOMEM " * 6 + "ok " * 23 + "end", "ENOMEM " * 6 + "ok " * 9 + "try"),
    "mincore": ("ENOMEM ENOMEM end", "end"),
}
"""What each operation comes to on base and with the series, a word for each n."""

SKIPPED = {
    "mbind": "ENOSYS, this kernel has no NUMA",
    "move_pages": "ENOSYS, this kernel has no NUMA",
    "subpage_prot": "this kernel has none",
}
TIMES = {"split": (1900, 2900), "fork": (412_000, 405_000)}


@cache
def measured_run() -> Run:
    """On x86_64 two operations break with the series, on arm64 nothing was measured."""
    run = green_run()
    planned = (
        *plan(*(f"fault_sweep.{operation}" for operation in (*SWEEPS, *SKIPPED))),
        COST,
        *plan(*(f"timing.{what}" for what in TIMES)),
        STORM,
    )
    base, series = (_cell(run, variant, planned) for variant in ("base", "series"))
    arch = compare_arch("x86_64", planned, base, series, (), False)
    arches = (arch, *run.arches[1:])
    verdict = run_verdict(arches)
    return replace(
        run,
        planned=planned,
        cells=(base, series, *run.cells[2:]),
        arches=arches,
        verdict=verdict.verdict,
        headline=verdict.headline,
        exit_code=verdict.exit_code,
    )


def _cell(run: Run, variant: str, planned: tuple[PlannedTest, ...]) -> Cell:
    cell = next(cell for cell in run.cells if (cell.arch, cell.variant) == ("x86_64", variant))
    first = _boot(cell.boots[0], variant, planned)
    failed = {result.name for result in first.tests if result.status is Status.FAIL}
    again = [test for test in planned if test.name in failed]
    if not again:
        return replace(cell, boots=(first,))
    second = replace(
        cell.boots[0], id=f"x86_64-{variant}-2", purpose="again", log=f"logs/x86_64-{variant}-2.log"
    )
    return replace(cell, boots=(first, _boot(second, variant, tuple(again))))


def _boot(boot: Boot, variant: str, planned: tuple[PlannedTest, ...]) -> Boot:
    line, results = 31, []
    for test in planned:
        result = _result(test, variant)
        last = line + len(result.output)
        results.append(replace(result, lines=LineRange(line, last)))
        line = last + 1
    return replace(boot, tests=tuple(results))


def _result(test: PlannedTest, variant: str) -> TestResult:
    is_series = variant == "series"
    suite, _, case = test.name.partition(".")
    match suite:
        case "fault_sweep" if case in SKIPPED:
            skipped = result_of(test, sweep_lines("try", case), Status.SKIP)
            return replace(skipped, reason=f"{case}: {SKIPPED[case]}")
        case "fault_sweep":
            return result_of(test, sweep_lines(SWEEPS[case][is_series], case, "0" if is_series else "absent"))
        case "timing":
            middle = TIMES[case][is_series]
            values = range(middle - middle // 20, middle + middle // 20, middle // 300)
            return result_of(test, timing_lines(values, case))
        case "fork_storm":
            middle = 400_000_000 + 90_000_000 * is_series
            storms = (
                storm_line(ns=middle + 1000 * run, failed="0" if is_series else "absent") for run in range(5)
            )
            return result_of(test, tuple(storms))
        case _:
            return result_of(test, cost_lines(0, half=2048) if is_series else cost_lines(4096))
