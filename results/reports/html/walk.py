# SPDX-License-Identifier: GPL-2.0-only
"""A walk as one HTML file that looks like the report of a run."""

from __future__ import annotations

from pathlib import Path

from results.model.walk import Walk
from results.reports.content import walk_words
from results.reports.content.search_findings import walk_findings
from results.reports.html.run import Logs, render_page
from results.walk.verdict import own_faults


def render_walk(walk: Walk, folder: Path) -> str:
    """Render the page of a walk, to be saved in its folder: links to logs are relative."""
    styles = ("report.css", "walk.css")
    found = walk_findings(walk)
    return render_page(
        "walk.html", styles, Logs(folder), run=walk, words=walk_words, own_faults=own_faults, findings=found,
        pages={},
    )  # fmt: skip
