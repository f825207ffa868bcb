# SPDX-License-Identifier: GPL-2.0-only
"""Realistic runs for the tests of documents and reports."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from results.compare.measures.sweep_rows import SweepRow, SweepRun
from results.model.document import plain
from results.model.run import (
    ArchComparison,
    Boot,
    BootEnd,
    Capabilities,
    Cell,
    Claim,
    ClaimComparison,
    CompilerWarning,
    LineRange,
    Measurement,
    Patch,
    Reading,
    Run,
    Splat,
    SplatComparison,
    Status,
    TestResult,
    Verdict,
)
from tests.samples.sample_parts import (
    SPLAT_LINES,
    TESTS,
    arch_of,
    build_of,
    claim_that_holds,
    comparison_of,
    run_of,
)

HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m\x00nul \u202egnp.exe \ud800 ]]> & \"quoted' [bold]"
"""What a malicious guest prints: markup, terminal escapes, NUL, a direction override, a lone surrogate."""


def green_run() -> Run:
    """Everything exercised and unchanged on both architectures."""
    return run_of(
        arches=(arch_of("x86_64"), arch_of("arm64")),
        verdict=Verdict.UNCHANGED,
        headline="Nothing wrong: all 16 tests were exercised and pass on both kernels, on x86_64 and arm64.",
        exit_code=0,
    )


def regression_run() -> Run:
    """One test of arm64 fails on the series only; one is flaky, one not exercised."""
    failing = comparison_of(
        "arm64",
        TESTS[3],
        Verdict.REGRESSION,
        series=Status.FAIL,
        reason="passes on base, fails on the series, and failed again when run again (2 of 2 runs)",
        series_reason="thp_pmd_split.c:212: expected 0x5a in the moved half, found 0x00 at 0x7f3a00200000",
    )
    flaky = comparison_of(
        "arm64",
        TESTS[7],
        Verdict.FLAKY,
        series=Status.FAIL,
        reason="failed once on the series, passed when run again (1 of 3 runs failed)",
        series_reason="mlock: Cannot allocate memory",
        rate=(1, 3),
    )
    idle = comparison_of(
        "arm64",
        TESTS[12],
        Verdict.NOT_EXERCISED,
        exercised=False,
        reason="thp_split_pmd did not rise on either kernel: the PASS proves nothing",
        rise=0,
    )
    warning = CompilerWarning(
        "mm/huge_memory.c", 2871, "-Wunused-variable", "unused variable 'old_pmd' [-Wunused-variable]"
    )
    arm64 = arch_of(
        "arm64",
        changed=(failing, flaky, idle),
        verdict=Verdict.REGRESSION,
        reasons=(
            f"{TESTS[3]} fails on the series and passes on base",
            "1 new compiler warning in mm/huge_memory.c",
            f"{TESTS[7]} is flaky on the series (1 of 3)",
            f"{TESTS[12]} was not exercised",
        ),
        new_warnings=(warning,),
        claims=(
            claim_that_holds(),
            ClaimComparison(
                Claim("thp_split_page", "0", "0"), "0", "3", Verdict.REGRESSION,
                "the series splits 3 pages that it says it leaves whole",
            ),
        ),
    )  # fmt: skip
    return run_of(
        arches=(arch_of("x86_64"), arm64),
        verdict=Verdict.REGRESSION,
        headline=f"Regression on arm64: {TESTS[3]} fails with the series and passes without it.",
        exit_code=1,
    )


def troubled_run() -> Run:
    """A panic with a splat on x86_64, a lost machine, and a series that does not build for arm64."""
    run = green_run()
    splat = Splat(
        kind="bug",
        title="kernel BUG at mm/huge_memory.c:2871!",
        signature="bug:mm/huge_memory.c:__split_huge_pmd_locked",
        lines=LineRange(31, 38),
        excerpt=tuple(SPLAT_LINES),
        test=TESTS[3],
    )
    x86_64 = arch_of(
        "x86_64",
        changed=(
            comparison_of(
                "x86_64", TESTS[3], Verdict.REGRESSION, series=Status.ERROR,
                reason="the kernel panicked under this test, twice",
                series_reason="the guest died under the test",
            ),
            comparison_of(
                "x86_64", TESTS[4], Verdict.INFRASTRUCTURE, series=Status.MISS,
                reason="QEMU died before the test", series_reason="planned, but no result was ever seen",
            ),
            comparison_of(
                "x86_64", TESTS[5], Verdict.UNSUPPORTED, base=Status.SKIP, series=Status.SKIP,
                exercised=False, reason="the guest could not fault in a huge page",
            ),
        ),
        verdict=Verdict.REGRESSION,
        reasons=("the series panics: kernel BUG at mm/huge_memory.c:2871!",),
        splats=(
            SplatComparison(
                splat.signature, splat.title, (), ("x86_64-series-1",), Verdict.REGRESSION, splat
            ),
        ),
    )  # fmt: skip
    arm64 = replace(
        arch_of("arm64", verdict=Verdict.INFRASTRUCTURE, reasons=("the series does not build: disk full",)),
        tests=(),
        claims=(),
    )
    broken = replace(
        build_of("arm64", "series"),
        ok=False,
        error="cc1: fatal error: error writing to /tmp/ccX.s: No space left on device",
        error_is_infrastructure=True,
        warnings=(),
    )
    cells = tuple(
        Cell("arm64", "series", broken) if (cell.arch, cell.variant) == ("arm64", "series") else cell
        for cell in run.cells
    )
    return replace(
        run,
        cells=tuple(_panicked(cell, splat) if cell.arch == "x86_64" else cell for cell in cells),
        arches=(x86_64, arm64),
        verdict=Verdict.REGRESSION,
        headline="Regression on x86_64: the series panics in partial_mremap. arm64 gave no judgement.",
        exit_code=1,
        complete=False,
    )


def hostile_run() -> Run:
    """Every text that comes from a guest, a patch or a compiler is an attack."""
    run = regression_run()
    patch = Patch(1, HOSTILE, HOSTILE, HOSTILE)
    cells = tuple(
        replace(
            cell,
            build=None if cell.build is None else replace(
                cell.build, compiler=HOSTILE, configuration=HOSTILE, commands=(HOSTILE,),
                warnings=(CompilerWarning(HOSTILE, 1, HOSTILE, HOSTILE),),
            ),
            boots=tuple(_hostile_boot(boot) for boot in cell.boots),
        )
        for cell in run.cells
    )  # fmt: skip
    return replace(
        run,
        subject=replace(run.subject, tree=HOSTILE, series_title=HOSTILE, patches=(patch,)),
        cells=cells,
        arches=tuple(_hostile_arch(arch) for arch in run.arches),
        headline=HOSTILE,
        command=(HOSTILE,),
        host={HOSTILE: HOSTILE},
    )


def _panicked(cell: Cell, splat: Splat) -> Cell:
    if cell.variant == "base":
        return cell
    boot = cell.boots[0]
    died = replace(
        boot,
        end=BootEnd.PANIC,
        detail="kernel BUG at mm/huge_memory.c:2871! under thp_pmd_split.partial_mremap",
        tests=(*boot.tests[:3], TestResult(TESTS[3], Status.ERROR, "the guest died under the test")),
        splats=(splat,),
    )
    lost = replace(
        boot,
        id="x86_64-series-2",
        purpose="remaining",
        end=BootEnd.MACHINE,
        detail="QEMU ended with signal 9 after 1.2 s; no space left on /dev/shm",
        seconds=1.2,
        log="logs/x86_64-series-2.log",
        tests=(),
        notes=("KVM did not work: /dev/kvm is not accessible; the boot used TCG",),
    )
    return replace(cell, boots=(died, lost))


def _hostile_boot(boot: Boot) -> Boot:
    return replace(
        boot,
        detail=HOSTILE,
        command=(HOSTILE,),
        notes=(HOSTILE,),
        capabilities=Capabilities(HOSTILE, HOSTILE, facts={HOSTILE: HOSTILE}),
        tests=tuple(replace(test, output=(HOSTILE,) * 3, reason=HOSTILE) for test in boot.tests),
        splats=(Splat("warning", HOSTILE, HOSTILE, LineRange(1, 2), (HOSTILE,), HOSTILE),),
    )


def _hostile_arch(arch: ArchComparison) -> ArchComparison:
    splat = Splat("warning", HOSTILE, HOSTILE, LineRange(1, 2), (HOSTILE,), HOSTILE)
    return replace(
        arch,
        reasons=(HOSTILE,),
        tests=tuple(
            replace(test, reason=HOSTILE, series=replace(test.series, reason=HOSTILE)) for test in arch.tests
        ),
        splats=(SplatComparison(HOSTILE, HOSTILE, (), (HOSTILE,), Verdict.REGRESSION, splat),),
        claims=(
            ClaimComparison(Claim(HOSTILE, HOSTILE, HOSTILE), HOSTILE, HOSTILE, Verdict.REGRESSION, HOSTILE),
        ),
        new_warnings=(CompilerWarning(HOSTILE, 1, HOSTILE, HOSTILE),),
        measurements=tuple(
            _hostile(measure, test.name, verdict)
            for test, (measure, verdict) in zip(
                arch.tests, product(("fault_sweep", "timing", HOSTILE), Verdict), strict=False
            )
        ),
    )


def _hostile(measure: str, test: str, verdict: Verdict) -> Measurement:
    row = SweepRow(1, True, HOSTILE, HOSTILE, True, True, HOSTILE, -7, 10**17, HOSTILE)
    swept = plain(SweepRun((row, replace(row, n=10**17)), False, 10**17, (HOSTILE,)))
    readings = (Reading(HOSTILE, "B", 10**17, None), Reading("failed", "", -1, 2))
    return Measurement(
        measure,
        test,
        HOSTILE,
        verdict,
        HOSTILE,
        conclusion=HOSTILE,
        readings=readings,
        note=HOSTILE,
        base_marks="x!?" + HOSTILE,
        series_marks=HOSTILE,
        base=swept,
        series=swept,
    )
