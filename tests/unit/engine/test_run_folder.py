# SPDX-License-Identifier: GPL-2.0-only
"""Which folder the same command continues: an interrupted one, and one whose reports were never made."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.reports import keep
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.run_folder import lock_folder
from results.journal.assemble import assemble
from results.journal.journal import JOURNAL, Journal
from results.model.document import FolderKind
from results.store.store import open_store
from tests.samples.past_run import PastRun
from tests.unit.commands.test_repro import original, past  # noqa: F401  fixtures

DIGEST = "d" * 24


@pytest.fixture
def workspace(past: PastRun) -> Workspace:  # noqa: F811
    return Workspace(past.cache, past.run_dir.parent.parent)


def continued(workspace: Workspace) -> Path | None:
    """The folder that the same command continues; None if it begins another one."""
    progress = Progress(Console(quiet=True), quiet=True)
    folder, lock, known = lock_folder(
        workspace, FolderKind.RUN, DIGEST, "x", progress, lambda _, events: events
    )
    lock.close()
    return folder if known is not None else None


def test_a_run_that_was_killed_after_its_end_gets_its_reports_and_its_row(
    past: PastRun,  # noqa: F811
    workspace: Workspace,
) -> None:
    assert continued(workspace) == past.run_dir
    Journal(past.run_dir).append("end")
    assert continued(workspace) == past.run_dir, "it is complete, but nobody has made its reports"
    keep(assemble(past.run_dir), past.run_dir, workspace, print)
    assert {"results.json", "report.html", "junit.xml"} <= {path.name for path in past.run_dir.iterdir()}
    assert not list(past.run_dir.glob(".*.new"))
    store = open_store(str(workspace.state / "results.db"))
    assert [one.name for one in store.listing()] == [past.run_dir.name]
    store.close()
    assert continued(workspace) is None


def test_a_complete_run_that_lost_a_fact_is_continued(past: PastRun, workspace: Workspace) -> None:  # noqa: F811
    Journal(past.run_dir).append("end")
    keep(assemble(past.run_dir), past.run_dir, workspace, print)
    journal = past.run_dir / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"purpose": "first"', b'"purpose": "fir5t"', 1))
    assert not assemble(past.run_dir).complete
    assert continued(workspace) == past.run_dir


def test_a_complete_run_of_an_older_version_is_left_alone(past: PastRun, workspace: Workspace) -> None:  # noqa: F811
    Journal(past.run_dir).append("end")
    assert continued(workspace) is None
