# SPDX-License-Identifier: GPL-2.0-only
"""A walk as terminal text, as a page and as a document: readable, complete, harmless."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from rich.cells import cell_len
from rich.console import Console

from results.model.document import to_json
from results.model.walk import PatchState, Safe, SizeChange, Walk
from results.reports.content.walk_words import LOOKS, LOOKS_OF_SAFE, growth, short
from results.reports.html.walk import render_walk
from results.reports.terminal.walk import print_walk
from tests import published
from tests.samples.sample_walk import hostile_walk, mixed_walk, only, step_of, walk_of
from tests.unit.reports.test_html import Page

FOLDER = Path("/srv/walks/x")
WALKS = [mixed_walk, hostile_walk]


def shown(walk: Walk, terminal: bool = False, encoding: str = "utf-8", width: int = 100) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(file=stream, force_terminal=terminal, width=width, legacy_windows=False)
    print_walk(walk, console, FOLDER)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("terminal", [True, False])
def test_five_architectures_fit_into_100_columns(terminal: bool) -> None:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(mixed_walk(), terminal)).splitlines()
    rows = [line for line in lines if re.match(r" ?\d ", line)]
    assert len(rows) == 6
    assert all(cell_len(line) <= 100 for line in rows)
    assert all("mm: change" in row for row in rows[1:])


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_only_the_subjects_give_way_on_a_narrow_terminal(width: int, terminal: bool) -> None:
    walk = walk_of({"x86_64": ["ok", "warns one"], "arm64": ["ok", "ok =0"]}, subject="mm: " + "change " * 20)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(walk, terminal, width=width)).splitlines()
    (row,) = [line for line in lines if line.lstrip().startswith("1 ")]
    assert re.match(r" ?1 +✗ test +. image 0 +mm: change", row)
    assert cell_len(row) <= width


@pytest.mark.parametrize("terminal", [True, False])
def test_where_there_is_no_room_for_subjects_numbers_and_verdicts_are_whole(terminal: bool) -> None:
    arches = ("x86_64", "arm64", "s390", "sparc", "powerpc-hash")
    walk = walk_of({arch: ["ok", *["ok =0"] * 11] for arch in arches})
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(walk, terminal, width=80)).splitlines()
    (row,) = [line for line in lines if re.match(r" ?11 ", line)]
    assert row.count("image 0") == len(arches)
    assert all(cell_len(line) <= 80 for line in lines[:14])


def test_the_matrix_in_words() -> None:
    lines = shown(mixed_walk()).splitlines()
    assert lines[0].split() == ["x86_64", "arm64", "s390", "powerpc-hash", "sparc", "patch"]
    cells = [re.split(r" {2,}", line.strip()) for line in lines[1:7]]
    assert [row[1] for row in cells] == ["✓ ok", "= image 0", "✗ warning", "↳ since 2", "✗ test", "✗ test"]
    assert [row[2] for row in cells] == [
        "✓ ok", "✓ ok +1", "✗ build", "↳ since 2", "✓ ok +3", "✗ boot",
    ]  # fmt: skip
    assert [row[3] for row in cells][1:] == ["○ gaps", "✓ ok +1", "= sources 2", "≈ flaky", "✗ splat"]
    assert {row[5] for row in cells} == {"! infra"}


def test_whatever_is_bad_is_told_with_its_place_and_inheritance_once() -> None:
    text = shown(mixed_walk())
    assert "introduced: patch 4, mm: change 4\n" in text
    assert re.search(r"x86_64: mine\.one fails .*\n(  .*\n)+?  log: logs/x86_64-patch-4-1\.log:\d+-\d+", text)
    assert "$ thp-harness rerun x86_64/patch/4 --times 5 --run 20260101-000000-walk --test mine.one" in text
    assert len(re.findall(r"^patch 3: x86_64: inherited: patch 2 adds ", text, re.M)) == 1
    assert "built anew: arm64" not in text
    assert "patch 3 on arm64 could not be rebuilt from scratch: disk full" in text
    assert "drawn with --seed 7" in text


@pytest.mark.parametrize("make_walk", WALKS)
@pytest.mark.parametrize("terminal", [True, False])
def test_the_last_line_is_the_folder(make_walk: Callable[[], Walk], terminal: bool) -> None:
    assert shown(make_walk(), terminal).splitlines()[-1] == f"Walk folder: {FOLDER}"


@pytest.mark.parametrize("terminal", [True, False])
def test_an_ascii_stream_gets_ascii(terminal: bool) -> None:
    assert "since 2" in shown(mixed_walk(), terminal, encoding="ascii")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    assert "\x1b" not in shown(hostile_walk())
    page = Page(render_walk(hostile_walk(), tmp_path))
    assert "<script>alert(1)</script>" in page.text
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1


@pytest.mark.parametrize("make_walk", WALKS)
def test_the_page_is_well_formed_and_its_links_lead_somewhere(
    make_walk: Callable[[], Walk], tmp_path: Path
) -> None:
    walk = make_walk()
    (tmp_path / "logs").mkdir()
    for step in (step for column in walk.columns for step in column.steps):
        for log in (step.build.log if step.build else "", *(boot.log for boot in step.boots)):
            if log:
                (tmp_path / log).write_text("\n".join(f"line {number}" for number in range(99)))
    text = render_walk(walk, tmp_path)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (tmp_path / link).is_file()
    assert "http" not in re.sub(r'<meta http-equiv="[^"]*"', "", text)
    assert walk.headline.split(";")[0][:20] in page.text


def test_the_page_shows_the_lines_that_prove_a_failure(tmp_path: Path) -> None:
    walk = walk_of({"x86_64": ["ok", "one"]})
    (fault,) = step_of(walk, 1).faults
    assert fault.lines
    (tmp_path / "logs").mkdir()
    (tmp_path / fault.log).write_text("".join(f"console line {number}\n" for number in range(1, 99)))
    assert f"console line {fault.lines.first}" in Page(render_walk(walk, tmp_path)).text


@pytest.mark.parametrize("make_walk", WALKS)
def test_the_document_follows_its_schema(make_walk: Callable[[], Walk]) -> None:
    text = to_json(make_walk())
    assert text.isascii()
    document = json.loads(text)
    assert document["schema"] == "thp-harness/walk/2"
    published.check(document, "walk")
    with pytest.raises(jsonschema.ValidationError):
        published.check({**document, "safe": "perhaps"}, "walk")


def test_every_state_and_answer_has_a_look_and_fits() -> None:
    assert set(LOOKS) == set(PatchState)
    assert set(LOOKS_OF_SAFE) == set(Safe)
    steps = [step for column in mixed_walk().columns for step in column.steps]
    assert max(len(short(step)) for step in steps) <= 11


@pytest.mark.parametrize(
    ("symbols", "words"), [(None, ""), (0, ""), (184, "+184"), (-9999, "-9999"), (12_500, "+12k")]
)
def test_growth_is_short(symbols: int | None, words: str) -> None:
    from dataclasses import replace

    step = only(walk_of({"x86_64": ["ok"]})).steps[0]
    assert growth(replace(step, size=SizeChange(4096, 0, 5, 5, symbols))) == words
