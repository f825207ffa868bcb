# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of folder has its place, its document and its reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.reports import REPORTS, informed, write_reports
from harness.core.errors import InfrastructureError
from harness.core.workspace import KINDS, Workspace
from results.model.document import DOCUMENTS, FolderKind, to_json
from results.reports.content.findings import findings
from results.walk.verdict import own_faults
from tests.samples.sample_run import green_run, regression_run
from tests.samples.sample_walk import mixed_walk, walk_of


def test_every_kind_is_in_every_table() -> None:
    assert set(KINDS) == set(FolderKind) == set(DOCUMENTS) == set(REPORTS)


def test_a_folder_gets_the_document_and_the_reports_of_its_kind(tmp_path: Path) -> None:
    run, walk = tmp_path / "run", tmp_path / "walk"
    for outcome, folder in ((green_run(), run), (mixed_walk(), walk)):
        folder.mkdir()
        write_reports(outcome, folder)
    assert sorted(path.name for path in run.iterdir()) == ["junit.xml", "report.html", "results.json"]
    assert sorted(path.name for path in walk.iterdir()) == ["walk.html", "walk.json"]


def test_each_finding_has_a_page_and_those_of_an_earlier_report_go(tmp_path: Path) -> None:
    write_reports(regression_run(), tmp_path)
    pages = {path.name for path in (tmp_path / "findings").iterdir()}
    assert len(pages) == len(findings(regression_run())) == 4
    text = (tmp_path / "report.html").read_text()
    assert all(f'href="findings/{name}#finding-' in text for name in pages)
    write_reports(green_run(), tmp_path)
    assert list((tmp_path / "findings").iterdir()) == []


def test_a_report_names_the_patch_that_a_walk_found(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "cache", tmp_path)
    run, walk = regression_run(), walk_of({"arm64": ["ok", "one"]})
    fault = replace(own_faults(walk.columns[0].steps[1])[0], name="thp_pmd_split.partial_mremap")
    step = replace(walk.columns[0].steps[1], faults=(fault,))
    column = replace(walk.columns[0], steps=(walk.columns[0].steps[0], step))
    patch = replace(run.subject.patches[0], number=1, subject="mm: break mremap")
    walk = replace(walk, columns=(column,), subject=replace(run.subject, patches=(patch,)))
    (workspace.home("walk") / walk.id).mkdir(parents=True)
    (workspace.home("walk") / walk.id / "walk.json").write_text(to_json(walk))
    told = next(one for one in findings(informed(run, workspace)) if one.introduced)
    assert (told.name, told.arch) == ("thp_pmd_split.partial_mremap", "arm64")
    assert told.introduced.startswith("patch 1, mm: break mremap")
    assert told.introduced.endswith(f"(walk {walk.id})")
    other = replace(run, subject=replace(run.subject, patches=()))
    assert not any(one.introduced for one in findings(informed(other, workspace)))


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="No such file"):
        write_reports(green_run(), tmp_path / "gone")
