# SPDX-License-Identifier: GPL-2.0-only
"""The cold run: from empty folders to a verdict, against the plain script from nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness.build.build_cache import sha256_of
from harness.plan.plan import Plan
from tests.bench import plain
from tests.bench.bench import Bench, BenchError, PastRun
from tests.bench.by_hand import as_harness
from tests.bench.clock import Pairs, Span, clocked
from tests.bench.figure import Measured, against
from tests.bench.typed import follow, run_scripts


def cold_run(bench: Bench) -> Measured:
    """Once each; the kernels of the two must be the same, byte for byte."""
    bench.say("cold-run takes ten minutes or more; it means something on an idle machine only")
    with tempfile.TemporaryDirectory(prefix="cold-", dir=bench.folder) as name:
        folder = Path(name)
        if bench.harness_first:
            harness, past = _harness(bench, folder / "xdg")
            by_hand = _plain(bench, folder / "plain")
        else:
            by_hand = _plain(bench, folder / "plain")
            harness, past = _harness(bench, folder / "xdg")
        _require_same_kernels(bench.plan, past, folder / "plain")
        _leave_to_others(bench, folder / "xdg")
        measured = against(Pairs(((by_hand, harness),)))
        bench.say(f"cold-run: {measured.words}; removing gigabytes of sources")
    return Measured(measured.values, f"{measured.words}; {circumstances(bench, by_hand, harness)}")


def circumstances(bench: Bench, by_hand: Span, harness: Span) -> str:
    """What a reader must know of two runs that were measured once each."""
    order = "harness first, so plain" if bench.harness_first else "plain first, so harness"
    return f"{by_hand.cost} and {harness.cost}; {order} found compilers in the page cache"


def _harness(bench: Bench, xdg: Path) -> tuple[Span, PastRun]:
    cost = clocked(lambda: bench.run_harness(xdg, follow(bench, "harness")))
    return cost, bench.last_run(xdg)


def _plain(bench: Bench, folder: Path) -> Span:
    plan = bench.plan
    return run_scripts(bench, plan, [as_harness(arch) for arch in plan.arches], folder)


def _require_same_kernels(plan: Plan, past: PastRun, folder: Path) -> None:
    for build in past.builds:
        if sha256_of(plain.image(plan.arches[0], folder, build.variant)) != build.image_sha256:
            raise BenchError(f"the plain script's {build.variant} kernel is not the harness' one")


def _leave_to_others(bench: Bench, xdg: Path) -> None:
    """Warm runs may have the kernels, if they have none yet."""
    if not bench.xdg.exists():
        shutil.move(xdg, bench.xdg)
