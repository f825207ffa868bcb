# SPDX-License-Identifier: GPL-2.0-only
"""A measure that is added as one module, with a template fragment if it wants one, appears everywhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, DictLoader
from rich.console import Console

from results.compare.compare import compare_arch
from results.compare.measures.registry import MEASURES
from results.compare.verdict import run_verdict
from results.dashboard.site import build_site
from results.model.document import from_json, to_json
from results.model.run import Run, Verdict
from results.model.walk import FaultKind
from results.reports.ci.github import step_summary, workflow_commands
from results.reports.ci.junit import to_junit
from results.reports.ci.kcidb import Submission, to_kcidb
from results.reports.ci.prometheus import to_prometheus
from results.reports.html import run as html
from results.reports.mail.run import cover_block, report_mail
from results.reports.terminal.run import print_run
from results.store.store import open_store
from results.walk.faults import Observation, trace
from tests.samples.cells import plan
from tests.samples.data_words import printed
from tests.samples.sample_run import green_run
from tests.samples.stored_runs import write_run
from tests.samples.toy_measure import FRAGMENT, MEASURE

NOWHERE = Path("/nonexistent")
SAID = "flushes the TLB 9 times with the series, 4 times on base"
(TEST,) = plan("tlb_flushes.munmap")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose only test passes, but flushes the TLB more often with the series."""
    monkeypatch.setitem(MEASURES, MEASURE.name, MEASURE)
    base, series = (
        printed(TEST, *([f"data flushes count={count}"] for count in counts)) for counts in ((4,), (9, 9))
    )
    boots = tuple(replace(boot, id=f"x86_64-s-{number}") for number, boot in enumerate(series.boots))
    series = replace(series, variant="series", boots=boots)
    arch = compare_arch("x86_64", [TEST], base, series, (), False)
    verdict = run_verdict([arch])
    return replace(
        green_run(),
        planned=(TEST,),
        cells=(base, series),
        arches=(arch,),
        verdict=verdict.verdict,
        headline=verdict.headline,
        exit_code=verdict.exit_code,
    )


@pytest.fixture
def fragment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The measure's own part of the HTML report, as if it were among the templates."""
    environment = html._environment()
    assert environment.loader
    own = DictLoader({"measure_tlb_flushes.html": FRAGMENT})
    monkeypatch.setattr(environment, "loader", ChoiceLoader([own, environment.loader]))
    yield
    assert environment.cache is not None
    environment.cache.clear()


def test_verdict(run: Run) -> None:
    assert (run.verdict, run.exit_code) == (Verdict.REGRESSION, 1)
    assert run.headline == f"Regression on x86_64: tlb_flushes.munmap: {SAID}."
    assert run.arches[0].tests[0].verdict is Verdict.UNCHANGED


def test_document(run: Run) -> None:
    assert from_json(Run, to_json(run)) == run


def test_terminal(run: Run) -> None:
    out = io.StringIO()
    print_run(run, Console(file=out, width=80), NOWHERE)
    assert "\ntlb flushes  flushes\n  munmap     4 | 9\n" in out.getvalue()
    assert f"✗ regression  munmap: {SAID}\n" in out.getvalue()


def test_html(run: Run) -> None:
    text = html.render_html(run, NOWHERE)
    assert ">TLB flushes</h3>" in text
    assert '<td role="cell" class="count" data-label="flushes">4 | 9</td>' in text


def test_html_fragment(run: Run, fragment: None) -> None:
    text = html.render_html(run, NOWHERE)
    assert ">TLB flushes</h3>" in text
    assert "<li>9/9 flushes</li>" in text
    assert 'data-label="flushes"' not in text


def test_mail(run: Run) -> None:
    for text in (report_mail(run, NOWHERE), cover_block(run)):
        assert "x86_64: munmap: flushes the TLB 9 times with the series" in text
        assert "Regression on x86_64: tlb_flushes.munmap" in text
        assert text.count("4 | 9") == 1, "in the table of architectures"


def test_junit(run: Run) -> None:
    text = to_junit(run)
    assert f'message="regression: {SAID}"' in text
    assert "flushes: 4 | 9" in text


def test_kcidb(run: Run) -> None:
    tests = json.loads(to_kcidb(Submission(run, NOWHERE)))["tests"]
    numbers = {test["path"]: test["number"]["value"] for test in tests if "number" in test}
    assert numbers["tlb_flushes.munmap.flushes"] == 9
    assert {"verdict": "regression", "verdict_reason": SAID}.items() <= next(
        test["misc"] for test in tests if "verdict" in test["misc"]
    ).items()


def test_prometheus(run: Run) -> None:
    labels = 'arch="x86_64",measure="tlb_flushes"'
    text = to_prometheus(run)
    number = f'{{{labels},test="tlb_flushes.munmap",variant="series",what="flushes"}} 9.0'
    assert f"thp_harness_measured{number}" in text
    assert f'thp_harness_measured_verdicts{{{labels},verdict="regression"}} 1.0' in text


def test_github(run: Run) -> None:
    text = step_summary(run, NOWHERE)
    assert f"- x86\\_64: munmap: {SAID}" in text
    assert "| flushes |" in text
    assert (
        "::error title=regression on x86_64%3A tlb_flushes.munmap fails with the series::"
        in workflow_commands(run)
    )


def test_store_and_dashboard(run: Run, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "results.db"))
    store.import_folders([write_run(tmp_path, run)])
    with store.reading() as connection:
        measures = connection.exec_driver_sql("SELECT kind, what, base, series FROM measures").all()
        judged = connection.exec_driver_sql("SELECT measure, subject, verdict, words FROM measurements").all()
    assert ("tlb_flushes", "flushes", 4, 9) in measures
    assert judged == [("tlb_flushes", "munmap", "regression", SAID)]
    build_site(store, tmp_path / "site")
    page = (tmp_path / "site" / "measurements.html").read_text()
    assert "TLB flushes</h3>" in page
    assert SAID in page
    numbers = (tmp_path / "site" / "numbers.html").read_text()
    assert 'data-kind="TLB flushes"' in numbers
    assert "4 | 9" in numbers


def test_the_walk_names_the_patch(run: Run) -> None:
    base, series = run.cells
    fine = compare_arch("x86_64", [TEST], base, base, (), False)
    seen = [Observation(0, base, base, fine), Observation(1, base, base, fine)]
    *_, faults = trace([*seen, Observation(2, base, series, run.arches[0])])
    (fault,) = faults
    assert (fault.kind, fault.name, fault.culprit) == (FaultKind.MEASURE, TEST.name, "patch 2")
    assert fault.text == "tlb_flushes.munmap: flushes the TLB 9 times, 4 times on base"
