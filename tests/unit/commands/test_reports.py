# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of folder has its place, its document and its reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.reports import REPORTS, write_reports
from harness.core.errors import InfrastructureError
from harness.core.workspace import KINDS
from results.model.document import DOCUMENTS, FolderKind
from tests.samples.sample_run import green_run
from tests.samples.sample_walk import mixed_walk


def test_every_kind_is_in_every_table() -> None:
    assert set(KINDS) == set(FolderKind) == set(DOCUMENTS) == set(REPORTS)


def test_a_folder_gets_the_document_and_the_reports_of_its_kind(tmp_path: Path) -> None:
    run, walk = tmp_path / "run", tmp_path / "walk"
    for outcome, folder in ((green_run(), run), (mixed_walk(), walk)):
        folder.mkdir()
        write_reports(outcome, folder)
    assert sorted(path.name for path in run.iterdir()) == ["junit.xml", "report.html", "results.json"]
    assert sorted(path.name for path in walk.iterdir()) == ["walk.html", "walk.json"]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="No such file"):
        write_reports(green_run(), tmp_path / "gone")
