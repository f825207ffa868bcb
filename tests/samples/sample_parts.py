# SPDX-License-Identifier: GPL-2.0-only
"""Builders for the sample runs: one green piece each, and the logs that belong to it."""

from __future__ import annotations

from pathlib import Path

from results.model.run import (
    ArchComparison,
    Boot,
    BootEnd,
    Build,
    Capabilities,
    Cell,
    Claim,
    ClaimComparison,
    CompilerWarning,
    CounterChange,
    Evidence,
    FuzzedHunk,
    LineRange,
    Patch,
    PlannedTest,
    Run,
    SplatComparison,
    Status,
    Subject,
    Tally,
    TestComparison,
    TestResult,
    Verdict,
)

SPLITTING = ("partial_munmap", "partial_mprotect", "partial_mlock", "partial_mremap", "partial_madv_dontneed")
PMD_SPLIT = (
    "munmap", "mprotect", "mlock", "mremap", "madv_dontneed", "fork_cow", "gup",
    "madv_pageout", "madv_free", "uffdio_move", "pagemap_scan",
)  # fmt: skip
TESTS = (*(f"thp_pmd_split.{case}" for case in SPLITTING), *(f"pmd_split.{case}" for case in PMD_SPLIT))

BASE_COMMIT = "8d6b1d0e6f1c4a2f9be0f2d6f3ab1f0c7d3e5a91"
SERIES_COMMIT = "c41f0a97be3d4d6a8a6de1b1a0f2c3d4e5f60718"

_MACHINES = {
    "x86_64": ("qemu-system-x86_64", "kvm", "x86_64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0", "ttyS0"),
    "arm64": ("qemu-system-aarch64", "tcg", "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0", "ttyAMA0"),
}


def write_logs(run: Run, run_dir: Path) -> None:
    """Write a console log for every boot, and a build log for every build, of a run."""
    for cell in run.cells:
        if cell.build is not None and cell.build.log:
            _write(run_dir / cell.build.log, [f"  CC      mm/file{n}.o" for n in range(40)])
        for boot in cell.boots:
            _write(run_dir / boot.log, _console(boot))


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")


def _console(boot: Boot) -> list[str]:
    lines = [f"[    {n / 100:.6f}] Linux boots, line {n + 1} of {boot.id}" for n in range(30)]
    lines += boot.splats[0].excerpt if boot.splats else []
    for result in boot.tests:
        lines += [f"[    3.{len(lines):06d}] THP:5f0c:{len(lines)}: out {line}" for line in result.output]
        lines += [f"[    3.{len(lines):06d}] THP:5f0c:{len(lines)}: end {result.name} {result.status}"]
    return lines


SPLAT_LINES = [
    "[    3.041273] ------------[ cut here ]------------",
    "[    3.041280] kernel BUG at mm/huge_memory.c:2871!",
    "[    3.041288] Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
    "[    3.041295] CPU: 1 UID: 0 PID: 73 Comm: thp_pmd_split Not tainted 6.12.0-thp+ #1",
    "[    3.041301] RIP: 0010:__split_huge_pmd_locked+0x8e1/0xa40",
    "[    3.041310] Call Trace:",
    "[    3.041312]  __split_huge_pmd+0x9c/0xe0",
    "[    3.041318]  move_page_tables+0x3b2/0xb10",
]


def run_of(arches: tuple[ArchComparison, ...], verdict: Verdict, headline: str, exit_code: int) -> Run:
    return Run(
        id="2025-06-12T20-15-03Z-3f9a",
        started="2025-06-12T20:15:03Z",
        seconds=1423.6,
        harness="0.1.0",
        host={"cpus": "16", "memory": "62 GiB", "kernel": "6.1.0-37-amd64", "distribution": "Debian 12"},
        command=("thp-harness", "run", "--plan", "default"),
        subject=_subject(),
        planned=tuple(
            PlannedTest(
                name, (f"/thp/{name.split('.')[0]}", "--only", name.split(".")[1]), 60.0,
                evidence=(Evidence("thp_split_pmd", 1),), needs=("thp",),
            )
            for name in TESTS
        ),
        cells=tuple(_cell(arch, variant) for arch in _MACHINES for variant in ("base", "series")),
        arches=arches,
        verdict=verdict,
        headline=headline,
        exit_code=exit_code,
    )  # fmt: skip


def _subject() -> Subject:
    subjects = (
        "mm/thp: count the splits of a PMD that failed",
        "mm/thp: let the split of a PMD fail when no page table can be had",
        "mm/mremap: fall back to copying when the PMD can't be split",
        "selftests/mm: split PMDs in part, in every way there is",
    )
    return Subject(
        tree="Debian linux-source-6.12",
        tree_version="6.12.30",
        base_commit=BASE_COMMIT,
        series="seed/series.mbox",
        series_title="[PATCH v3 0/4] mm: let PMD splits fail",
        series_commit=SERIES_COMMIT,
        stand_in=True,
        patches=tuple(
            Patch(number, subject, f"{number}a{SERIES_COMMIT[2:]}", f"{number}f{BASE_COMMIT[2:]}")
            for number, subject in enumerate(subjects, 1)
        ),
        fuzzed=(FuzzedHunk(subjects[1], "mm/huge_memory.c", 7, 2, -14),),
    )


def _cell(arch: str, variant: str) -> Cell:
    return Cell(arch, variant, build_of(arch, variant), (_boot(arch, variant),))


