# SPDX-License-Identifier: GPL-2.0-only
"""Each kind of page under axe-core, light and dark; and how many keyboard stops and bytes a page has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.commands.reports import write_reports
from results.dashboard.site import build_site
from results.model.run import Run
from results.reports.content.finding import PAGES
from results.reports.html.walk import render_walk
from results.store.store import open_store
from tests.integration.browser import Scheme, Visit
from tests.samples.sample_life import crowded_run, interrupted_run, long_splat_run, wide_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import write_logs
from tests.samples.sample_run import regression_run, troubled_run
from tests.samples.sample_walk import mixed_walk
from tests.samples.stored_runs import recorded, write_run
from tests.unit.dashboard.test_dashboard import month_of, store_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPORTS: dict[str, Callable[[], Run]] = {
    "measured": measured_run,
    "troubled": troubled_run,
    "interrupted": interrupted_run,
    "splat": long_splat_run,
    "wide": wide_run,
}
MOST_STOPS = 120
"""Links, buttons and folds that the keyboard goes through: dozens, also where 300 tests fail."""
STOPS = """[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')]
    .filter(part => part.tabIndex >= 0 && part.checkVisibility()).length"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, make_run in {**REPORTS, "crowded": crowded_run}.items():
        run = make_run()
        (folder / name).mkdir()
        write_logs(run, folder / name)
        write_reports(run, folder / name)
    (folder / "walk.html").write_text(render_walk(mixed_walk(), folder), encoding="utf-8")
    store = month_of(folder, replace(measured_run(), id="yesterday"))
    store_of(folder, replace(regression_run(), id="tonight", started="2025-06-13T02:00:00Z"))
    home = write_run(folder, replace(crowded_run(), id="crowded"))
    store.import_folders([home])
    build_site(store, folder / "site")
    return folder


def every_kind(folder: Path) -> Iterator[str]:
    """Each page of a report or walk, each page of the dashboard, and one finding, run, test and log."""
    yield from (f"{name}/report.html" for name in REPORTS)
    yield f"splat/{PAGES}/{next((folder / 'splat' / PAGES).iterdir()).name}"
    yield "walk.html"
    yield from (f"site/{page.name}" for page in (folder / "site").glob("*.html"))
    for kind, pattern in (
        ("run", "tonight*"),
        ("test", "*partial_mremap*"),
        ("finding", "*partial_mremap*"),
        ("log", "*"),
    ):
        yield f"site/{kind}/{next((folder / 'site' / kind).glob(pattern)).name}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, pages: Path, scheme: Scheme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = []
    for path in every_kind(pages):
        page = visit(path, scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true })")
        for violation in axe.run(page).response["violations"]:
            found.append((path, violation["id"], violation["nodes"][0]["html"][:200]))
        page.close()
    assert found == []


def test_the_keyboard_stops_dozens_of_times_not_thousands(visit: Visit, pages: Path) -> None:
    crowded = f"site/run/{next((pages / 'site' / 'run').glob('crowded*')).name}"
    paths = (*every_kind(pages), "crowded/report.html", crowded)
    stops = {path: visit(path).evaluate(STOPS) for path in paths}
    assert {path: count for path, count in stops.items() if count > MOST_STOPS} == {}


def test_years_of_nights_are_pages_of_a_bounded_size(tmp_path: Path) -> None:
    """A thousand nights, as the store keeps them after their folders are gone."""
    start = datetime(2021, 1, 1, tzinfo=UTC)
    runs = (_night(long_splat_run(), start + timedelta(days=number), number) for number in range(1000))
    store = open_store(str(tmp_path / "results.db"))
    store.put([recorded(run) for run in runs])
    build_site(store, tmp_path / "site", nights=1000)
    places = ("", "test", "finding", "run")
    pages = [page for place in places for page in (tmp_path / "site" / place).glob("*.html")]
    assert any(page.parent.name == "finding" for page in pages)
    assert len(pages) > 20
    assert {page.name: page.stat().st_size for page in pages if page.stat().st_size > 200_000} == {}


def _night(run: Run, day: datetime, number: int) -> Run:
    cells = tuple(
        replace(cell, build=cell.build and replace(cell.build, image_bytes=10_000_000 + 4096 * (number % 7)))
        for cell in run.cells
    )
    return replace(run, id=f"night-{number}", started=day.strftime("%Y-%m-%dT%H:%M:%SZ"), cells=cells)
