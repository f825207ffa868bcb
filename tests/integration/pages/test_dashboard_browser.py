# SPDX-License-Identifier: GPL-2.0-only
"""The dashboard in a real Chromium, read from files: clicks, filters, deep links, zoom, phone, keyboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.dashboard.site import build_site
from tests.integration.browser import Scheme, Visit, listen, overflow
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import hostile_run, regression_run
from tests.unit.dashboard.test_dashboard import month_of, store_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGES = ("index", "runs", "tests", "numbers", "measurements", "splats", "flakes", "searches", "compare")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of made-up nights, and a real one at its end in which something broke."""
    folder = tmp_path_factory.mktemp("site")
    tonight = replace(regression_run(), id="tonight", started="2025-06-13T02:00:00Z")
    store = month_of(folder, replace(measured_run(), id="yesterday"))
    store_of(folder, tonight)
    build_site(store, folder / "site")
    return folder / "site"


def every_kind(pages: Path) -> list[str]:
    run = next(path for path in (pages / "run").glob("tonight*"))
    test = next(path for path in (pages / "test").glob("*partial_mremap*"))
    return [*(f"{page}.html" for page in PAGES), f"run/{run.name}", f"test/{test.name}"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(visit: Visit, pages: Path, scheme: Scheme) -> None:
    for path in every_kind(pages):
        page = visit(path, scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true })")
        # What is too wide for any window scrolls in a box of its own.
        page.evaluate("document.querySelectorAll('.scroll > *').forEach(box => box.remove())")
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow(page) == [], (path, width)


def test_a_box_that_scrolls_does_not_widen_the_page(visit: Visit, pages: Path) -> None:
    for path in every_kind(pages):
        assert visit(path, width=360).evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_from_what_broke_to_the_line_of_the_log_in_two_clicks(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="thp_pmd_split.partial_mremap fails on arm64").click()
    page.get_by_role("heading", level=1, name="thp_pmd_split.partial_mremap").wait_for()
    page.get_by_title("arm64, 2025-06-13: fails").click()
    page.wait_for_url("**/log/*#L*")
    line = page.locator(":target")
    assert line.count() == 1
    box = line.bounding_box()
    assert box and box["y"] < 900
    page.get_by_role("link", name="The run").click()
    page.get_by_text("run tonight", exact=True).wait_for()


def test_the_heat_map_leads_to_the_architecture_of_the_run(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="regression", exact=True).last.click()
    page.wait_for_url("**/run/*#arm64")
    assert page.get_by_role("heading", name="arm64 regression").is_visible()


def test_a_filter_is_in_the_address_and_comes_back_from_it(visit: Visit) -> None:
    page = visit("tests.html")
    rows = page.locator("#tests tbody tr:visible")
    every = rows.count()
    page.get_by_label("Search").fill("MREMAP pmd_split")
    assert 0 < rows.count() < every
    shown = rows.count()
    assert page.locator("output").inner_text() == f"{shown} of {every}"
    page.get_by_label("architecture").select_option("arm64")
    page.get_by_label("change").select_option("new failure")
    assert rows.count() == 1
    fragment = page.evaluate("location.hash")
    assert "arch" in fragment and "MREMAP" in fragment
    again = visit(f"tests.html{fragment}")
    assert again.locator("#tests tbody tr:visible").count() == 1
    assert again.get_by_label("Search").input_value() == "MREMAP pmd_split"
    again.goto(again.url.split("#")[0] + "#q=no+such+test")
    again.get_by_text(f"0 of {every}").wait_for()


def test_runs_are_filtered_by_what_was_made_up(visit: Visit) -> None:
    page = visit("runs.html#simulated=no")
    rows = page.locator("#runs tbody tr:visible")
    assert rows.count() == 2
    page.get_by_label("simulated").select_option("yes")
    assert rows.count() == 28
    assert page.locator("#runs tbody tr:visible .simulated").count() == 28


def test_all_charts_are_zoomed_together_with_the_keyboard(visit: Visit) -> None:
    page = visit("numbers.html")

    def range_of(number: int) -> tuple[str, str]:
        chart = page.locator(".chart").nth(number)
        return chart.locator(".from").inner_text(), chart.locator(".to").inner_text()

    whole = range_of(0)
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("Enter")
    zoomed = range_of(0)
    assert whole[0] < zoomed[0] < zoomed[1] < whole[1]
    assert range_of(1) == zoomed
    for _ in range(10):
        page.get_by_role("button", name="Later").click()
    assert range_of(1)[1] == whole[1]
    page.get_by_role("button", name="Whole").click()
    assert range_of(0) == range_of(1) == whole


def test_a_cursor_reads_the_same_night_from_all_charts(visit: Visit) -> None:
    page = visit("index.html")
    assert page.locator(".chart").count() > 1
    page.locator(".plot").first.hover()
    read = [page.locator(".chart output").nth(number).inner_text() for number in (0, 1)]
    nights = [words.split(", ")[1].split(":")[0] for words in read]
    assert nights[0] == nights[1]
    assert all(" | " in words for words in read)


def test_any_two_runs_are_compared(visit: Visit) -> None:
    page = visit("compare.html#a=yesterday&b=tonight")
    rows = page.locator("#differences tbody tr")
    assert rows.filter(has_text="partial_mremap").filter(has_text="arm64").inner_text().split("\t")[1:] == [
        "arm64",
        "✓ passes",
        "✗ fails",
    ]
    page.get_by_role("button", name="Swap").click()
    assert "a=tonight" in page.evaluate("location.hash")
    page.locator("select[name=b]").select_option("tonight")
    assert "0 differ" in page.locator("#compared").inner_text()


def test_dark_is_dark(visit: Visit) -> None:
    script = "getComputedStyle(document.body).backgroundColor"
    assert visit(scheme="dark").evaluate(script) != visit().evaluate(script)


def test_the_keyboard_reaches_what_scrolls_and_skips_what_repeats(visit: Visit) -> None:
    page = visit(width=360)
    page.keyboard.press("Tab")
    page.locator("a:focus", has_text="Skip to the results").wait_for()
    box = page.locator(".scroll").first
    assert box.evaluate(
        "box => box.scrollLeft > 0 && box.scrollLeft + box.clientWidth >= box.scrollWidth - 1"
    )
    box.focus()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Every architecture")


def test_a_screen_reader_hears_words(visit: Visit) -> None:
    page = visit()
    row = page.get_by_role("row", name="arm64").first
    assert row.get_by_role("link", name="regression").count() >= 1
    assert page.locator("svg[role=group]:not([aria-label])").count() == 0
    numbers = visit("numbers.html")
    assert numbers.locator("svg[role=group]").count() > 0
    assert numbers.locator("svg[role=group]:not([aria-label])").count() == 0
    for field in numbers.locator("input, select").all():
        assert field.evaluate("field => field.labels.length") == 1


def test_everything_is_there_without_javascript(visit: Visit) -> None:
    page = visit("tests.html", javascript=False)
    assert page.locator("#tests tbody tr:visible").count() > 10


def test_hostile_words_run_nothing(browser: Browser, tmp_path: Path) -> None:
    run = replace(hostile_run(), id='"><script>alert(1)</script>')
    build_site(store_of(tmp_path, run), tmp_path / "site")
    page = browser.new_page()
    seen: list[str] = []
    listen(page, seen)
    paths = sorted((tmp_path / "site").rglob("*.html"))
    assert len(paths) > len(PAGES)
    for path in paths:
        page.goto(path.as_uri())
        assert page.locator("script:not([type])").count() <= 1
    page.close()
    assert seen == []
