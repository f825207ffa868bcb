# SPDX-License-Identifier: GPL-2.0-only
"""Runs as they are in life: five architectures, 60 tests, long reports of the kernel, an interruption."""

from __future__ import annotations

from dataclasses import replace

from results.model.run import (
    ArchComparison,
    Cell,
    CounterChange,
    LineRange,
    Run,
    Splat,
    SplatComparison,
    Status,
    Tally,
    TestComparison,
    TestResult,
    Verdict,
)
from tests.samples.sample_parts import SPLAT_LINES
from tests.samples.sample_run import green_run

ARCHES = ("arm64", "powerpc", "s390", "sparc", "x86_64")
LONG_SPLAT = [
    *SPLAT_LINES[:5],
    *(f"[    3.0413{n:02}] R{n:02}: 00000000000000{n:02}" for n in range(30)),
    "[    3.041390] Call Trace:",
    "[    3.041391]  <TASK>",
    "[    3.041392]  dump_stack_lvl+0x5d/0x80",
    "[    3.041393]  __split_huge_pmd_locked+0x8e1/0xa40",
    "[    3.041394]  __split_huge_pmd+0x9c/0xe0",
    "[    3.041395]  move_page_tables+0x3b2/0xb10",
    "[    3.041396]  do_vmi_munmap+0xb2/0x160",
    *(f"[    3.0414{n:02}]  ? caller_{n}+0x10/0x20" for n in range(20)),
    "[    3.041450]  do_syscall_64+0x9e/0x1a0",
    "[    3.041451]  ret_from_fork+0x31/0x50",
    "[    3.041452]  ret_from_fork_asm+0x1a/0x30",
    "[    3.041453]  </TASK>",
]
"""As the log of a boot has it: registers, doubtful frames and machinery around four lines that matter."""


def interrupted_run() -> Run:
    """Stopped before the first kernel of five architectures with 60 tests was built."""
    run = green_run()
    names = [f"suite_{number % 4}.test_{number:02}" for number in range(60)]
    nothing = Tally(Status.MISS, False, "there was no boot", 0, 0, {}, None, None, None)
    reason = "no result on base: there was no boot"
    tests = tuple(TestComparison(name, nothing, nothing, Verdict.INFRASTRUCTURE, reason) for name in names)
    words = "base was not built"
    arches = tuple(
        ArchComparison(
            arch,
            Verdict.INFRASTRUCTURE,
            (words,),
            tests,
            (),
            (),
            (),
            summary=words,
        )
        for arch in ARCHES
    )
    return replace(
        run,
        cells=tuple(Cell(arch, variant) for arch in ARCHES for variant in ("base", "series")),
        arches=arches,
        verdict=Verdict.INFRASTRUCTURE,
        headline="No verdict: base was not built on arm64, powerpc, s390, sparc and x86_64.",
        exit_code=3,
        complete=False,
    )


def wide_run() -> Run:
    """60 tests that fail on x86_64, with long names and large counters."""
    run = green_run()
    names = ("thp_split_pmd", "thp_split_pmd_failed", "thp_deferred_split_page")
    before, after = ({name: CounterChange(0, rise) for name in names} for rise in (2_600_000, 2_600_001))
    first = run.arches[0].tests[0]

    def failing(number: int) -> TestComparison:
        name = f"a_suite_with_a_long_name.case_{number:02}_of_a_test_with_a_name_that_is_long"
        changed = replace(first.series, status=Status.FAIL, failures=2, runs=2, counters=after)
        return replace(
            first, name=name, base=replace(first.base, counters=before), series=changed,
            verdict=Verdict.REGRESSION, reason="fails with the series (2 of 2 runs), passes on base",
        )  # fmt: skip

    arch = replace(
        run.arches[0], verdict=Verdict.REGRESSION, tests=tuple(failing(number) for number in range(60))
    )
    headline = "Regression on x86_64: 60 tests fail with the series."
    arches = (arch, *run.arches[1:])
    return replace(run, arches=arches, verdict=Verdict.REGRESSION, headline=headline, exit_code=1)


def crowded_run() -> Run:
    """60 tests that fail on each of five architectures."""
    run = wide_run()
    cells = [cell for cell in run.cells if cell.arch == "x86_64"]
    arches = tuple(replace(run.arches[0], arch=arch) for arch in ARCHES)
    return replace(
        run,
        id="crowded",
        headline="Regression on arm64, powerpc, s390, sparc and x86_64: 300 tests fail with the series.",
        subject=replace(run.subject, series="crowded"),
        cells=tuple(replace(cell, arch=arch) for arch in ARCHES for cell in cells),
        arches=arches,
    )


def long_splat_run() -> Run:
    """A report of 70 lines that only the series has, while every test passes."""
    run = green_run()
    splat = Splat(
        kind="bug",
        title="kernel BUG at mm/huge_memory.c:2871!",
        signature="bug:mm/huge_memory.c:__split_huge_pmd_locked",
        lines=LineRange(31, 30 + len(LONG_SPLAT)),
        excerpt=tuple(LONG_SPLAT),
    )

    def shifted(result: TestResult) -> TestResult:
        lines = result.lines
        count = len(LONG_SPLAT)
        return replace(result, lines=lines and LineRange(lines.first + count, lines.last + count))

    def seen(cell: Cell) -> Cell:
        if (cell.arch, cell.variant) != ("x86_64", "series"):
            return cell
        boot = replace(cell.boots[0], splats=(splat,), tests=tuple(map(shifted, cell.boots[0].tests)))
        return replace(cell, boots=(boot, replace(boot, id="x86_64-series-2", purpose="again")))

    boots = ("x86_64-series-1", "x86_64-series-2")
    compared = SplatComparison(
        splat.signature, splat.title, (), boots, Verdict.REGRESSION, splat, "only with the series"
    )
    arch = replace(
        run.arches[0],
        verdict=Verdict.REGRESSION,
        reasons=(f"the kernel reports {splat.title} (only with the series)",),
        summary=splat.title,
        splats=(compared,),
    )
    return replace(
        run,
        cells=tuple(map(seen, run.cells)),
        arches=(arch, *run.arches[1:]),
        verdict=Verdict.REGRESSION,
        headline=f"Regression on x86_64: {splat.title}.",
        exit_code=1,
    )
