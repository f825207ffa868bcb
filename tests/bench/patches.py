# SPDX-License-Identifier: GPL-2.0-only
"""Patch by patch: a walk against clean builds of every commit, a bisection against the boots that it takes.

Both are about the same fixture, whose faults are known. It has fewer patches than the series that the
figure is about, so a patch more is taken to cost what a patch of the fixture does; and what a person
would build from nothing, with the configuration of `by_hand`, is measured on one commit and multiplied.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.core.shipped import ROOT
from harness.plan.plan import Plan, PlanRequest, make_plan
from results.journal.journal import read_events
from tests.bench import plain, timeline
from tests.bench.bench import ARCH, Bench, BenchError, environment, harness_program, run_to_end
from tests.bench.by_hand import by_hand
from tests.bench.clock import DISTURBED, Span, clocked
from tests.bench.figure import Measured
from tests.bench.package import fetched, hand_over
from tests.bench.typed import follow, run_script

SERIES = ROOT / "tests" / "fixtures" / "series" / "walk"
ARCHES = (ARCH, "arm64")
FOUND = 1
"""Exit status of a walk or a bisection that found what is wrong."""
CULPRIT = ("--until", "pmd_split.mremap fails")
PATCHES = 24
"""The series that the figure is about: as many as the seed of the project has."""
BOOTS = 6
"""What bisecting two dozen patches may take: both ends and four between, or one end and five."""


@dataclass(frozen=True, slots=True)
class Walked:
    """A walk from an empty cache, and a clean build of its last commit."""

    walk: Span
    clean: Span
    """One commit, on every architecture."""
    patches: int
    patches_after: float
    """So many of them were done after the last kernel of base."""
    seconds_after: float
    """What those took."""

    @property
    def each(self) -> float:
        """Seconds for one patch more, on all architectures."""
        return self.seconds_after / self.patches_after

    def expected(self, patches: int) -> float:
        """Seconds for a series of so many patches."""
        return self.walk.wall + (patches - self.patches) * self.each


def plan_of(bench: Bench) -> Plan:
    """What is walked."""
    return make_plan(PlanRequest(arches=ARCHES, series=str(SERIES), jobs=bench.cpus))


def walk(bench: Bench) -> Measured:
    """Every patch built, booted and judged, against building every patch from nothing."""
    done = bench.once(_walk)
    ours, clean = done.expected(PATCHES), done.clean.wall * (PATCHES + 1)
    words = (
        f"{PATCHES} patches, extrapolated: {ours:.0f} s against {clean:.0f} s; "
        f"measured: {done.patches} patches {done.walk.wall:.0f} s, one more {done.each:.1f} s, "
        f"one commit from nothing {done.clean.wall:.0f} s"
        f"{_remark(done.walk, done.clean)}"
    )
    return Measured((ours / clean,), words)


def bisect(bench: Bench) -> Measured:
    """A bisection whose kernels are all in the cache, against six boots of them."""
    bench.once(_walk)
    xdg = _xdg(bench)
    command = (harness_program(), "bisect", "--arch", ARCH, "--series", str(SERIES), *CULPRIT)
    span = clocked(
        lambda: run_to_end(command, environment(xdg), follow(bench, "bisect"), accepted=(0, FOUND))
    )
    (folder,) = (bench.workspace(xdg).state / "bisects").iterdir()
    boots = [event.fact["seconds"] for event in read_events(folder) if event.name == "boot"]
    if not boots:
        raise BenchError(f"the bisection has booted nothing: {folder}")
    boot = statistics.mean(boots)
    words = f"{span.wall:.1f} s with {len(boots)} boots of {boot:.1f} s each{_remark(span)}"
    return Measured((span.wall / (BOOTS * boot),), words)


def _walk(bench: Bench) -> Walked:
    plan, package, xdg = plan_of(bench), bench.once(fetched), _xdg(bench)
    shutil.rmtree(xdg, ignore_errors=True)
    hand_over(package, bench.workspace(xdg))
    arches = (word for arch in ARCHES for word in ("--arch", arch))
    command = (harness_program(), "walk", *arches, "--series", str(SERIES))
    tell = follow(bench, "walk")
    span = clocked(lambda: run_to_end(command, environment(xdg), tell, accepted=(FOUND,)))
    (folder,) = (bench.workspace(xdg).state / "walks").iterdir()
    after = timeline.after_base(read_events(folder))
    patches = len(plain.sources_of(plan).patches)
    return Walked(span, _clean_build(bench, plan, package), patches, after.share * patches, after.seconds)


def _clean_build(bench: Bench, plan: Plan, package: Path) -> Span:
    ways = [by_hand(arch) for arch in plan.arches]
    with tempfile.TemporaryDirectory(prefix="clean-", dir=bench.folder) as name:
        folder = Path(name)
        sources = plain.write(folder / "sources.sh", plain.sources_script(plan, folder, package))
        kernels = plain.write(folder / "kernels.sh", plain.kernels_script(plan, ways, folder))
        run_script(sources)
        return clocked(lambda: run_script(kernels, follow(bench, "plain")))


def _xdg(bench: Bench) -> Path:
    return bench.folder / "walk"


def _remark(*spans: Span) -> str:
    share = max(span.disturbance for span in spans)
    return f"; NOT TO BE TRUSTED: others used {share:.0%} of the CPUs" if share >= DISTURBED else ""
