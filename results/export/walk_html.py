"""A walk as one HTML file that looks like the report of a run."""

from __future__ import annotations

from pathlib import Path

from results.export import walk_words
from results.export.html import render_page
from results.walk_model import Walk
from results.walk_verdict import own_faults


def render_walk(walk: Walk, folder: Path) -> str:
    """Render the page of a walk, to be saved in its folder: links to logs are relative."""
    styles = ("report.css", "walk.css")
    return render_page("walk.html", styles, folder, run=walk, words=walk_words, own_faults=own_faults)
