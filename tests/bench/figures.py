# SPDX-License-Identifier: GPL-2.0-only
"""The table of figures. A new one is a function that returns `Measured`, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.build.build_cache import IMAGE, BuildCache
from harness.config.arch import ArchRecord
from harness.core.process import Children
from harness.engine.boot import Bootable, BootRequest, boot
from harness.machines.kinds import qemu_kind
from harness.machines.qemu.accel import Accelerator
from results.journal.assemble import read_boot
from results.journal.journal import BootFact
from results.model.run import Status
from tests.bench import big_log, cluster, confined, matrix, patches, plain, stored
from tests.bench.bench import (
    Bench,
    BenchError,
    PastRun,
    environment,
    harness_program,
    run_to_end,
)
from tests.bench.clock import clocked, interleaved
from tests.bench.cold import cold_run
from tests.bench.figure import Figure, Measured, against

BOOT_PAIRS = 11
RUN_PAIRS = 7
HELP_RUNS = 7
HELP_SECONDS = 0.3


def help_text(bench: Bench) -> Measured:
    """`thp-harness --help` against what still feels instant."""
    program = harness_program()
    times = [clocked(lambda: run_to_end((program, "--help"), environment())).wall for _ in range(HELP_RUNS)]
    seconds = f"{min(times):.3f}–{max(times):.3f} s against {HELP_SECONDS} s"
    return Measured(tuple(time / HELP_SECONDS for time in times), seconds)


def boot_to_verdict(bench: Bench) -> Measured:
    """A boot with its manifest, its watch and the reading of its log, against the bare QEMU command."""
    past = bench.warm_run()
    example, arch = past.boots[0], bench.plan.arches[0]
    script = plain.write(bench.folder / "boot.sh", plain.boot_script([example.command], bench.folder))
    return against(
        interleaved(
            BOOT_PAIRS,
            lambda: run_to_end(("sh", str(script)), environment()),
            lambda: _boot_and_judge(bench, arch, past, example),
        )
    )


def _boot_and_judge(bench: Bench, arch: ArchRecord, past: PastRun, example: BootFact) -> None:
    """Boot the example's kernel once more as the pipeline does, and read what came out."""
    folder = bench.folder / "boots"
    for name in ("boots", "logs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    build = next(build for build in past.builds if build.variant == example.variant)
    kernel = BuildCache(bench.workspace(bench.xdg).cache).folder / build.key / IMAGE
    # The example's initramfs has a manifest already; the new one comes later in it and counts.
    bootable = Bootable(arch, kernel, past.run_dir / "boots" / f"{example.id}.cpio")
    request = BootRequest("bench", example.variant, example.purpose, past.plan.planned)
    kind = qemu_kind(arch, Accelerator(example.accelerator))
    fact = boot(bootable, kind, request, folder, Children())
    seen = read_boot(fact, past.plan.planned, folder)
    if any(test.status is not Status.PASS for test in seen.tests) or not seen.tests:
        raise BenchError(f"a boot did not pass its tests ({fact.detail}): {folder / fact.log}")


def warm_run(bench: Bench) -> Measured:
    """A whole run with nothing to build, against the two bare boots that it comes down to."""
    past = bench.warm_run()
    commands = [fact.command for fact in past.boots if fact.purpose == "first"]
    script = plain.write(bench.folder / "boots.sh", plain.boot_script(commands, bench.folder))
    before = _products(bench)

    def run_again() -> None:
        if not all(build.cached for build in bench.run_harness(bench.xdg).builds):
            raise BenchError("the run with nothing changed has built a kernel again")

    measured = against(
        interleaved(RUN_PAIRS, lambda: run_to_end(("sh", str(script)), environment()), run_again)
    )
    if _products(bench) != before:
        raise BenchError("the run with nothing changed has left new products in the cache")
    return measured


def _products(bench: Bench) -> Mapping[Path, int]:
    """Everything that a build would touch, with its time stamp."""
    cache = bench.workspace(bench.xdg).cache
    patterns = ("builds/*/*/*", "programs/*/*", "objects/*/*", "worktrees/*", "mirror.git/objects/pack/*")
    return {path: path.stat().st_mtime_ns for pattern in patterns for path in cache.glob(pattern)}


FIGURES = (
    Figure("help", 1.00, "thp-harness --help against 0.3 s", help_text),
    Figure("cold-run", 1.05, "thp-harness run from empty folders against the plain script", cold_run),
    Figure("boot-to-verdict", 1.05, "a boot and its verdict against the bare QEMU command", boot_to_verdict),
    Figure("warm-run", 1.30, "thp-harness run with nothing changed against two bare boots", warm_run),
    Figure("cold-matrix", 0.75, "the matrix from an empty cache against a script", matrix.cold_matrix),
    Figure("first-verdict", 0.20, "time to the first verdict against the script", matrix.first_verdict),
    Figure("warm-matrix", 0.03, "the matrix again against its cold run", matrix.warm_matrix),
    Figure("cached-builds", 2, "a kernel from the cache", matrix.cached_builds, "s"),
    Figure("ten-boots", 90, "all boots of the matrix", matrix.boots, "s"),
    Figure("sandbox", 1.03, "the objects of mm/ in the sandbox against plain make", confined.sandbox_cost),
    Figure("memory", 150, "peak of the process in the cold run", matrix.memory, "MiB"),
    Figure("walk", 0.10, "a walk from an empty cache against clean builds of every patch", patches.walk),
    Figure("bisect", 1.10, "a bisection with a warm cache against six boots", patches.bisect),
    Figure("big-log", 60, "a console log of 1 GiB is read", big_log.big_log, "s"),
    Figure("big-log-memory", 200, "peak of the process that reads it", big_log.big_log_memory, "MiB"),
    Figure("store-rows", 50, "a million test results go into a store", stored.store_rows, "s"),
    Figure("dashboard-page", 2, "the slowest page of its dashboard", stored.dashboard_page, "s"),
    Figure("cluster", 1.053, "1,000 cells that sleep against their sleep on 8 workers", cluster.cluster_time),
    Figure("cluster-overhead", 0.050, "what one of these cells costs beside", cluster.cluster_overhead, "s"),
)
"""In the order in which they are measured: the cold run leaves its kernels to those after it."""

BY_NAME = {figure.name: figure for figure in FIGURES}
