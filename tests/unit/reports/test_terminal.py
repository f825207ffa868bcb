# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from results.model.run import CounterChange, Run, TestComparison, Verdict
from results.reports.terminal.run import print_run
from tests.samples.sample_life import interrupted_run, long_splat_run, wide_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import write_logs
from tests.samples.sample_run import green_run, hostile_run, regression_run, troubled_run

RUN_DIR = Path("/srv/runs") / ("a-rather-long-name-" * 6)


def shown(run: Run, terminal: bool = False, encoding: str = "utf-8", width: int = 80) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(file=stream, force_terminal=terminal, width=width, legacy_windows=False)
    print_run(run, console, RUN_DIR)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("make_run", [green_run, regression_run, troubled_run, hostile_run])
@pytest.mark.parametrize("terminal", [True, False])
def test_the_last_line_is_the_run_folder(make_run: Callable[[], Run], terminal: bool) -> None:
    assert shown(make_run(), terminal).splitlines()[-1] == f"Run folder: {RUN_DIR}"


def test_the_first_lines_are_the_matrix() -> None:
    lines = shown(regression_run()).splitlines()
    assert lines[0].split() == ["arch", "base", "series", "verdict"]
    assert re.fullmatch(r"x86_64 +16 of 16 exercised +16 of 16 exercised +✓ unchanged", lines[1])
    assert re.fullmatch(r"arm64 +15 of 16 exercised +15 of 16 exercised, 2 failing +✗ regression", lines[2])


def test_a_line_per_test_with_its_counters() -> None:
    text = shown(regression_run())
    assert re.search(r"^  partial_mremap +PASS +FAIL +✗ regression +thp_split_pmd \+1 \| \+1$", text, re.M)
    assert re.search(r"^  mlock +PASS +FAIL 1/3 +≈ flaky", text, re.M)
    assert re.search(r"^  madv_pageout +PASS +PASS +○ not exercised +thp_split_pmd 0 \| 0$", text, re.M)


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_fit_into_80_columns_and_nothing_is_cut(terminal: bool) -> None:
    """Each number of each counter is there, whole, however many kernels and counters there are."""
    run = wide_run()
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(run, terminal))
    tables = [line for line in text.splitlines() if re.search(r" (PASS|FAIL) | {20}\S", line)]
    assert len(tables) > 60
    assert all(cell_len(row) <= 80 for row in tables)
    count = 3 * len(run.arches[0].tests)
    assert [len(re.findall(rf"\+{number}(?!\d)", text)) for number in (2600000, 2600001)] == [count, count]
    names = re.findall(r"^  case_\d\d_of_a_test_with_a_\w* .*\n\w*is_long(?= |$)", text, re.M)
    assert len(names) == len(run.arches[0].tests)


def test_a_green_run_is_a_few_lines() -> None:
    text = shown(green_run())
    assert "\n✓ 32 tests unchanged (16 on x86_64, 16 on arm64)\n" in text
    assert "\n✓ claim on thp_split_pmd_failed holds on x86_64 and arm64\n" in text
    assert "partial_mremap" not in text


def test_counters_are_told_even_if_all_is_green() -> None:
    text = shown(green_run())
    assert "\nx86_64    thp_split_pmd +16 | +16, thp_split_pmd_failed absent | 0\n" in text
    assert "\ncounters" not in shown(replace(green_run(), cells=()))


def test_an_interrupted_run_is_a_page() -> None:
    """Five architectures of 60 tests of which none was built: not a line per test."""
    text = shown(interrupted_run())
    assert len(text.splitlines()) < 40
    assert "! arm64, powerpc, s390, sparc and x86_64: neither kernel was built\n" in text
    assert "INCOMPLETE" in text


def test_a_splat_is_told_with_its_guilty_frames(tmp_path: Path) -> None:
    run = long_splat_run()
    write_logs(run, tmp_path)
    stream = io.StringIO()
    print_run(run, Console(file=stream, width=80), tmp_path)
    told = re.findall(r"^  \| (.*)$", stream.getvalue(), re.M)
    assert len(told) == 8
    assert "kernel BUG at mm/huge_memory.c:2871!" in told[0]
    assert any("move_page_tables" in line for line in told)
    assert not any("ret_from_fork" in line for line in told)


def test_plain_output_has_no_escapes_and_no_blanks_at_the_end() -> None:
    text = shown(troubled_run())
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_colour_on_a_terminal_unless_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in shown(regression_run(), terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown(regression_run(), terminal=True))


@pytest.mark.parametrize("make_run", [troubled_run, hostile_run])
@pytest.mark.parametrize("terminal", [True, False])
def test_an_ascii_stream_gets_ascii(make_run: Callable[[], Run], terminal: bool) -> None:
    text = shown(make_run(), terminal, encoding="ascii")
    assert re.search(r"regression", text)
    assert "✗" not in text


