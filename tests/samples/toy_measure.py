# SPDX-License-Identifier: GPL-2.0-only
"""A measure as somebody would add it: TLB flushes that a test counts (`data flushes count=N`)."""

from __future__ import annotations

from results.compare.measures.data_lines import parse_data_lines
from results.compare.measures.measure import Measure, reading
from results.compare.reason import SURE
from results.compare.tally import Runs
from results.model.run import Measurement, TestComparison, Verdict


def _flushes(runs: Runs) -> list[int]:
    lines = (line for run in runs.passing for line in parse_data_lines(run.result.output).lines)
    return [line.number("count", 0) for line in lines if line.kind == "flushes"]


def _compare(test: TestComparison, base: Runs, series: Runs) -> Measurement | None:
    on_base, on_series = _flushes(base), _flushes(series)
    if not on_base or not on_series:
        return None
    said = f"flushes the TLB {min(on_series)} times with the series, {max(on_base)} times on base"
    is_worse = min(on_series) > max(on_base) and len(on_series) >= SURE
    return Measurement(
        measure="tlb_flushes",
        test=test.name,
        subject=test.name.partition(".")[2],
        verdict=Verdict.REGRESSION if is_worse else Verdict.UNCHANGED,
        reason=said if is_worse else "",
        conclusion=said,
        readings=(reading("flushes", "", min, on_base, on_series),),
        base={"flushes": on_base},
        series={"flushes": on_series},
    )


MEASURE = Measure(
    name="tlb_flushes",
    title="TLB flushes",
    about="Flushes of the TLB while an operation runs.",
    compare=_compare,
    narrow=("flushes",),
    overview="flushes",
)
FRAGMENT = (
    "<ul>{% for item in section.rows %}<li>{{ item.series.flushes|join('/') }} flushes</li>{% endfor %}</ul>"
)
"""What `measure_tlb_flushes.html` would have."""
