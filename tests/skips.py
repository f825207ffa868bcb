# SPDX-License-Identifier: GPL-2.0-only
"""Fail each test that is skipped in CI for a reason that is not in allowed_skips.yaml.

A skipped test looks green, so that a package which CI lost would silently take its tests with it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

LIST = Path(__file__).with_name("allowed_skips.yaml")


def allowed(reason: str) -> bool:
    """Say whether the list has the start of this reason."""
    return reason.startswith(tuple(yaml.safe_load(LIST.read_text(encoding="utf-8"))))


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not allowed(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, and {LIST.name} does not list the reason: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn an unlisted skip of a test into a failure."""
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn an unlisted skip of a whole module into a failure."""
    report = yield
    _refuse(report)
    return report
