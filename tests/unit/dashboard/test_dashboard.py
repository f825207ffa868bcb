# SPDX-License-Identifier: GPL-2.0-only
"""The dashboard's pages: written whole, in words that are right, and harmless whatever is in the store."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from results.dashboard.chart import Curve, Point, chart
from results.dashboard.charts import plots
from results.dashboard.history import DashboardData, read_history
from results.dashboard.logs import MOST_LINES, log_page
from results.dashboard.machines import machines
from results.dashboard.nights import report_of
from results.dashboard.site import SiteError, address, build_site
from results.model.document import to_json
from results.model.run import Run, Status, Verdict
from results.store.store import Store, open_store
from results.store.trends import Outcome
from results.walk.verdict import own_faults
from tests import published
from tests.program import Invoke, Program
from tests.samples.sample_life import LONG_SPLAT, long_splat_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import TESTS, arch_of, comparison_of, write_logs
from tests.samples.sample_run import green_run, hostile_run, regression_run, troubled_run
from tests.samples.sample_walk import hostile_walk, walk_of
from tests.samples.simulate import simulate, write_simulated
from tests.samples.stored_runs import write_run
from tests.unit.bisect.test_bisect_report import bisection
from tests.unit.bisect.test_bisect_report import found as culprit_found


def store_of(folder: Path, *runs: Run) -> Store:
    """A store with runs, their logs in folders beside it."""
    store = open_store(str(folder / "results.db"))
    folders = []
    for place, run in enumerate(runs):
        home = write_run(folder / "runs", run, f"run {place}")
        if not run.simulated:
            write_logs(run, home)
        folders.append(home)
    store.import_folders(folders)
    return store


def month_of(folder: Path, last: Run) -> Store:
    """A month of made-up nights before a run."""
    store = store_of(folder, last)
    store.import_folders(write_simulated(run, folder / "simulated") for run in simulate(last, 28, 1))
    return store


class Links(HTMLParser):
    """Collects where a page leads to, and the places in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if named.get("id"):
            self.places.add(str(named["id"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("month")
    last = replace(measured_run(), id="tonight")
    build_site(month_of(folder, last), folder / "site")
    return folder / "site"


def history_of(folder: Path, *runs: Run) -> DashboardData:
    return read_history(store_of(folder, *runs), 60)


def nights(*runs: Run) -> list[Run]:
    return [
        replace(run, id=f"night {day}", started=f"2025-06-{day:02}T01:00:00Z")
        for day, run in enumerate(runs, 1)
    ]


def grown(factor: float) -> Run:
    """A run whose kernels are larger, on architectures with images of different sizes."""
    run = green_run()
    cells = tuple(
        replace(cell, build=cell.build and replace(cell.build, image_bytes=round(size * factor)))
        for cell, size in zip(run.cells, (10_000_000, 10_000_000, 40_000_000, 40_000_000), strict=True)
    )
    return replace(run, cells=cells)


@pytest.mark.slow
def test_a_month_is_on_pages_of_which_every_link_leads_somewhere(site: Path) -> None:
    pages = {page: Links(page) for page in site.rglob("*.html")}
    assert len(pages) > 60
    assert all(found.links for found in pages.values())
    for page, found in pages.items():
        for link in found.links:
            path, _, place = link.partition("#")
            target = (page.parent / unquote(path)).resolve() if path else page
            assert target in pages, (page, link)
            if place and "=" not in place:
                assert unquote(place) in pages[target].places, (page, link)


@pytest.mark.slow
def test_the_first_page_is_small_and_takes_nothing_from_elsewhere(site: Path) -> None:
    assert (site / "index.html").stat().st_size < 200_000
    assert not re.search(r"p = \d(\.\d+)?e-", (site / "numbers.html").read_text())
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert not re.search(r'(src|href)="?(https?:)?//', text), page
        assert "<style>" in text or "log can't be read" in text


def test_a_failure_is_two_clicks_from_its_line_in_the_log(tmp_path: Path) -> None:
    green, bad = nights(green_run(), regression_run())
    build_site(store_of(tmp_path, green, bad), tmp_path / "site")
    failing = next(test for arch in bad.arches for test in arch.tests if test.verdict == "regression")
    overview = Links(tmp_path / "site" / "index.html")
    history = next(link for link in overview.links if link.startswith("test/") and "mremap" in link)
    assert failing.series.lines
    wanted = f"#L{failing.series.lines.first}"
    links = [link for link in Links(tmp_path / "site" / history).links if wanted in link]
    log, _, place = links[-1].partition("#")
    page = (tmp_path / "site" / "test" / log).resolve()
    assert place in Links(page).places


def test_what_changed_is_said_in_words(tmp_path: Path) -> None:
    (line,) = history_of(tmp_path, *nights(green_run(), green_run(), regression_run())).lines
    words = [one.words for one in line.news]
    assert words[0] == (
        "thp_pmd_split.partial_mremap fails on arm64 since 2025-06-03; it passed last on 2025-06-02"
    )
    assert any("is flaky on arm64: bad in 1 of 1 nights" in one.words for one in line.open)


def test_a_report_of_the_kernel_is_news_though_every_test_passes(tmp_path: Path) -> None:
    build_site(store_of(tmp_path, *nights(green_run(), green_run(), long_splat_run())), tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text()
    assert "every test is as it was" not in text
    assert re.search(r"kernel BUG at mm/huge_memory.c:2871!</a> is new on x86_64", text)
    (line,) = history_of(tmp_path / "again", *nights(green_run(), long_splat_run())).lines
    assert line.news == []


def page_of(folder: Path, name: str) -> Path:
    (page,) = (folder / "site" / "finding").glob(f"*{name}*")
    return page


def test_a_finding_has_one_page_that_stays_where_it_is(tmp_path: Path) -> None:
    """It tells the first and the last night, also after it is gone, and after the folders of its runs are."""
    four = nights(green_run(), regression_run(), regression_run(), green_run())
    store = store_of(tmp_path, *four[:3])
    build_site(store, tmp_path / "site")
    page = page_of(tmp_path, "partial_mremap")
    text = page.read_text()
    assert "in the last run" in text
    assert "arm64: in 2 of 3 runs" in text
    store.import_folders([write_run(tmp_path / "runs", four[3], "run 3")])
    shutil.rmtree(tmp_path / "runs" / "run 1")
    (tmp_path / "runs" / "run 2" / "results.json").unlink()
    build_site(store, tmp_path / "site")
    assert page_of(tmp_path, "partial_mremap") == page
    text = re.sub(r"<[^>]*>", "", page.read_text())
    assert "not seen since 2025-06-03: the 1 later run did not have it" in text
    assert "first seen2025-06-02 01:00:00 UTC" in text.replace("\n", "")
    assert "arm64: in 2 of 4 runs" in text
    overview = tmp_path / "site" / "index.html"
    assert "finding/" not in overview.read_text()


def test_a_patch_is_blamed_for_its_own_test_only(tmp_path: Path) -> None:
    """A search for `mremap_move` says nothing of `mremap`."""
    (line,) = history_of(tmp_path, *nights(regression_run())).lines
    folder = SimpleNamespace(
        id=9, kind="bisect", about="", tree=line.tree, series=line.series, name="b", headline=""
    )
    for words, blamed in (("partial_mremap_move fails", False), ("partial_mremap fails", True)):
        words = f"thp_pmd_split.{words}"
        row = SimpleNamespace(arch="arm64", words=words, commit_id="ab" * 20, commit_subject="mm: x")
        found = report_of(line, line.last, [(folder, [row])]).found
        assert any(one.introduced for one in found) is blamed, words


def test_a_trace_is_shown_line_by_line(tmp_path: Path) -> None:
    build_site(store_of(tmp_path, *nights(long_splat_run())), tmp_path / "site")
    text = (tmp_path / "site" / "splats.html").read_text()
    assert "\\x0a" not in text
    assert f"{LONG_SPLAT[1]}\n{LONG_SPLAT[2]}\n" in text


def test_a_run_of_other_tests_makes_none_go_missing(tmp_path: Path) -> None:
    """A hand run of two tests says nothing of those that it did not choose."""
    by_hand = replace(
        green_run(), arches=tuple(replace(arch, tests=arch.tests[:2]) for arch in green_run().arches)
    )
    (line,) = history_of(tmp_path, *nights(green_run(), green_run(), by_hand)).lines
    assert line.news == []
    assert not any("missing" in one.words for one in line.open)


def test_a_test_that_is_dropped_from_its_suite_is_missing(tmp_path: Path) -> None:
    fewer = replace(
        green_run(), arches=tuple(replace(arch, tests=arch.tests[:-1]) for arch in green_run().arches)
    )
    (line,) = history_of(tmp_path, *nights(green_run(), green_run(), fewer)).lines
    assert [one.words for one in line.news] == [f"{TESTS[-1]} is gone missing on x86_64 and arm64"]


def test_what_a_run_calls_not_exercised_has_no_tick(tmp_path: Path) -> None:
    """Exercised with the series, but not on base: the same words on the run's page and in the history."""
    run = green_run()
    first = run.arches[0].tests[0]
    idle = replace(
        first, base=replace(first.base, exercised=False), verdict=Verdict.NOT_EXERCISED, reason="idle on base"
    )
    arch = replace(run.arches[0], tests=(idle, *run.arches[0].tests[1:]))
    (line,) = history_of(tmp_path, *nights(replace(run, arches=(arch,)))).lines
    assert line.trends[first.name, "x86_64"].outcome is Outcome.IDLE


def test_a_chart_shows_base_beside_the_series(tmp_path: Path) -> None:
    (line,) = history_of(tmp_path, *nights(grown(1), grown(1.2), grown(1))).lines
    plot = next(plot for plot in plots(line, lambda *_: "", "") if plot.what == "kernel image")
    assert (plot.svg.count('class="curve'), plot.svg.count(" of-base")) == (4, 2)


def test_a_tree_that_is_broken_without_the_series_is_told_as_such(tmp_path: Path) -> None:
    green = green_run()
    broken = comparison_of(
        "arm64", TESTS[0], Verdict.FAILS_ON_BOTH, base=Status.FAIL, series=Status.FAIL, exercised=False
    )
    both = replace(green, arches=(green.arches[0], arch_of("arm64", changed=(broken,))))
    build_site(store_of(tmp_path, *nights(green, both)), tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text()
    assert f"{TESTS[0]} fails on arm64 since 2025-06-02" in page
    assert "arm64 fails without the series, too" in page


def test_an_architecture_that_is_not_tested_any_more_is_told(tmp_path: Path) -> None:
    run = green_run()
    (line,) = history_of(tmp_path, *nights(run, replace(run, arches=run.arches[:1]))).lines
    assert line.gone_arches == ["arm64"]
    assert line.news == []


def test_series_are_kept_apart(tmp_path: Path) -> None:
    run = green_run()
    other = replace(run, id="other", subject=replace(run.subject, series="another"))
    assert len(history_of(tmp_path, run, other).lines) == 2


@pytest.mark.slow
def test_hostile_words_are_only_words(tmp_path: Path) -> None:
    run = replace(hostile_run(), id='../../"><script>alert(1)</script>')
    arch = replace(run.arches[0], arch='"><img src=x onerror=alert(1)>')
    run = replace(run, arches=(arch, *run.arches[1:]))
    built = build_site(store_of(tmp_path, run, troubled_run()), tmp_path / "site")
    assert built.pages > 10
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text
    assert {path.name for path in tmp_path.glob("*[!lm]")} <= {"runs", "site", "results.db"}


def test_a_log_outside_of_its_folder_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("top secret\n")
    run = green_run()
    cells = tuple(
        replace(cell, boots=tuple(replace(boot, log="../../secret") for boot in cell.boots))
        for cell in run.cells
    )
    store = open_store(str(tmp_path / "results.db"))
    store.import_folders([write_run(tmp_path / "runs", replace(run, cells=cells), "evil")])
    build_site(store, tmp_path / "site")
    pages = [page.read_text() for page in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > 5
    assert not any("top secret" in page for page in pages)


def test_an_empty_store_has_pages_that_say_so(tmp_path: Path) -> None:
    built = build_site(open_store(str(tmp_path / "results.db")), tmp_path / "site")
    assert (built.runs, built.logs) == (0, 0)
    assert "There are no runs in the store yet" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.slow
def test_a_build_takes_away_what_the_one_before_left_and_nothing_else(tmp_path: Path) -> None:
    store, out = month_of(tmp_path, green_run()), tmp_path / "site"
    many = build_site(store, out)
    (out / "own.txt").write_text("mine")
    few = build_site(store, out, nights=2)
    assert few.pages < many.pages
    assert len(list(out.rglob("*.html"))) == few.pages + few.logs
    assert (out / "own.txt").exists()
    assert not list(out.rglob("*.new"))


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, program: Program, invoke: Invoke) -> None:
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(SiteError, match="has other files"):
        build_site(open_store(str(tmp_path / "results.db")), tmp_path)
    for place in (tmp_path, tmp_path / "mine.html"):
        assert invoke("dashboard", "build", str(place)).code == 2
    assert invoke("dashboard", "build", "/proc/site").code == 3
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_dashboard_build_command(tmp_path: Path, program: Program, invoke: Invoke) -> None:
    write_run(program.state / "runs", green_run())
    assert invoke("results", "import").code == 0
    answer = invoke("dashboard", "build", str(tmp_path / "site"), "--json")
    published.check(answer.json, "dashboard")
    assert answer.json["runs"] == 1
    assert invoke("dashboard", "build", str(tmp_path / "site")).stdout.endswith("index.html\n")


def test_addresses_are_harmless_and_differ() -> None:
    names = ["../../x", "..\\x", "a b", "a-b", "<script>", "\udcff", "", "x" * 10_000]
    found = [address(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-]{0,80}\.[0-9a-f]{8}", one) for one in found)


def test_a_long_log_is_cut_but_has_the_lines_that_are_pointed_at(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [f"line {number}" for number in range(1, 60_001)]
    lines[6] += "x" * 100_000
    log.write_text("\n".join(lines))
    page = log_page(tmp_path, log.name, "a <b> log", "../run.html", {30_000})
    assert len(page) < 1_000_000
    assert "<i id=L30000>line 30000" in page
    assert "<i id=L60000>" in page
    assert "lines left out" in page
    assert "<b>" not in page
    assert MOST_LINES < 60_000


def test_a_chart_has_a_dot_for_each_number_inside_its_picture() -> None:
    points = [
        Point(place, value, f"<{place}>", f"log/x.html#L{place}") for place, value in enumerate((5, 5, 9))
    ]
    svg = str(chart([Curve("arm64", points), Curve("one", points[:1])], 3, (5, 9)))
    assert svg.count('class="dot"') == 4
    assert "&lt;0&gt;" in svg
    for x, y in re.findall(r"M([0-9.]+) ([0-9.]+)h0", svg):
        assert 0 <= float(x) <= 1000
        assert 0 <= float(y) <= 200


def test_noise_is_not_blown_up_to_fill_a_chart(tmp_path: Path) -> None:
    """Curves that are far apart are drawn in percent of their own median, but never closer than five."""
    (line,) = history_of(tmp_path, *nights(grown(1), grown(1.0001), grown(1))).lines
    plot = next(plot for plot in plots(line, lambda *_: "", "") if plot.what == "kernel image")
    assert (plot.relative, plot.low, plot.high) == (True, "-5 %", "+5 %")


def test_searches_of_a_series_are_on_the_overview(tmp_path: Path) -> None:
    walk = hostile_walk()
    run = replace(green_run(), subject=walk.subject)
    store = store_of(tmp_path, run)
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "walk.json").write_text(to_json(walk))
    store.import_folders([tmp_path / "walk"])
    build_site(store, tmp_path / "site")
    overview = Links(tmp_path / "site" / "index.html")
    (link,) = (link for link in overview.links if link.startswith("searches.html#"))
    searches = tmp_path / "site" / "searches.html"
    assert link.partition("#")[2] in Links(searches).places


def test_machines_are_those_that_really_booted_hosts_first(tmp_path: Path) -> None:
    run = green_run()
    cells = tuple(
        replace(
            cell,
            boots=tuple(replace(boot, machine="host labhost", accelerator="kexec") for boot in cell.boots),
        )
        for cell in run.cells
    )
    lab = replace(run, id="lab", cells=cells)
    store = store_of(tmp_path, run, lab)
    store.import_folders(write_simulated(run, tmp_path / "simulated") for run in simulate(lab, 5, 1))
    history = read_history(store, 60)
    found = machines(history)
    assert (found[0].name, len(found[0].nights)) == ("host labhost (kexec)", 1)
    assert sum(not night.simulated for line in history.lines for night in line.nights) == 2
    assert {len(machine.nights) for machine in found[1:]} <= {1, 2}
    build_site(store, tmp_path / "site")
    page = (tmp_path / "site" / "machines.html").read_text()
    assert page.count("<tr data-row>") == len(found)
    assert "host labhost (kexec)" in page


def test_a_walk_is_shown_patch_by_patch_with_the_line_of_each_fault(tmp_path: Path) -> None:
    walk, store, folder = (
        walk_of({"x86_64": ["ok", "warns", "one warns"]}),
        store_of(tmp_path),
        tmp_path / "walk",
    )
    (folder / "logs").mkdir(parents=True)
    (folder / "walk.json").write_text(to_json(walk))
    fault = own_faults(walk.columns[0].steps[2])[0]
    (folder / fault.log).write_text("\n".join(f"line {number}" for number in range(1, 400)))
    store.import_folders([folder])
    build_site(store, tmp_path / "site")
    page = (tmp_path / "site" / "searches.html").read_text()
    assert page.count('<tr role="row">') == 1 + len(walk.rows)
    (link,) = (link for link in Links(tmp_path / "site" / "searches.html").links if link.startswith("log/"))
    assert (tmp_path / "site" / link.partition("#")[0]).exists()
    (folder / "walk.json").unlink()
    build_site(store, tmp_path / "site")
    assert '<table class="walk' not in (tmp_path / "site" / "searches.html").read_text()


def test_a_bisection_is_a_strip_of_the_patches_that_were_looked_at(tmp_path: Path) -> None:
    result = bisection({"arm64": culprit_found("arm64", 2)})
    store = store_of(tmp_path, replace(green_run(), subject=result.subject))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "bisect.json").write_text(to_json(result))
    store.import_folders([tmp_path / "b"])
    build_site(store, tmp_path / "site")
    for page in ("index.html", "searches.html"):
        text = (tmp_path / "site" / page).read_text()
        assert 'aria-label="patch/0 good, patch/1 good, patch/2 bad, patch/3 bad' in text
        assert text.count('<span class="try culprit"') == 1