def build_of(arch: str, variant: str) -> Build:
    grown = 1184 if variant == "series" else 0
    return Build(
        arch=arch,
        variant=variant,
        ok=True,
        key=f"{arch}-{variant}-4b1d7c9e",
        cached=variant == "base",
        seconds=212.4,
        commit=SERIES_COMMIT if variant == "series" else BASE_COMMIT,
        compiler=_MACHINES[arch][2],
        image_sha256=("4b1d" if variant == "base" else "c07e") * 16,
        image_bytes=12_582_912 + grown // 2,
        text_bytes=18_204_311 + grown,
        data_bytes=6_120_448 + (64 if grown else 0),
        bss_bytes=1_835_008,
        symbols=1742,
        warnings=(
            CompilerWarning("drivers/char/mem.c", 88, "-Wunused-function", "'read_zero' is never used"),
        ),
        log=f"logs/build-{arch}-{variant}.log",
        configuration="tinyconfig + common + lockdep",
        commands=(
            f"git worktree add ../linux-{variant} {SERIES_COMMIT if variant == 'series' else BASE_COMMIT}",
            f"make -C ../linux-{variant} ARCH={arch} O=../build-{arch}-{variant} thp_defconfig",
            f"make -C ../linux-{variant} ARCH={arch} O=../build-{arch}-{variant} -j16",
        ),
    )


def _boot(arch: str, variant: str) -> Boot:
    emulator, accelerator, _, console = _MACHINES[arch]
    return Boot(
        id=f"{arch}-{variant}-1",
        purpose="first",
        machine="qemu",
        accelerator=accelerator,
        end=BootEnd.DONE,
        detail="the guest reported its end after 16 tests and powered off",
        seconds=9.3 if accelerator == "kvm" else 61.8,
        log=f"logs/{arch}-{variant}-1.log",
        command=(
            emulator, "-machine", "virt,gic-version=3" if arch == "arm64" else "q35", "-accel", accelerator,
            "-smp", "2", "-m", "2G", "-nographic", "-no-reboot",
            "-kernel", f"../build-{arch}-{variant}/Image", "-initrd", "initramfs.cpio",
            "-append", f"console={console} panic=-1 loglevel=8",
        ),
        capabilities=Capabilities(
            release="6.12.30-thp", machine="aarch64" if arch == "arm64" else arch,
            page_size=4096, pmd_size=2 << 20, thp=True,
            facts={
                "release": "6.12.30-thp", "page_size": "4096", "pmd_size": "2097152", "thp": "1",
                "thp_enabled": "[always] madvise never", "cpus": "2", "mem_kb": "2014208", "fail_nth": "1",
            },
        ),
        tests=tuple(_result(name, number) for number, name in enumerate(TESTS)),
    )  # fmt: skip


def _result(name: str, number: int) -> TestResult:
    case = name.split(".")[1]
    return TestResult(
        name,
        Status.PASS,
        seconds=0.012 * (number + 1),
        counters=_counters("series", 1),
        output=("TAP version 13", "1..1", f"# mapped 2 MiB at 0x7f3a00200000, {case}", f"ok 1 {case}"),
        lines=LineRange(31 + 5 * number, 35 + 5 * number),
    )


def _counters(variant: str, rise: int) -> dict[str, CounterChange]:
    failed = {} if variant == "base" else {"thp_split_pmd_failed": CounterChange(0, 0)}
    return {
        "meminfo.AnonHugePages": CounterChange(0, 0 if variant == "base" else 2048),
        "thp_fault_alloc": CounterChange(4, 5),
        "thp_split_page": CounterChange(0, 0),
        "thp_split_pmd": CounterChange(3, 3 + rise),
        **failed,
    }


def _tally(
    arch: str,
    variant: str,
    name: str,
    status: Status,
    exercised: bool,
    reason: str,
    rise: int,
    rate: tuple[int, int],
) -> Tally:
    number = TESTS.index(name)
    failures, runs = rate
    return Tally(
        status=status,
        exercised=exercised,
        reason=reason,
        runs=1 if status is Status.PASS else runs,
        failures=0 if status is Status.PASS else failures,
        counters=_counters(variant, rise),
        seconds=0.012 * (number + 1),
        boot=f"{arch}-{variant}-1",
        lines=LineRange(31 + 5 * number, 35 + 5 * number),
    )


def comparison_of(
    arch: str,
    name: str,
    verdict: Verdict = Verdict.UNCHANGED,
    base: Status = Status.PASS,
    series: Status = Status.PASS,
    exercised: bool = True,
    reason: str = "",
    series_reason: str = "",
    rise: int = 1,
    rate: tuple[int, int] = (2, 2),
) -> TestComparison:
    return TestComparison(
        name,
        _tally(arch, "base", name, base, exercised, "" if exercised else reason, rise, rate),
        _tally(
            arch,
            "series",
            name,
            series,
            exercised,
            series_reason or ("" if exercised else reason),
            rise,
            rate,
        ),
        verdict,
        reason,
    )


def claim_that_holds() -> ClaimComparison:
    claim = Claim("thp_split_pmd_failed", "absent", "0")
    return ClaimComparison(claim, "absent", "0", Verdict.UNCHANGED, "")


def arch_of(
    arch: str,
    changed: tuple[TestComparison, ...] = (),
    verdict: Verdict = Verdict.UNCHANGED,
    reasons: tuple[str, ...] = ("16 of 16 tests exercised, all pass on both kernels",),
    splats: tuple[SplatComparison, ...] = (),
    claims: tuple[ClaimComparison, ...] | None = None,
    new_warnings: tuple[CompilerWarning, ...] = (),
) -> ArchComparison:
    replaced = {test.name: test for test in changed}
    return ArchComparison(
        arch=arch,
        verdict=verdict,
        reasons=reasons,
        tests=tuple(replaced.get(name) or comparison_of(arch, name) for name in TESTS),
        splats=splats,
        claims=(claim_that_holds(),) if claims is None else claims,
        new_warnings=new_warnings,
    )
