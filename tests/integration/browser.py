# SPDX-License-Identifier: GPL-2.0-only
"""Pages in a real Chromium, and what none of them may do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, until the end of the block; the test is skipped where there is none."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: install Debian's package `chromium`")
    with sync_playwright() as driver:
        running: Browser = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


class Visit:
    """Opens pages of a folder, and keeps what they complained of."""

    def __init__(self, browser: Browser, pages: Path) -> None:
        self._browser = browser
        self._pages = pages
        self._contexts: list[BrowserContext] = []
        self.troubles: list[str] = []

    def __call__(
        self, path: str = "index.html", width: int = 1280, scheme: Scheme = "light", javascript: bool = True
    ) -> Page:
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript
        )
        self._contexts.append(context)
        page = context.new_page()
        listen(page, self.troubles)
        name, _, fragment = path.partition("#")
        page.goto((self._pages / name).as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    def close(self) -> None:
        """Close all that was opened."""
        for context in self._contexts:
            context.close()


def listen(page: Page, troubles: list[str]) -> None:
    """Note whatever a page complains of from now on."""
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))


def overflow(page: Page) -> list[str]:
    """Name what sticks out on the right; what is hidden from view on purpose doesn't count."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("main *, header *")]
            .filter(part => !part.closest(".hidden, thead"))
            .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
            .map(part => part.outerHTML.slice(0, 120))"""
    )
    return found
