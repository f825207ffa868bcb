"""The report page in a real Chromium: no errors, no sideways scrolling, keyboard, links."""

import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from results.export.html import render_html
from results.export.wording import visible
from tests.unit.sample_numbers import measured_run
from tests.unit.sample_parts import write_logs
from tests.unit.sample_run import HOSTILE, green_run, hostile_run, regression_run, troubled_run

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.slow

RUNS = {
    "green": green_run,
    "regression": regression_run,
    "troubled": troubled_run,
    "hostile": hostile_run,
    "measured": measured_run,
}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: install Debian's package `chromium`")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    found = {}
    for name, make_run in RUNS.items():
        run_dir = tmp_path_factory.mktemp(name)
        run = make_run()
        write_logs(run, run_dir)
        found[name] = run_dir / "report.html"
        found[name].write_text(render_html(run, run_dir), encoding="utf-8")
    return found


@pytest.fixture
def visit(browser, reports):
    """Open a report; at the end of the test, complain of anything that the page complained of."""
    troubles, contexts = [], []

    def open_page(name, width=1280, scheme="light", javascript=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.goto(reports[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_wider_than_the_window(visit, name, scheme):
    page = visit(name, scheme=scheme)
    for opened in ("false", "true"):
        page.evaluate(f"document.querySelectorAll('details').forEach(box => {{ box.open = {opened} }})")
        for width in (400, 768, 970, 1280, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow(page) == [], width


def overflow(page):
    """Name what sticks out on the right; what is hidden from view on purpose doesn't count."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return page.evaluate(
        """[...document.querySelectorAll("main *, header *")]
            .filter(part => !part.closest(".hidden, thead"))
            .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
            .map(part => part.outerHTML.slice(0, 120))"""
    )


def test_dark_is_dark(visit):
    script = "getComputedStyle(document.body).backgroundColor"
    assert visit("green", scheme="dark").evaluate(script) != visit("green").evaluate(script)


def test_details_open_by_keyboard(visit):
    page = visit("regression")
    summary = page.locator("summary", has_text="Build and boot base on arm64")
    summary.focus()
    command = page.get_by_text("qemu-system-aarch64").first
    page.keyboard.press("Enter")
    command.wait_for(state="visible")
    page.keyboard.press("Space")
    command.wait_for(state="hidden")


def test_the_first_tab_stop_skips_to_the_results(visit):
    page = visit("green")
    page.keyboard.press("Tab")
    page.locator("a:focus", has_text="Skip to the results").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")


def test_a_link_to_a_test_opens_the_details_around_it(visit):
    page = visit("green")
    page.get_by_role("link", name="partial_munmap").first.click()
    article = page.locator("[id='x86_64--thp_pmd_split.partial_munmap']")
    article.wait_for(state="visible")
    assert "TAP version 13" in article.inner_text()


def test_links_resolve(visit, reports):
    for name in RUNS:
        page = visit(name)
        for address in page.eval_on_selector_all("a", "links => links.map(link => link.href)"):
            parts = urlparse(address)
            assert Path(unquote(parts.path)).is_file(), address
            if parts.fragment:
                assert page.locator(f"[id='{unquote(parts.fragment)}']").count() == 1, address


def test_cards_are_still_tables_to_a_screen_reader(visit):
    page = visit("green", width=400)
    row = page.get_by_role("row", name="x86_64").first
    assert row.get_by_role("cell").count() == 3
    assert page.get_by_role("table").count() > 4


def test_everything_is_there_without_javascript(visit):
    page = visit("troubled", javascript=False)
    assert page.get_by_role("heading", level=1).is_visible()
    assert page.get_by_role("button", name="Copy").count() == 0


def test_a_command_is_copied(visit):
    page = visit("green")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("summary", has_text="Build and boot base on x86_64").click()
    page.locator("section.arch .command button").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert "make -C ../linux-base" in page.evaluate("navigator.clipboard.readText()")


def test_hostile_text_runs_nothing_and_is_shown(visit):
    page = visit("hostile")
    assert page.locator("script").count() == 1
    assert page.get_by_role("heading", level=1).inner_text().endswith(visible(HOSTILE))