def test_only_what_is_interesting_is_told_below() -> None:
    text = shown(regression_run())
    assert "logs/arm64-series-1.log:46-50" in text
    assert "thp_pmd_split.c:212: expected 0x5a" in text
    assert "arm64: 1 new compiler warning\n  mm/huge_memory.c:2871: unused variable" in text
    assert "logs/x86_64" not in text


def test_splats_ends_of_boots_and_builds_are_told() -> None:
    text = shown(troubled_run())
    assert "✗ regression  x86_64: kernel BUG at mm/huge_memory.c:2871!\n" in text
    assert "  log: logs/x86_64-series-1.log:31-38\n" in text
    assert "! infrastructure  arm64: the series could not be built\n  cc1: fatal error" in text
    assert "INCOMPLETE" in text


def test_many_tests_with_one_reason_are_told_once() -> None:
    run = green_run()
    arch = run.arches[0]

    def unsupported(test: TestComparison) -> TestComparison:
        return replace(test, verdict=Verdict.UNSUPPORTED, reason="no huge pages")

    text = shown(replace(run, arches=(replace(arch, tests=tuple(map(unsupported, arch.tests))),)))
    assert text.count("no huge pages") == 1
    assert "– 16 tests unsupported on x86_64: no huge pages\n" in text


def test_evidence_that_neither_kernel_has_is_shown_as_absent() -> None:
    run = green_run()
    arch = run.arches[0]
    gone = {"thp_fault_alloc": CounterChange(0, 1)}
    tests = tuple(
        replace(
            test,
            base=replace(test.base, counters=gone),
            series=replace(test.series, counters=gone),
            verdict=Verdict.NOT_EXERCISED,
        )
        for test in arch.tests
    )
    assert "thp_split_pmd absent | absent" in shown(
        replace(run, arches=(replace(arch, tests=tests),)), width=100
    )


def test_the_stand_in_and_the_fuzz_are_marked() -> None:
    text = shown(green_run())
    assert "[PATCH v3 0/4] mm: let PMD splits fail [stand-in]" in text
    assert "STAND-IN: not the real series" in text
    assert "FUZZ: mm/huge_memory.c hunk 7 placed with fuzz 2, offset -14" in text


def test_hostile_text_reaches_the_terminal_as_text() -> None:
    text = shown(hostile_run())
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred" in text
    assert "[bold]" in text


def test_a_pass_that_proves_nothing_is_not_green() -> None:
    line = next(
        line for line in shown(regression_run(), terminal=True).splitlines() if "not exercised" in line
    )
    assert "\x1b[33mPASS" in line
    assert "\x1b[32m" not in line


def test_a_line_per_operation_of_the_sweep() -> None:
    text = shown(measured_run())
    assert re.search(r"^fault sweep +calls +failed +failed splits handled +verdict$", text, re.M)
    assert re.search(r"^  mremap_move +2 \| 5 +1 \| 4 +absent \| 2 +✗ regression$", text, re.M)
    assert re.search(r"^  munmap +1 \| 3 +0 \| 2 +absent \| 2 +✓ unchanged$", text, re.M)
    assert "  – unsupported  mbind, move_pages: ENOSYS, this kernel has no NUMA\n" in text
    assert (
        "  Every allocation of 8 operations was made to fail. With the series the split of a PMD failed in "
        "6 calls and was handled. Base does not count" in text
    )
    assert "mremap_move breaks at n = 3 (it reports success without its effect) with the series" in text


def test_costs_and_timings_take_a_line_each() -> None:
    text = shown(measured_run())
    assert "\npage-table cost\n  page tables: 4096 B → 0 B per THP of 2 MiB: 200 MiB" in text
    assert re.search(r"^  split +1.90 µs \| 2.90 µs +4.9 % \| 5 % +slower by 53 % \(p < 0.001\)$", text, re.M)


def test_a_line_per_fork_storm_and_one_for_its_result() -> None:
    text = shown(measured_run())
    row = r"^  128 forks, 2 THPs +100 % \| 100 % +400 ms \| 490 ms +4100 \| 4100 +absent \| 0$"
    assert re.search(row, text, re.M)
    said = "128 forks, 2 THPs: reclaim makes as much progress, 22 % slower (p = 0.008)"
    assert f"  {said}\n" in text
    assert "unchanged  128 forks" not in text


def test_what_was_not_measured_does_not_appear() -> None:
    text = shown(green_run())
    assert not re.search("sweep|page-table cost|timing|storm", text)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_numbers_fit_into_80_columns(terminal: bool) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(measured_run(), terminal))
    rows = [
        line for line in text.splitlines() if re.match(r"  \w+( forks, 2 THPs)? +[0-9.]+( µs| %)? \| ", line)
    ]
    assert len(rows) == 11
    assert all(cell_len(row) <= 80 for row in rows)


def test_an_ascii_stream_gets_plain_signs() -> None:
    text = shown(measured_run(), encoding="ascii")
    assert "4096 B -> 0 B per THP" in text
    assert "1.90 us | 2.90 us" in text
    assert "\\u" not in text
