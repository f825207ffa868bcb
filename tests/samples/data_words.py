# SPDX-License-Identifier: GPL-2.0-only
"""Builds what the tests with numbers print, and the cells they ran in, from few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from results.model.run import Boot, Cell, CounterChange, LineRange, PlannedTest, Status, TestResult
from tests.samples.cells import boot, cell, plan

MUNMAP = plan("fault_sweep.munmap")[0]
COST = plan("pgtable_cost.cost")[0]
TIMING = plan("timing.fork")[0]
STORM = plan("fork_storm.forks_128")[0]


def sweep_lines(words: str, operation: str = "munmap", failed: str = "0") -> tuple[str, ...]:
    """Print a sweep, one word for each n.

    `ok` and `ENOMEM` are results of a call in which an allocation failed, `split` is ENOMEM because a split
    failed, any word with an underscore is why the row is broken, `end` the call without a failure and the
    closing line, `try` an n without a row.
    """
    lines, fired, broken = [], 0, 0
    for n, word in enumerate(words.split(), 1):
        lines.append(f"data sweep_try op={operation} n={n}")
        if word == "try":
            continue
        lines.append(_row(operation, n, word, failed))
        fired += word != "end"
        broken += "_" in word
        if word == "end":
            lines.append(f"data sweep_end op={operation} rows={n} fired={fired} broken={broken}")
    return ("TAP version 13", "1..1", *lines)


def _row(operation: str, n: int, word: str, failed: str) -> str:
    went_well = word in ("ok", "end") or word == "success_without_effect"
    effect = "full" if word in ("ok", "end", "failure_with_effect") else "none"
    retry = "none" if went_well else "ok"
    result = "ok" if went_well else "ENOMEM"
    return (
        f"data sweep op={operation} n={n} fired={int(word != 'end')} result={result} "
        f"effect={effect} intact=1 usable=1 retry={retry} split=1 "
        f"split_failed={'1' if word == 'split' else failed} "
        f"verdict={f'broken why={word}' if '_' in word else 'ok'}"
    )


def cost_lines(
    mapped: float,
    half: float | None = None,
    left: int = 0,
    thps: int = 64,
    huge: int = 2 << 20,
    page: int = 4096,
) -> tuple[str, ...]:
    """Print the stages of THPs that take so many bytes each; by default a split changes nothing."""
    start = 81920
    taken = (
        ("start", start),
        ("mapped", start + round(mapped * thps)),
        ("half_split", start + round((mapped if half is None else half) * thps)),
        ("unmapped", start + left),
    )
    return tuple(
        f"data cost stage={stage} thps={thps} huge_bytes={huge} page_tables_bytes={number} "
        f"nr_page_table_pages={number // page} page_bytes={page}"
        for stage, number in taken
    )


def timing_lines(values: Sequence[int], what: str = "fork") -> tuple[str, ...]:
    """Print samples."""
    return (f"data timing what={what} unit=ns samples={len(values)} values={','.join(map(str, values))}",)


def storm_line(
    out: int = 1024, *, ns: int = 400_000_000, oom: int = 0, failed: str = "0", split: int | None = None
) -> str:
    """Print one storm of 128 forks that share two THPs, of which `out` pages of 1024 were swapped out."""
    reached = out >= 922
    return (
        "data storm run=1 forks=128 thps=2 huge_bytes=2097152 page_bytes=4096 reserve_pages=5632 "
        f"thp_pages=1024 thp_pages_out={out} free_pages_min=4100 ns={ns} reached={int(reached)} stuck=0 "
        f"swapped_pages={out + 300} thp_swpout=2 thp_swpout_fallback=0 "
        f"split={258 * reached if split is None else split} split_failed={failed} oom_kills={oom} "
        "new_table_pages=330"
    )


def printed(test: PlannedTest, *outputs: Sequence[str] | TestResult, accelerator: str = "tcg") -> Cell:
    """Make a cell of one boot for each run of a test: what it printed, and so whether it passed."""
    boots = (_boot(test, output, number, accelerator) for number, output in enumerate(outputs, 1))
    return cell(*boots)


def _boot(test: PlannedTest, output: Sequence[str] | TestResult, number: int, accelerator: str) -> Boot:
    result = output if isinstance(output, TestResult) else result_of(test, output)
    booted = boot(["pass"], names=(test.name,), number=number)
    return replace(booted, tests=(result,), accelerator=accelerator)


def result_of(test: PlannedTest, output: Sequence[str], status: Status | None = None) -> TestResult:
    """Make the result of a test that fails if a row is broken or the end is missing."""
    is_whole = not any(" sweep" in line for line in output) or any("sweep_end" in line for line in output)
    is_well = is_whole and not any("verdict=broken" in line for line in output)
    status = status or (Status.PASS if is_well else Status.FAIL)
    moved = {"thp_split_pmd": CounterChange(3, 4)}
    reason = "" if status is Status.PASS else "as it says"
    return TestResult(test.name, status, reason, 0.2, moved, tuple(output), LineRange(10, 30))


def swept(*runs: str, operation: str = "munmap", failed: str = "0") -> Cell:
    """Make a cell of one boot for each run of the sweep of munmap."""
    (test,) = plan(f"fault_sweep.{operation}")
    return printed(test, *(sweep_lines(words, operation, failed) for words in runs))


def skipped(reason: str, test: PlannedTest = MUNMAP) -> Cell:
    """Make a cell in which a test was skipped after its first try."""
    lines = sweep_lines("try", test.name.partition(".")[2])
    return printed(test, replace(result_of(test, lines, Status.SKIP), reason=reason))
