# SPDX-License-Identifier: GPL-2.0-only
"""The whole matrix of architectures: one script by hand, one run from an empty cache, one run again.

Each of the three is done once, however many figures look at it.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.plan.plan import Plan, PlanRequest, make_plan
from results.journal.journal import Event, read_events
from results.model.run import Status
from tests.bench import timeline
from tests.bench.bench import (
    SERIES,
    Bench,
    BenchError,
    PastRun,
    environment,
    harness_program,
    run_to_end,
)
from tests.bench.by_hand import by_hand
from tests.bench.clock import DISTURBED, Pairs, Span, clocked
from tests.bench.cold import circumstances
from tests.bench.figure import Measured, against
from tests.bench.memory import PeakMemory
from tests.bench.package import fetched, hand_over
from tests.bench.typed import follow, run_scripts

JUDGED = (0, 3)
"""Exit statuses of a run that said what it could; 3 if an architecture can't exercise everything."""


@dataclass(frozen=True, slots=True)
class OurRun:
    """`thp-harness run` over the matrix."""

    span: Span
    started: datetime
    past: PastRun
    events: tuple[Event, ...]
    reused: Mapping[str, float]
    """Cell → seconds until its kernel was taken from the cache."""
    peak_mib: float


def plan_of(bench: Bench) -> Plan:
    """What is done: a small series on the architectures of the default plan, or a part of them."""
    return make_plan(PlanRequest(arches=bench.arches, series=SERIES, jobs=bench.cpus))


def cold_matrix(bench: Bench) -> Measured:
    """All builds and boots from an empty cache, against the script."""
    typed, ours = _both(bench)
    measured = against(Pairs(((typed, ours.span),)))
    told = (
        f"{measured.words}; {circumstances(bench, typed, ours.span)}{_remarks(bench, ours, typed, ours.span)}"
    )
    return Measured(measured.values, told)


def first_verdict(bench: Bench) -> Measured:
    """Until the first architecture is done, against all of the script."""
    typed, ours = _both(bench)
    arch, moment = timeline.first_verdict(ours.events)
    seconds = (moment - ours.started).total_seconds()
    words = f"{arch} after {seconds:.0f} s, the script takes {typed.wall:.0f} s"
    return Measured((seconds / typed.wall,), words + _remarks(bench, ours, typed, ours.span))


def warm_matrix(bench: Bench) -> Measured:
    """The same run again, against the cold one."""
    cold, warm = bench.once(_cold_run), bench.once(_warm_run)
    words = f"cold {cold.span.wall:.0f} s, again {warm.span.wall:.1f} s"
    return Measured((warm.span.wall / cold.span.wall,), words + _remarks(bench, warm, cold.span, warm.span))


def cached_builds(bench: Bench) -> Measured:
    """Seconds that it takes to use a kernel of the cache; the slowest cell counts."""
    warm = bench.once(_warm_run)
    slowest = max(warm.reused, key=lambda cell: warm.reused[cell])
    middle = statistics.median(warm.reused.values())
    words = f"{slowest} is the slowest of {len(warm.reused)} cells, their median {middle:.1f} s"
    return Measured((warm.reused[slowest],), f"{words}{_remarks(bench, warm, warm.span)}")


def boots(bench: Bench) -> Measured:
    """Seconds in which the run with nothing to build has a guest running."""
    warm = bench.once(_warm_run)
    spans = timeline.boot_spans(warm.events)
    one_by_one = sum(boot.seconds for boot in warm.past.boots)
    words = f"{len(spans)} boots of {len(warm.past.builds)} kernels, {one_by_one:.0f} s one after another"
    return Measured((timeline.seconds_of(spans),), f"{words}{_remarks(bench, warm, warm.span)}")


def memory(bench: Bench) -> Measured:
    """Peak of the harness' own process over the cold run."""
    cold = bench.once(_cold_run)
    words = f"VmHWM of the one process, without its children{_remarks(bench, cold)}"
    return Measured((cold.peak_mib,), words)


def _remarks(bench: Bench, ours: OurRun, *timed: Span) -> str:
    remarks = []
    if (share := max((span.disturbance for span in timed), default=0)) >= DISTURBED:
        remarks.append(f"NOT TO BE TRUSTED: others used {share:.0%} of the CPUs")
    if bench.arches:
        remarks.append(f"ONLY {', '.join(bench.arches)}, the limit is meant for the whole matrix")
    if shutil.which("ccache", path=environment()["PATH"]):
        remarks.append("the harness uses ccache")
    if again := [boot.id for boot in ours.past.boots if boot.purpose != "first"]:
        remarks.append(f"boots that had to be repeated: {', '.join(again)}")
    return "".join(f"; {remark}" for remark in remarks)


def _both(bench: Bench) -> tuple[Span, OurRun]:
    if bench.harness_first:
        bench.once(_cold_run)
    return bench.once(_script), bench.once(_cold_run)


def _script(bench: Bench) -> Span:
    bench.say("the matrix by hand: on two CPUs ten minutes for an architecture, then our own run")
    plan = plan_of(bench)
    with tempfile.TemporaryDirectory(prefix="by-hand-", dir=bench.folder) as name:
        return run_scripts(
            bench,
            plan,
            [by_hand(arch) for arch in plan.arches],
            Path(name) / "plain",
            package=bench.once(fetched),
            accepted=(Status.PASS, Status.SKIP),  # the known gaps, and s390 without huge pages
        )


def _cold_run(bench: Bench) -> OurRun:
    package = bench.once(fetched)
    xdg = _xdg(bench)
    shutil.rmtree(xdg, ignore_errors=True)
    hand_over(package, bench.workspace(xdg))
    return _our_run(bench, "cold")


def _warm_run(bench: Bench) -> OurRun:
    bench.once(_cold_run)
    warm = _our_run(bench, "again")
    if built := [f"{build.arch} {build.variant}" for build in warm.past.builds if not build.cached]:
        raise BenchError(f"the run with nothing changed has built again: {', '.join(built)}")
    if len(warm.reused) != len(warm.past.builds):
        raise BenchError(f"the run with nothing changed told the progress of {len(warm.reused)} builds only")
    return warm


def _xdg(bench: Bench) -> Path:
    return bench.folder / "matrix"


def _our_run(bench: Bench, what: str) -> OurRun:
    tell, told, peak = follow(bench, what), list[str](), PeakMemory()

    def hear(line: str) -> None:
        told.append(line)
        tell(line)

    arguments = (word for arch in bench.arches for word in ("--arch", arch))
    command = (harness_program(), "run", "--series", SERIES, *arguments)
    variables = environment(_xdg(bench))
    started = datetime.now(UTC)
    span = clocked(lambda: run_to_end(command, variables, hear, accepted=JUDGED, memory=peak))
    past = bench.last_run(_xdg(bench))
    if broken := [build for build in past.builds if not build.ok]:
        raise BenchError(f"{broken[0].arch} {broken[0].variant} was not built: {broken[0].error}")
    return OurRun(
        span, started, past, tuple(read_events(past.run_dir)), timeline.reused_builds(told), peak.mib
    )
