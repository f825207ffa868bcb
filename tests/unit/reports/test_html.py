# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from results.model.run import LineRange, Run
from results.reports.content.finding import PAGES
from results.reports.html.bars import bars
from results.reports.html.run import render_findings, render_html
from results.reports.html.timeline import Span, Timeline, timeline
from tests.samples.golden_runs import NAMES, RUNS, golden_run
from tests.samples.sample_life import interrupted_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import TESTS, write_logs
from tests.samples.sample_run import green_run, hostile_run, regression_run, troubled_run

VOID = {"meta", "link", "br"}
Render = Callable[[Run], str]


class Page(HTMLParser):
    """What a test wants to know of a page, and a check that every tag is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"
        if tag in ("td", "th", "span"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture
def render(tmp_path: Path) -> Render:
    def with_logs(run: Run) -> str:
        write_logs(run, tmp_path)
        (tmp_path / PAGES).mkdir(exist_ok=True)
        for name, text in render_findings(run, tmp_path).items():
            (tmp_path / PAGES / name).write_text(text)
        return render_html(run, tmp_path)

    return with_logs


@pytest.mark.parametrize("make_run", [green_run, regression_run, troubled_run, hostile_run, measured_run])
def test_pages_are_well_formed_small_and_their_links_lead_somewhere(
    render: Render, tmp_path: Path, make_run: Callable[[], Run]
) -> None:
    text = render(make_run())
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        path, _, place = link.partition("#")
        assert place in page.ids if link.startswith("#") else (tmp_path / path).is_file()
    assert len(text.encode()) < 300_000


def test_nothing_is_loaded_from_anywhere(render: Render) -> None:
    text = render(regression_run())
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "default-src 'none'" in Page(text).tags[3][1]["content"]


def test_the_answer_comes_first_in_words_with_the_exit_code(render: Render) -> None:
    page = Page(render(regression_run()))
    assert "✗ Regression Regression on arm64: thp_pmd_split.partial_mremap fails" in page.text
    assert "Exit code 1: a regression." in page.text


def test_what_was_tested_is_all_there(render: Render) -> None:
    run = regression_run()
    text = Page(render(run)).text
    for patch in run.subject.patches:
        assert patch.subject in text
    assert run.subject.base_commit in text
    assert "1 hunk placed with fuzz." in text
    assert "hunk 7: fuzz 2, offset -14" in text


def test_counters_read_as_base_and_series(render: Render) -> None:
    text = Page(render(green_run())).text
    assert "thp_split_pmd +1 | +1" in text
    assert "thp_split_pmd_failed absent | 0" in text


def test_counters_that_were_never_read_are_not_called_absent(render: Render) -> None:
    run = green_run()
    arch = run.arches[0]
    tests = tuple(replace(test, series=replace(test.series, counters={})) for test in arch.tests)
    text = Page(render(replace(run, arches=(replace(arch, tests=tests),)))).text
    assert "thp_split_pmd +1 | unread" in text


def test_every_test_has_its_row_and_its_evidence(render: Render) -> None:
    page = Page(render(regression_run()))
    for name in TESTS:
        assert f"arm64--{name}" in page.ids
    assert "thp_pmd_split.c:212: expected 0x5a in the moved half" in page.text
    assert "logs/arm64-series-1.log:46-50" in page.text


def test_a_pass_without_evidence_is_not_shown_as_a_pass(render: Render) -> None:
    text = render(regression_run())
    assert text.count('class="status is-not-exercised"') >= 2


def test_sizes_are_compared(render: Render) -> None:
    text = Page(render(green_run())).text
    assert "text 18,204,311 18,205,495 +1,184 (+0.007%)" in text


def test_what_the_kernels_were_configured_from_is_shown(render: Render) -> None:
    assert "tinyconfig + common + lockdep" in Page(render(regression_run())).text


def test_the_stand_in_is_marked_wherever_the_series_heads_something(render: Render) -> None:
    marked, real = green_run(), green_run()
    real = replace(real, subject=replace(real.subject, stand_in=False))
    assert render(marked).count('class="stand-in"') >= 10
    assert 'class="stand-in"' not in render(real)


def test_splats_show_their_lines_of_the_console(render: Render) -> None:
    text = Page(render(troubled_run())).text
    assert "31 [ 3.041273] ------------[ cut here ]------------" in text
    assert "The kernels printed no error report." in text


def test_the_console_of_a_boot_that_ended_badly_is_shown(render: Render) -> None:
    assert "Last lines of logs/x86_64-series-2.log" in Page(render(troubled_run())).text


def test_missing_logs_are_said_to_be_missing(tmp_path: Path) -> None:
    page = Page(render_html(troubled_run(), tmp_path))
    assert "logs/x86_64-series-1.log:46-50 (no such file)" in page.text
    assert page.links and all(link.startswith(("#", f"{PAGES}/")) for link in page.links)


def test_no_log_outside_of_the_run_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret words\n")
    run = troubled_run()
    cells = tuple(
        replace(cell, boots=tuple(replace(boot, log="../secret") for boot in cell.boots))
        for cell in run.cells
    )
    assert "secret words" not in render_html(replace(run, cells=cells), tmp_path / "run")


def test_hostile_text_is_only_ever_text(render: Render) -> None:
    text = render(hostile_run())
    assert "<script>alert" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31mred\\x1b[0m\\x00nul \\u202egnp.exe \\ud800" in text


def test_long_output_and_long_excerpts_are_cut(tmp_path: Path) -> None:
    run = regression_run()
    cell = run.cells[3]
    boot = cell.boots[0]
    loud = tuple(replace(test, output=("x" * 5000,) * 3000) for test in boot.tests)
    arch = run.arches[1]
    tests = tuple(
        replace(test, series=replace(test.series, lines=LineRange(1, 90_000))) for test in arch.tests
    )
    run = replace(
        run,
        cells=(*run.cells[:3], replace(cell, boots=(replace(boot, tests=loud),))),
        arches=(run.arches[0], replace(arch, tests=tests)),
    )
    (tmp_path / "logs").mkdir()
    (tmp_path / boot.log).write_text("a line of the console\n" * 100_000)
    page = Page(render_html(run, tmp_path))
    assert "… 89940 lines left out …" in page.text
    assert "[… 2920 lines left out …]" in page.text


def test_commands_can_be_pasted(render: Render) -> None:
    text = Page(render(green_run())).text
    assert "qemu-system-x86_64 \\ -machine q35 \\ -accel kvm" in text
    assert "-append 'console=ttyS0 panic=-1 loglevel=8'" in text


def test_the_sweep_shows_each_operation_base_above_series(render: Render) -> None:
    page = Page(render(measured_run()))
    for words in (
        "mremap_move nbaseseries 1EE 2·S 3✗ 4S 5· in words below 1 | 4 absent | 2 ✗ regression",
        "3 no such allocation broken, it reports success without its effect: ok, nothing changed",
        "7–15 both ok, all of it done 16 ok, all of it done cut short 17–29 ok, all of it done not known",
    ):
        assert words in page.text
    assert "With the series the split of a PMD failed in 6 calls and was handled." in page.text
    assert "mbind, move_pages ENOSYS, this kernel has no NUMA – unsupported" in page.text


def test_every_operation_links_to_its_lines_of_the_log(render: Render) -> None:
    page = Page(render(measured_run()))
    assert page.links.count("#x86_64--fault_sweep.mremap_move") >= 2
    assert "mremap_move logs/x86_64-base-1.log:43-50 logs/x86_64-series-1.log:49-62" in page.text


def test_costs_and_timings_are_shown(render: Render) -> None:
    page = Page(render(measured_run()))
    assert "4096 B → 0 B per THP of 2 MiB: 200 MiB less per 100 GiB" in page.text
    assert "page tables 64 | 64 4096 B | 0 B 4096 B | 2048 B 0 B | 0 B" in page.text
    assert "fork 412 µs | 404 µs 5 % | 4.8 % no difference shown" in page.text
    assert "slower by 53 % (p < 0.001)" in page.text


def test_fork_storms_are_shown(render: Render) -> None:
    page = Page(render(measured_run()))
    assert "128 forks, 2 THPs" in page.text
    assert "5 | 5 100 % | 100 % 400 ms | 490 ms 330 | 330 4100 | 4100 5632 | 5632 absent | 0" in page.text
    assert "reclaim makes as much progress, 22 % slower (p = 0.008)" in page.text


def test_what_was_not_measured_does_not_appear(render: Render) -> None:
    text = render(green_run())
    for word in ("Fault sweep", "Page-table cost", "Timing", "Fork storm"):
        assert word not in text
        assert render(measured_run()).count(f">{word}</h3>") == 1


def test_numbers_are_bars_with_the_words_of_their_measure() -> None:
    differing, same = bars(measured_run())
    found = {(each.arch, each.what): each for each in differing}
    tables = found["x86_64", "page tables per THP"]
    assert (tables.said, tables.difference) == (("4096 B", "0 B"), "-100.0 %")
    assert 'class="of-series" y="11" width="0"' in tables.svg
    assert found["x86_64", "timing: split"].difference == "slower by 53 % (p < 0.001)"
    assert found["x86_64", "timing: fork"].difference == "no difference shown"
    assert [each.what for each in same] == ["fork_storm: 128 forks, 2 THPs"]
    assert bars(interrupted_run()) == ([], [])


def test_a_pause_of_days_leaves_room_for_the_work(tmp_path: Path) -> None:
    """A run that was interrupted for a week: its builds and boots keep their places."""
    day = 86_400.0
    spans = [
        Span("x/base", 0, 60, "build", "build: 1 min"),
        Span("x/base", 60, 90, "boot", "first boot, done: 30 s"),
        Span("x/series", 7 * day, 7 * day + 30, "bad", "first boot, panic: 30 s"),
    ]
    times = Timeline(spans)
    assert times.busy == "2 min 00 s"
    assert times.cells == ["x/base", "x/series"]
    places = [float(x) for cell in times.cells for x in re.findall(r' x="([0-9.]+)"', times.row(cell))]
    assert places[0] == 0
    assert 480 < places[1] < 500 and 750 < places[2] < 770
    assert not timeline(tmp_path).spans


def test_a_report_shows_when_each_kernel_was_built_and_booted() -> None:
    folder = RUNS / NAMES[0]
    text = render_html(golden_run(NAMES[0]), folder)
    assert text.count('class="spans"') == len(golden_run(NAMES[0]).cells)
