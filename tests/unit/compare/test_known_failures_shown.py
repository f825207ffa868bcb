# SPDX-License-Identifier: GPL-2.0-only
"""Known failures in the reports: the reason stands with the test, and CI does not take it for new."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml, Skipped
from rich.console import Console

from results.model.run import Run, Verdict
from results.reports.ci.junit import to_junit
from results.reports.html.run import render_html
from results.reports.terminal.run import print_run
from tests.samples.sample_run import green_run

REASON = "there is no swap"
NOTE = "known failure mm.cow passes now, remove the entry: it leaks"


@pytest.fixture
def run() -> Run:
    """A run of which one test is known to fail, and another one was."""
    good = green_run()
    first = good.arches[0]
    failing = replace(
        first.tests[0],
        verdict=Verdict.FAILS_ON_BOTH,
        reason="fails on both kernels",
        known_failure=REASON,
    )
    return replace(
        good, arches=(replace(first, tests=(failing, *first.tests[1:]), notes=(NOTE,)), *good.arches[1:])
    )


def test_the_table_says_both(run: Run, tmp_path: Path) -> None:
    stream = io.StringIO()
    print_run(run, Console(file=stream, width=120), tmp_path)
    assert f"known failure: {REASON}" in stream.getvalue()
    assert NOTE in stream.getvalue()


def test_the_page_says_both(run: Run, tmp_path: Path) -> None:
    page = render_html(run, tmp_path)
    assert f"Known failure: {REASON}." in page
    assert NOTE in page


def test_junit_has_it_as_skipped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(to_junit(run), encoding="utf-8")
    report = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (report.failures, report.errors) == (0, 0)
    (known,) = [case.result[0] for suite in report for case in suite if case.result]
    assert isinstance(known, Skipped)
    assert known.message == f"known failure: {REASON}"
