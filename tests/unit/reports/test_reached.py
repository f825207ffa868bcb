# SPDX-License-Identifier: GPL-2.0-only
"""Changed lines that ran, in every output."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from results.compare.reached.judge import CountedArch, judge_reached
from results.compare.reached.words import diff_view, sentences
from results.model.document import from_json, to_json
from results.model.run import Run
from results.reports.ci.github import step_summary
from results.reports.html.run import render_html
from results.reports.mail.run import report_mail
from results.reports.terminal.run import print_run
from tests.samples.reached_lines import PLANNED, changed_files, reached_run
from tests.samples.sample_run import HOSTILE, green_run

SENTENCE = "1 of 4 changed lines ran nowhere (x86_64 and arm64), first of all mm/huge_memory.c:14"


def run() -> Run:
    return replace(green_run(), reached=reached_run())


def test_the_sentences_say_what_a_review_has_to_look_at() -> None:
    assert list(sentences(reached_run())) == [
        SENTENCE,
        "1 changed line ran only when an allocation failed",
        "2 changed lines compiled on no architecture here: CONFIG_FS_DAX is not set",
    ]


def test_an_unknown_architecture_is_no_reached_one() -> None:
    nothing = judge_reached(changed_files(), PLANNED, (CountedArch("x86_64"),))
    assert list(sentences(nothing)) == ["which changed lines ran is not known on x86_64: it was not built"]


def test_the_mail_the_summary_and_the_terminal_say_it(tmp_path: Path) -> None:
    printed = io.StringIO()
    print_run(run(), Console(file=printed, width=200), tmp_path)
    assert SENTENCE in printed.getvalue()
    assert "3 of 4" in printed.getvalue()
    assert SENTENCE in " ".join(report_mail(run(), tmp_path).split())
    assert "1 of 4 changed lines ran nowhere" in step_summary(run(), tmp_path)


def test_the_document_keeps_all_of_it() -> None:
    assert from_json(Run, to_json(run())).reached == reached_run()


def test_each_row_of_the_diff_has_a_cell_for_each_architecture() -> None:
    view = diff_view(reached_run())
    rows = [row for hunk in view.files[0].hunks for row in hunk]
    signs = ["".join(cell.sign or " " for cell in row.cells) for row in rows]
    assert view.arches == ("x86_64", "arm64")
    assert signs == ["  ", "  ", "●●", "●○", "◐○", "○○", "  "]
    assert view.test_lists[rows[4].cells[0].tests - 1] == ("fault_sweep.munmap",)


def test_the_page_can_be_read_without_colour_and_leads_to_the_tests(tmp_path: Path) -> None:
    page = render_html(run(), tmp_path)
    assert 'href="#ran-in--1"' in page
    assert 'id="ran-in--1"' in page
    assert "x86_64: ran in 1 test, only when an allocation failed" in page
    assert "arm64: did not run" in page
    assert "not compiled: CONFIG_FS_DAX is not set" in page
    assert 'id="reached"' not in render_html(green_run(), tmp_path)


def test_no_line_of_a_patch_is_markup(tmp_path: Path) -> None:
    lines = {"mm/huge_memory.c": (HOSTILE,), f"mm/{HOSTILE}.c": ("\treturn -ENOMEM;",)}
    hostile = replace(reached_run(), diff=changed_files(lines))
    page = render_html(replace(green_run(), reached=hostile), tmp_path)
    assert "<script>alert" not in page
    assert "\x1b" not in page
