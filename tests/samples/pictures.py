# SPDX-License-Identifier: GPL-2.0-only
"""The pictures of the README, taken of sample runs: `make pictures` writes them into docs/images/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from results.dashboard.site import build_site
from results.reports.html.run import render_html
from results.store.store import open_store
from tests.integration.browser import Visit, chromium
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import write_logs
from tests.samples.simulate import simulate, write_simulated
from tests.samples.stored_runs import write_run

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_WIDTH, _HEIGHT = 1180, 1100


def main() -> None:
    """Take the first screen of a report, and of the overview of a month."""
    run = replace(measured_run(), id="tonight")
    with TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        home = write_run(folder, run)
        write_logs(run, home)
        (folder / "report.html").write_text(render_html(run, home), encoding="utf-8")
        store = open_store(str(folder / "results.db"))
        store.import_folders(
            [home, *(write_simulated(one, folder / "nights") for one in simulate(run, 28, 1))]
        )
        build_site(store, folder / "site")
        visit = Visit(browser, folder)
        for page, picture in (("report.html", "report.png"), ("site/index.html", "dashboard.png")):
            shot = visit(page, width=_WIDTH)
            clip = {"x": 0, "y": 0, "width": _WIDTH, "height": _HEIGHT}
            shot.screenshot(path=IMAGES / picture, clip=clip, full_page=True)  # type: ignore[arg-type]
        visit.close()


if __name__ == "__main__":
    main()
