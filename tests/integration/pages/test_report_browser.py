# SPDX-License-Identifier: GPL-2.0-only
"""The report page in a real Chromium: no errors, no sideways scrolling, keyboard, links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from harness.commands.reports import write_reports
from results.model.run import Run
from results.reports.content.wording import visible
from tests.integration.browser import Scheme, Visit, overflow
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import write_logs
from tests.samples.sample_run import HOSTILE, green_run, hostile_run, regression_run, troubled_run

pytestmark = pytest.mark.slow

RUNS: dict[str, Callable[[], Run]] = {
    "green": green_run,
    "regression": regression_run,
    "troubled": troubled_run,
    "hostile": hostile_run,
    "measured": measured_run,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for name, make_run in RUNS.items():
        run = make_run()
        write_logs(run, folder / name)
        write_reports(run, folder / name)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_wider_than_the_window(visit: Visit, name: str, scheme: Scheme) -> None:
    page = visit(f"{name}/report.html", scheme=scheme)
    for opened in ("false", "true"):
        page.evaluate(f"document.querySelectorAll('details').forEach(box => {{ box.open = {opened} }})")
        for width in (400, 768, 970, 1280, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow(page) == [], width


def test_dark_is_dark(visit: Visit) -> None:
    script = "getComputedStyle(document.body).backgroundColor"
    dark, light = visit("green/report.html", scheme="dark"), visit("green/report.html")
    assert dark.evaluate(script) != light.evaluate(script)


def test_details_open_by_keyboard(visit: Visit) -> None:
    page = visit("regression/report.html")
    summary = page.locator("summary", has_text="Build and boot base on arm64")
    summary.focus()
    command = page.get_by_text("qemu-system-aarch64").first
    page.keyboard.press("Enter")
    command.wait_for(state="visible")
    page.keyboard.press("Space")
    command.wait_for(state="hidden")


def test_the_first_tab_stop_skips_to_the_results(visit: Visit) -> None:
    page = visit("green/report.html")
    page.keyboard.press("Tab")
    page.locator("a:focus", has_text="Skip to the results").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")


def test_a_link_to_a_test_opens_the_details_around_it(visit: Visit) -> None:
    page = visit("green/report.html")
    page.get_by_role("link", name="partial_munmap").first.click()
    article = page.locator("[id='x86_64--thp_pmd_split.partial_munmap']")
    article.wait_for(state="visible")
    assert "TAP version 13" in article.inner_text()


def test_links_resolve(visit: Visit) -> None:
    for name in RUNS:
        page = visit(f"{name}/report.html")
        addresses = page.eval_on_selector_all("a", "links => links.map(link => link.href)")
        assert len(addresses) > 10
        for address in addresses:
            parts = urlparse(address)
            assert Path(unquote(parts.path)).is_file(), address
            if "/findings/" in parts.path:
                assert f'id="{unquote(parts.fragment)}"' in Path(unquote(parts.path)).read_text(), address
            elif parts.fragment:
                assert page.locator(f"[id='{unquote(parts.fragment)}']").count() == 1, address


def test_cards_are_still_tables_to_a_screen_reader(visit: Visit) -> None:
    page = visit("green/report.html", width=400)
    row = page.get_by_role("row", name="x86_64").first
    assert row.get_by_role("cell").count() == 3
    assert page.get_by_role("table").count() > 4


def test_everything_is_there_without_javascript(visit: Visit) -> None:
    page = visit("troubled/report.html", javascript=False)
    assert page.get_by_role("heading", level=1).is_visible()
    assert page.get_by_role("button", name="Copy").count() == 0


def test_a_command_is_copied(visit: Visit) -> None:
    page = visit("green/report.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("summary", has_text="Build and boot base on x86_64").click()
    page.locator("section.arch .command button").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert "make -C ../linux-base" in page.evaluate("navigator.clipboard.readText()")


def test_hostile_text_runs_nothing_and_is_shown(visit: Visit) -> None:
    page = visit("hostile/report.html")
    assert page.locator("script").count() == 1
    assert page.get_by_role("heading", level=1).inner_text().endswith(visible(HOSTILE))
