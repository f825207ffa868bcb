# SPDX-License-Identifier: GPL-2.0-only
"""Nights one after another, on a tree that builds in a moment and really boots."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from harness.core.locks import claim
from harness.core.shipped import ROOT
from tests.integration.stub_history import make_stub_history
from tests.program import Answer, Program
from tests.samples.tiny_kernel import commit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUICK = ("--arch", "x86_64", "--tests", "small_pages")


def bisections(program: Program) -> list[Path]:
    return list((program.state / "bisects").glob("*"))


def test_a_week_of_nights(new_program: Callable[[], Program], base_kernel: Path, tmp_path: Path) -> None:
    program, path = new_program(), tmp_path / "linux"
    _, commits = make_stub_history(path, base_kernel, ("", ""))
    place = ("--tree", f"{path}@{commits[0]}", "--series", f"git:{path}@{commits[0]}..topic")

    def night(*options: str) -> Answer:
        answer = program("nightly", *QUICK, *place, *options, "--json")
        schema = json.loads((ROOT / "docs" / "nightly.schema.json").read_text())
        jsonschema.validate(answer.json, schema)
        return answer

    first = night()
    assert (first.code, first.json["is_new"], first.json["culprits"]) == (0, True, [])
    second = night()
    assert (second.code, second.json["is_new"]) == (0, False)
    assert second.json["run_dir"] == first.json["run_dir"] == str(program.run_folders()[-1])
    assert len(program.run_folders()) == 1

    commit(path, "mm: 3: dies", {"mm/which": "dead\n", "mm/tail": "3"})
    commit(path, "mm: 4: goes on", {"mm/tail": "4"})
    third = night("--bisect-minutes", "10")
    assert (third.code, third.json["is_new"], third.json["verdict"]) == (1, True, "regression")
    (culprit,) = third.json["culprits"]
    assert (culprit["until"], culprit["arches"]) == ("does not boot", ["x86_64"])
    assert "patch 3 (mm: 3: dies)" in culprit["words"]
    assert bisections(program) == [Path(culprit["folder"])]

    fourth = night("--bisect-minutes", "10")
    assert (fourth.code, fourth.json["is_new"]) == (1, False), "the verdict stands"
    assert fourth.json["culprits"] == third.json["culprits"]
    assert len(bisections(program)) == 1, "who is found is not looked for again"

    pages = tmp_path / "pages"
    fifth = program("nightly", *QUICK, *place, "--force", "--keep-runs", "2", "--dashboard", str(pages))
    assert third.json["run"] in "".join(page.read_text() for page in pages.rglob("*.html"))
    assert fifth.code == 1
    assert "the series does not boot" in fifth.stdout
    assert "mm: 3: dies" not in fifth.stdout, "the night before had it"
    assert len(program.run_folders()) == 2
    assert not Path(first.json["run_dir"]).exists()


def test_one_night_at_a_time(new_program: Callable[[], Program], base_kernel: Path, tmp_path: Path) -> None:
    program = new_program()
    tree, _ = make_stub_history(tmp_path / "linux", base_kernel, ("",))
    program.state.mkdir(parents=True)
    with claim(program.state / "nightly.lock") or pytest.fail("nobody else can have it"):
        answer = program("nightly", *QUICK, *tree.arguments_as_typed)
    assert (answer.code, answer.stdout) == (3, "")
    assert "another `thp-harness nightly` is running" in answer.stderr
    assert not program.run_folders()
