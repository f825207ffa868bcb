# SPDX-License-Identifier: GPL-2.0-only
"""A run as gauges for Prometheus, in the text format that node_exporter's textfile collector reads.

Verdicts are state sets: a series for every possible value, 1 for the one that holds, so that an
alert needs no history and nothing goes stale. The format is that of
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from results.compare.evidence import total_change
from results.compare.measures.registry import by_measure
from results.model.run import (
    ArchComparison,
    BootEnd,
    Cell,
    Run,
    SplatComparison,
    Status,
    Tally,
    TestComparison,
    Verdict,
)
from results.reports.content import excerpt, lookup, wording
from results.reports.content.measured import tracked

PREFIX = "thp_harness"
_KERNELS = ("base", "series")

_UNITS: Mapping[str, tuple[str, float]] = {
    "": ("", 1),
    "%": ("_ratio", 0.01),
    "B": ("_bytes", 1),
    "ns": ("_seconds", 1e-9),
}
"""End of a gauge's name, in base units, and what a number of ours is multiplied with."""

Sample = tuple[Mapping[str, str], float]
"""Labels and the value."""


class _Gauges(Collector):
    """The gauges of one run, as `prometheus_client` asks for them."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make them."""
        for name, words, samples in (*_of_run(self.run), *_of_arches(self.run), *_of_cells(self.run)):
            if known := list(samples):
                yield _family(name, words, known)


