# SPDX-License-Identifier: GPL-2.0-only
"""Walks through series: of a stub tree that builds in a moment, and once of a real one."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.core.shipped import ROOT
from results.journal.journal import JOURNAL, read_events
from tests.integration.commands.test_interrupts import await_event, finish
from tests.integration.stub_series import make_stub_series
from tests.integration.stub_tree import StubTree
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIXTURE = ROOT / "tests" / "fixtures" / "series" / "walk"
QUICK = ("--tests", "small_pages")
OF_EACH_PATCH = [
    "ok", "ok", "ok", "builds with new warnings", "builds with new warnings", "does not build",
    "builds with new warnings", "builds with new warnings", "ok", "ok",
]  # fmt: skip


@pytest.fixture
def tree(base_kernel: Path, tmp_path: Path) -> StubTree:
    """A tree that was never built before."""
    return make_stub_series(tmp_path / "linux", base_kernel)


def walk(program: Program, tree: StubTree, *options: str) -> Answer:
    return program("walk", *tree.arguments_as_typed, *QUICK, *options, "--json")


def steps_of(answer: Answer, arch: str = "x86_64") -> Sequence[Any]:
    (column,) = [column for column in answer.json["columns"] if column["arch"] == arch]
    steps: list[Any] = column["steps"]
    return steps


def booted(answer: Answer) -> dict[int, int]:
    """Number of boots by patch, of those that were booted."""
    return {step["number"]: len(step["boots"]) for step in steps_of(answer) if step["boots"]}


def folders(program: Program) -> list[Path]:
    return sorted((program.state / "walks").glob("*"))


def facts_of(program: Program) -> str:
    return "".join(
        (folder / JOURNAL).read_text() for folder in folders(program) if (folder / JOURNAL).exists()
    )


def test_every_patch_is_judged_and_nothing_is_done_twice(program: Program, tree: StubTree) -> None:
    answer = walk(program, tree)
    steps = steps_of(answer)
    assert [step["state"] for step in steps] == OF_EACH_PATCH
    assert [(step["same"], step["same_as"]) for step in steps if step["same"]] == [
        ("image", 0), ("image", 2), ("sources", 3), ("sources", 6), ("image", 6), ("image", 2),
    ]  # fmt: skip
    assert booted(answer) == {0: 1, 2: 1, 6: 1}
    assert (answer.code, answer.json["safe"], answer.json["complete"]) == (1, "no", True)
    assert answer.json["headline"] == (
        "Not safe to bisect: patch 3 adds a compiler warning on x86_64; patch 5 does not build on x86_64."
    )
    safe = [row["safe"] for row in answer.json["rows"]]
    assert safe == ["yes"] * 3 + ["no", "inherits", "no", "inherits", "inherits", "yes", "yes"]
    assert "mm/gate.c:1:" in steps[5]["faults"][0]["text"]

    (folder,) = folders(program)
    assert answer.json["run_dir"] == str(folder)
    assert program.run_folders() == []
    document = json.loads((folder / "walk.json").read_text())
    jsonschema.validate(document, json.loads((ROOT / "docs" / "walk.schema.json").read_text()))
    assert (folder / "walk.html").stat().st_size > 10_000
    assert [one["kind"] for one in program("results", "list", "--json").json["folders"]] == ["walk"]

    again = walk(program, tree)
    assert [step["state"] for step in steps_of(again)] == OF_EACH_PATCH
    built = [step["number"] for step in steps_of(again) if not step["build"]["cached"]]
    assert built == [5], "only what did not build is tried again"
    assert len(folders(program)) == 2


def test_a_walk_is_no_run(program: Program, tree: StubTree) -> None:
    """Neither is taken for the other by `report` or when a run goes on."""
    walked = walk(program, tree, "--only", "2", "--no-boot")
    (folder,) = folders(program)
    none_yet = program("report", "latest")
    assert (none_yet.code, none_yet.stdout) == (2, "")
    assert "there is no run yet" in none_yet.stderr
    for name in (folder.name, str(folder)):
        again = program("report", name, "--json")
        assert (again.code, again.json) == (walked.code, walked.json)
    text = program("report", folder.name).stdout
    assert text.splitlines()[-1] == f"Walk folder: {folder}"
    run = program("run", *tree.arguments_as_typed, *QUICK, "--json")
    assert program("report", "latest", "--json").json == run.json
    assert [cell["build"]["cached"] for cell in run.json["cells"]] == [True, False], (
        "base was built by the walk"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_walk_goes_on_where_it_stopped(
    program: Program, tree: StubTree, number: signal.Signals
) -> None:
    command = ("walk", *tree.arguments_as_typed, *QUICK, "--verify-incremental", "1", "--json")
    walking = program.start(*command)
    await_event(lambda: '"event": "boot"' in facts_of(program), "a boot that is on record")
    walking.send_signal(number)
    finish(walking)
    (folder,) = folders(program)
    booted_once = {event.fact["variant"] for event in read_events(folder) if event.name == "boot"}
    half = program("report", folder.name, "--json")
    assert not half.json["complete"]
    assert half.code in (1, 3), "it may have got as far as a bad patch"

    last = program(*command)
    assert f"resuming the interrupted walk {folder.name}" in last.stderr
    assert [variant for variant in booted_once if f"x86_64 {variant}: boot 1 " in last.stderr] == []
    assert folders(program) == [folder]
    assert [step["state"] for step in steps_of(last)] == OF_EACH_PATCH
    assert booted(last)[0] == 1
    assert last.json["seed"] == half.json["seed"]
    assert [check["ok"] for check in last.json["checks"]] == [True]
    assert program("report", folder.name, "--json").json == last.json


def test_an_interrupted_build_of_a_patch_is_finished(program: Program, tree: StubTree) -> None:
    program("walk", *tree.arguments_as_typed, "--no-boot", "--only", "2")
    tree.gate.close()
    walking = program.start("walk", *tree.arguments_as_typed, *QUICK, "--no-boot", "--json")
    tree.gate.await_build()  # of patch 5, the next one that compiles this file
    walking.send_signal(signal.SIGKILL)
    finish(walking)
    tree.gate.remove()
    last = program("walk", *tree.arguments_as_typed, *QUICK, "--no-boot", "--json")
    assert "resuming the interrupted walk" in last.stderr
    assert [step["state"] for step in steps_of(last)] == [
        "builds" if state == "ok" else state for state in OF_EACH_PATCH
    ]


def test_only_some_patches_without_booting(program: Program, tree: StubTree) -> None:
    fine = walk(program, tree, "--only", "2", "--no-boot")
    assert [row["number"] for row in fine.json["rows"]] == [0, 1, 2]
    assert {step["state"] for step in steps_of(fine)} == {"builds"}
    assert (fine.code, fine.json["safe"], booted(fine)) == (0, "unknown", {})
    assert "nothing was booted" in fine.json["headline"]
    rest = walk(program, tree, "--from", "6", "--no-boot")
    assert [row["number"] for row in rest.json["rows"]] == [0, 5, 6, 7, 8, 9]
    assert steps_of(rest)[2]["faults"][0]["since"] == 6
    assert steps_of(rest)[2]["faults"][0]["after"] == 0, "what was before patch 6 was not tried"
    assert rest.code == 1


def test_numbers_that_the_series_does_not_have(program: Program, tree: StubTree) -> None:
    answer = program("walk", *tree.arguments_as_typed, "--only", "10")
    assert (answer.code, answer.stdout) == (2, "")
    assert "--only 10: the series has 9 patches" in answer.stderr
    assert program("walk", *tree.arguments_as_typed, "--only", "1", "--from", "2").code == 2
    empty = ("--arch", "x86_64", "--tree", f"{tree.path}@base", "--series", f"git:{tree.path}@base..base")
    nothing = program("walk", *empty)
    assert nothing.code == 2
    assert "is empty" in nothing.stderr
    assert folders(program) == []


def test_incremental_builds_are_checked(program: Program, tree: StubTree) -> None:
    answer = walk(program, tree, "--no-boot", "--verify-incremental", "20", "--seed", "5")
    checks = answer.json["checks"]
    assert [check["number"] for check in checks] == [0, 1, 2, 3, 5, 6, 8, 9], "every kernel there is"
    assert {check["ok"] for check in checks} == {True}
    assert answer.json["seed"] == 5
    assert "--seed 5" in answer.stderr


def test_a_make_that_does_not_know_its_dependencies_is_found_out(
    program: Program, base_kernel: Path, tmp_path: Path
) -> None:
    tree = make_stub_series(tmp_path / "wrong", base_kernel, tail_is_known=False)
    answer = walk(program, tree, "--only", "2", "--no-boot", "--verify-incremental", "3")
    assert answer.code == 3
    assert [(check["number"], check["ok"]) for check in answer.json["checks"]] == [
        (0, True), (1, True), (2, False),
    ]  # fmt: skip
    assert "the kernel of patch 2 on x86_64 differs from the build from scratch" in answer.json["headline"]
    again = walk(program, tree, "--only", "2", "--no-boot")
    assert not steps_of(again)[2]["build"]["cached"], "nobody is given the wrong kernel again"
    assert steps_of(again)[2]["same"] is None, "its objects were not trusted either"


@pytest.mark.nightly
def test_a_real_series(thp_harness: Program, ab_run: Answer) -> None:
    """Patch 4 adds a warning, patch 6 breaks a test on x86 only; 5 is documentation."""
    tests = ("--tests", "pmd_split", "--tests", "small_pages")
    only = ("--only", "4", "--only", "6")
    answer = thp_harness("walk", "--arch", "x86_64", "--series", str(FIXTURE), *tests, *only, "--json")
    steps = {step["number"]: step for step in steps_of(answer)}
    assert {number: step["state"] for number, step in steps.items()} == {
        0: "ok", 3: "ok", 4: "builds with new warnings", 5: "builds with new warnings", 6: "regression",
    }  # fmt: skip
    assert answer.code == 1
    assert steps[0]["build"]["cached"], "the run before built it"
    (warning,) = steps[4]["new_warnings"]
    assert (warning["file"], warning["flag"]) == ("mm/madvise.c", "-Wunused-variable")
    assert (steps[5]["same"], steps[5]["same_as"]) == ("sources", 4)
    faults = {(fault["kind"], fault["name"]): fault["since"] for fault in steps[6]["faults"]}
    assert faults["test", "pmd_split.mremap"] == 6
    assert len(faults) == 2
    assert steps[6]["size"]["symbols"] != 0
    assert [boot["purpose"] for boot in steps[6]["boots"]] == ["first", "again"]