def to_prometheus(run: Run) -> str:
    """Write the gauges of a run; every one is explained by its HELP line."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(run))
    return generate_latest(registry).decode()


def _family(name: str, words: str, samples: list[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", words, labels=list(samples[0][0]))
    for labels, value in samples:
        family.add_metric([excerpt.cut_line(wording.visible(label)) for label in labels.values()], value)
    return family


_Rows = Iterator[tuple[str, str, Iterable[Sample]]]


def _of_run(run: Run) -> _Rows:
    subject = run.subject
    info = {
        "run": run.id,
        "harness": run.harness,
        "tree": subject.tree,
        "tree_version": subject.tree_version,
        "base_commit": subject.base_commit,
        "series": subject.series,
        "series_commit": subject.series_commit,
        "stand_in": "yes" if subject.stand_in else "no",
    }
    yield "run_info", "What was run; always 1.", [(info, 1)]
    yield "run_start_time_seconds", "Start of the run, Unix time.", [({}, _unix(run.started))]
    yield "run_duration_seconds", "Duration of the run.", [({}, run.seconds)]
    yield (
        "run_complete",
        "1 if the run is complete, 0 if it is running or was interrupted.",
        [({}, float(run.complete))],
    )
    yield "run_exit_code", "0 clean, 1 regression, 3 infrastructure or not exercised.", [({}, run.exit_code)]
    yield "run_verdict", "1 for the verdict of the whole run, 0 for all others.", _state_set(run.verdict, {})


def _of_arches(run: Run) -> _Rows:
    yield (
        "verdict",
        "1 for the verdict of an architecture, 0 for all others.",
        (each for arch in run.arches for each in _state_set(arch.verdict, {"arch": arch.arch})),
    )
    yield (
        "tests",
        "Tests of a kernel by status.",
        (
            ({**_where(arch, kernel), "status": str(status)}, _count(arch, kernel, status))
            for arch in run.arches
            for kernel in _KERNELS
            for status in Status
        ),
    )
    yield (
        "tests_exercised",
        "Tests of a kernel that gave their evidence.",
        (
            (_where(arch, kernel), sum(_tally(test, kernel).exercised for test in arch.tests))
            for arch in run.arches
            for kernel in _KERNELS
        ),
    )
    yield (
        "test_verdicts",
        "Tests by verdict.",
        (
            (
                {"arch": arch.arch, "verdict": str(verdict)},
                sum(test.verdict is verdict for test in arch.tests),
            )
            for arch in run.arches
            for verdict in Verdict
        ),
    )
    yield (
        "event_change",
        "Change of a counter over all tests; no sample where the kernel lacks it.",
        (
            ({**_where(arch, kernel), "counter": counter}, change)
            for arch in run.arches
            for kernel in _KERNELS
            for counter, change in _changes(run, arch, kernel)
        ),
    )
    for unit, (name, size) in _UNITS.items():
        yield (
            f"measured{name}",
            "Number that a test measures; no sample where a kernel has none.",
            _measured(run, unit, size),
        )
    yield (
        "measured_verdicts",
        "Tests with numbers by the verdict on these.",
        (
            (
                {"arch": arch.arch, "measure": measure.name, "verdict": str(verdict)},
                sum(item.verdict is verdict for item in items),
            )
            for arch in run.arches
            for measure, items in by_measure(arch.measurements)
            for verdict in Verdict
        ),
    )
    yield (
        "new_warnings",
        "Compiler warnings that only the series has.",
        (({"arch": arch.arch}, len(arch.new_warnings)) for arch in run.arches),
    )
    yield (
        "splats",
        "Different error reports of a kernel.",
        (
            (_where(arch, kernel), sum(bool(_boots(splat, kernel)) for splat in arch.splats))
            for arch in run.arches
            for kernel in _KERNELS
        ),
    )


def _of_cells(run: Run) -> _Rows:
    built = [(_of_cell(cell), cell.build) for cell in run.cells if cell.build]
    booted = [cell for cell in run.cells if cell.boots]
    yield "build_ok", "1 if the kernel builds.", ((labels, float(build.ok)) for labels, build in built)
    yield (
        "build_seconds",
        "Duration of the build, also of a kernel from the cache.",
        ((labels, build.seconds) for labels, build in built),
    )
    yield (
        "build_cached",
        "1 if the kernel is from the cache.",
        ((labels, float(build.cached)) for labels, build in built),
    )
    yield (
        "image_bytes",
        "Size of the kernel image.",
        ((labels, build.image_bytes) for labels, build in built if build.ok),
    )
    yield "build_warnings", "Compiler warnings.", ((labels, len(build.warnings)) for labels, build in built)
    yield (
        "boots",
        "Boots of a kernel by how they ended.",
        (
            ({**_of_cell(cell), "end": str(end)}, sum(boot.end is end for boot in cell.boots))
            for cell in booted
            for end in BootEnd
        ),
    )
    yield (
        "boot_seconds",
        "All boots of a kernel, from power-on to the end of their tests.",
        ((_of_cell(cell), sum(boot.seconds for boot in cell.boots)) for cell in booted),
    )


def _of_cell(cell: Cell) -> dict[str, str]:
    return {"arch": cell.arch, "variant": cell.variant}


def _where(arch: ArchComparison, kernel: str) -> dict[str, str]:
    return {"arch": arch.arch, "variant": kernel}


def _state_set(holds: Verdict, labels: Mapping[str, str]) -> Iterator[Sample]:
    return (({**labels, "verdict": str(verdict)}, float(verdict is holds)) for verdict in Verdict)


def _unix(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _tally(test: TestComparison, kernel: str) -> Tally:
    return wording.tally_of(test.base, test.series, kernel)


def _count(arch: ArchComparison, kernel: str, status: Status) -> int:
    return sum(_tally(test, kernel).status is status for test in arch.tests)


def _boots(splat: SplatComparison, kernel: str) -> tuple[str, ...]:
    return splat.base_boots if kernel == "base" else splat.series_boots


def _changes(run: Run, arch: ArchComparison, kernel: str) -> Iterator[tuple[str, int]]:
    """The counters that the run is about, where the kernel has them."""
    counters = [_tally(test, kernel).counters for test in arch.tests]
    for counter in lookup.wanted_counters(run):
        change = total_change(counters, counter)
        if change is not None:
            yield counter, change


def _measured(run: Run, unit: str, size: float) -> Iterator[Sample]:
    for arch in run.arches:
        for item, reading in tracked(arch.measurements):
            for kernel, value in zip(_KERNELS, (reading.base, reading.series), strict=True):
                if reading.unit == unit and value is not None:
                    labels = {"measure": item.measure, "test": item.test, "what": reading.name}
                    yield {**_where(arch, kernel), **labels}, value * size
