# SPDX-License-Identifier: GPL-2.0-only
"""Bisections: of stub trees that build in a moment and really boot, and once of a real series."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.core.shipped import ROOT
from tests.integration.commands.test_interrupts import await_event, finish
from tests.integration.stub_history import make_stub_history
from tests.integration.stub_tree import StubTree
from tests.program import PROGRAM, Answer, Program
from tests.samples.tiny_kernel import commit, git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIXTURE = ROOT / "tests" / "fixtures" / "series" / "walk"
QUICK = ("--arch", "x86_64", "--tests", "small_pages")
DIES = ("--until", "does not boot")
History = tuple[StubTree, list[str]]


@pytest.fixture
def make_history(base_kernel: Path, tmp_path: Path) -> Callable[[Sequence[str]], History]:
    return lambda steps: make_stub_history(tmp_path / "linux", base_kernel, steps)


def bisect(program: Program, tree: StubTree, good: str, bad: str, *options: str) -> Answer:
    ends = ("--tree", str(tree.path), "--good", good, "--bad", bad)
    return program("bisect", *QUICK, *ends, *(options or DIES), "--json")


def arch_of(answer: Answer) -> Any:
    (arch,) = answer.json["arches"]
    return arch


def marks_of(answer: Answer, commits: Sequence[str]) -> dict[int, str]:
    """By position in the history."""
    return {commits.index(look["commit"]["id"]): look["mark"] for look in arch_of(answer)["looks"]}


def boots_of(answer: Answer) -> int:
    return sum(len(look["boots"]) for look in arch_of(answer)["looks"])


def folders(program: Program) -> list[Path]:
    return sorted((program.state / "bisects").glob("*"))


TWELVE = ("", "", "same", "", "", "", "", "dies", "", "", "", "same")


def test_the_first_commit_that_does_not_boot_is_found(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(TWELVE)
    before = git(tree.path, "status", "--porcelain", "--branch"), git(tree.path, "for-each-ref")
    answer = bisect(program, tree, commits[0], commits[-1])
    assert answer.code == 0, answer.stderr
    arch = arch_of(answer)
    assert arch["ending"] == "found"
    assert arch["culprit"]["id"] == commits[8]
    assert arch["before"]["id"] == commits[7]
    assert marks_of(answer, commits)[7] == "good"
    assert len(arch["looks"]) <= 2 + 4, "the ends and log2 steps"
    assert arch["rate"]["failures"] == arch["rate"]["boots"] >= 1
    assert 0.99 < arch["certainty"] < 1
    seen = [vote["ballot"] for look in arch["looks"] for vote in look["votes"]]
    assert seen.count("bad") >= 3, "a failure that was seen once may as well be rare"
    assert f"# first bad commit: [{commits[8]}] mm: 8: dies" in arch["git_log"]
    assert (git(tree.path, "status", "--porcelain", "--branch"), git(tree.path, "for-each-ref")) == before
    assert not (tree.path / ".git" / "BISECT_LOG").exists()

    (folder,) = folders(program)
    document = json.loads((folder / "bisect.json").read_text())
    jsonschema.validate(document, json.loads((ROOT / "docs" / "bisect.schema.json").read_text()))
    mail = (folder / "bisect.txt").read_text()
    assert str(message_from_string(mail, policy=default)["To"]) == "Jörg Author <author@kernel.example>"
    assert f'Fixes: {commits[8][:12]} ("mm: 8: dies")' in mail
    assert f"--good {commits[7][:12]} --bad {commits[8][:12]}" in mail
    again = program("report", folder.name, "--json")
    assert (again.code, again.json) == (0, answer.json)
    assert [one["kind"] for one in program("results", "list", "--json").json["folders"]] == ["bisect"]


def test_the_state_of_git_is_nowhere_and_a_dirty_or_deleted_worktree_is_made_again(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(TWELVE)
    worktrees = program.cache / "worktrees"
    (tree.path / "mm" / "number.c").write_text("int not_committed\n")
    tree.gate.close()
    ends = ("--good", commits[0], "--bad", commits[-1])
    command = ("bisect", *QUICK, "--tree", str(tree.path), *ends, *DIES, "--json")
    running = program.start(*command)
    tree.gate.await_build()
    (held,) = worktrees.glob("linux-x86_64")
    (held / "mm" / "memory-left-behind.c").write_text("int broken\n")
    (held / "mm" / "before.c").write_text("int before = broken;\n")
    tree.gate.let_through()
    await_event(lambda: len(list((program.state / "bisects").glob("*/logs/*-build.log"))) >= 2, "a build")
    shutil.rmtree(held, ignore_errors=True)
    answer = finish(running)
    if answer.code == 3:  # it went while it was being looked at
        assert "The same command resumes" in answer.stderr
        answer = program(*command)
    assert answer.code == 0, answer.stderr
    assert arch_of(answer)["culprit"]["id"] == commits[8]


@pytest.mark.parametrize("moment", ["a build", "a boot"])
def test_a_killed_bisection_goes_on_where_it_stopped(
    program: Program, make_history: Callable[[Sequence[str]], History], moment: str
) -> None:
    tree, commits = make_history(TWELVE)
    command = (
        *("bisect", *QUICK, "--tree", str(tree.path), "--good", commits[0], "--bad", commits[-1]),
        *(*DIES, "--json"),
    )
    running = program.start(*command)

    def logs(pattern: str) -> list[Path]:
        return list((program.state / "bisects").glob(f"*/logs/{pattern}"))

    def events(name: str) -> int:
        journals = (program.state / "bisects").glob("*/events.jsonl")
        return sum(f'"event": "{name}"' in line for path in journals for line in path.open())

    awaited = {"a build": lambda: events("build") >= 3, "a boot": lambda: events("boot") >= 4}
    await_event(awaited[moment], moment)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    known = events("boot")
    answer = program(*command)
    assert answer.code == 0, answer.stderr
    (folder,) = folders(program)
    assert f"resuming the interrupted bisection {folder.name}" in answer.stderr
    assert arch_of(answer)["culprit"]["id"] == commits[8]
    assert events("boot") == boots_of(answer) >= known
    assert answer.json["complete"]


def test_commits_that_do_not_build_are_skipped_and_never_vote(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("", "", "", "breaks", "", "builds", "", "dies", ""))
    answer = bisect(program, tree, commits[0], commits[-1])
    assert answer.code == 0, answer.stderr
    assert arch_of(answer)["culprit"]["id"] == commits[8]
    marks = marks_of(answer, commits)
    skipped = {number for number, mark in marks.items() if mark == "skip"}
    assert skipped
    assert skipped <= {4, 5}
    assert "git bisect skip" in arch_of(answer)["git_log"]


def test_when_every_commit_skips_the_candidates_are_named(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("breaks", "dies", "", "builds"))
    answer = bisect(program, tree, commits[0], commits[-1])
    assert answer.code == 3
    arch = arch_of(answer)
    assert arch["ending"] == "only skipped"
    assert {commit["id"] for commit in arch["left"]} == set(commits[1:])
    assert "does not build" in arch["words"]
    assert (folders(program)[0] / "bisect.txt").read_text().startswith("No culprit.")


def test_a_kernel_that_dies_of_something_else_does_not_vote_on_a_test(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("", "dies", ""))
    answer = bisect(program, tree, commits[0], commits[-1], "--until", "small_pages.munmap fails")
    assert answer.code == 3
    arch = arch_of(answer)
    assert arch["ending"] == "end not judged"
    assert "small_pages.munmap was not exercised" in arch["words"]
    assert {vote["ballot"] for look in arch["looks"] for vote in look["votes"]} <= {"none", "good"}


def test_a_good_that_is_bad_and_a_bad_that_is_good_are_told_with_evidence(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("dies", "", "lives", ""))
    both_bad = bisect(program, tree, commits[1], commits[2])
    assert both_bad.code == 2
    assert f"x86_64: good is bad: {commits[1][:12]} has the symptom, too" in both_bad.json["headline"]
    assert "did not reach its first test" in both_bad.json["headline"]
    both_good = bisect(program, tree, commits[3], commits[4], "--until", "does not build")
    assert both_good.code == 2
    assert arch_of(both_good)["ending"] == "bad is good"
    assert f"bad is good: {commits[4][:12]} does not have the symptom: builds" in both_good.json["headline"]


@pytest.mark.parametrize(
    "culprit", [4, *(pytest.param(number, marks=pytest.mark.nightly) for number in (2, 6))]
)
def test_a_kernel_that_dies_in_30_percent_of_its_boots_is_found(
    program: Program, make_history: Callable[[Sequence[str]], History], culprit: int
) -> None:
    steps = ["flakes" if number == culprit else "" for number in range(1, 7)]
    tree, commits = make_history(steps)
    answer = bisect(program, tree, commits[0], commits[-1])
    assert answer.code == 0, answer.stderr
    arch = arch_of(answer)
    assert arch["culprit"]["id"] == commits[culprit]
    assert 0.99 < arch["certainty"] < 1
    (before,) = [look for look in arch["looks"] if look["commit"]["id"] == commits[culprit - 1]]
    assert [vote["ballot"] for vote in before["votes"]] == ["good"] * len(before["votes"])
    assert len(before["votes"]) >= 8, "a commit that fails in 30 % of its boots passes five of them easily"


def test_ends_in_the_wrong_order_or_on_two_branches(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("", "dies"))
    swapped = bisect(program, tree, commits[2], commits[0])
    assert (swapped.code, swapped.stdout) == (2, "")
    assert "are they the wrong way round?" in swapped.stderr
    git(tree.path, "checkout", "--quiet", "-b", "side", commits[1])
    side = commit(tree.path, "mm: aside", {"mm/tail": "aside"})
    diverged = bisect(program, tree, side, commits[2])
    assert diverged.code == 2
    assert f"they diverge at {commits[1][:12]}" in diverged.stderr
    unknown = bisect(program, tree, "no-such-branch", commits[2])
    assert unknown.code == 2
    assert "has no revision 'no-such-branch'" in unknown.stderr


def test_a_merge_is_gone_through(program: Program, make_history: Callable[[Sequence[str]], History]) -> None:
    tree, commits = make_history(("", ""))
    git(tree.path, "checkout", "--quiet", "-b", "side", commits[0])
    commit(tree.path, "mm: aside", {"mm/number.c": "int aside;\n"})
    culprit = commit(tree.path, "mm: die aside", {"mm/which": "dead\n"})
    commit(tree.path, "mm: aside, too", {"mm/number.c": "int aside, too;\n"})
    git(tree.path, "checkout", "--quiet", "topic")
    git(tree.path, "merge", "--quiet", "--no-edit", "side")
    last = commit(tree.path, "mm: after the merge", {"mm/tail": "last"})
    answer = bisect(program, tree, commits[0], last)
    assert answer.code == 0, answer.stderr
    assert arch_of(answer)["culprit"]["id"] == culprit


def test_what_the_build_tells_is_not_booted(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("", "", "warns", "", "breaks", ""))
    warning = bisect(program, tree, commits[0], commits[4], "--until", "warning appears in mm/before.c")
    assert arch_of(warning)["culprit"]["id"] == commits[3]
    assert "-Wunused-variable" in (folders(program)[0] / "bisect.txt").read_text()
    build = bisect(program, tree, commits[0], commits[6], "--until", "does not build")
    assert arch_of(build)["culprit"]["id"] == commits[5]
    assert boots_of(warning) == boots_of(build) == 0


def test_patches_of_a_series_are_named_by_their_numbers(
    program: Program, make_history: Callable[[Sequence[str]], History], tmp_path: Path
) -> None:
    tree, commits = make_history(("", "", "warns", "", ""))
    series = ("--series", f"git:{tree.path}@{commits[0]}..{commits[-1]}")
    place = ("bisect", *QUICK, "--tree", f"{tree.path}@{commits[0]}", *series)
    answer = program(*place, "--until", "warning appears", "--bad", "4", "--json")
    assert answer.code == 0, answer.stderr
    assert arch_of(answer)["culprit"]["name"] == "patch/3"
    assert "patch 3 (mm: 3: warns)" in answer.json["headline"]
    mail = Path(answer.json["run_dir"], "bisect.txt").read_text()
    assert "--good 2 --bad 3" in mail
    assert "Fixes:" not in mail, "the commit is on no other machine"
    for options, words in (
        (("--good", "9"), "--good 9: the series has 5 patches"),
        (("--good", "4", "--bad", "2"), "good is patch 4, and bad is patch 2: are they the wrong way round?"),
        (("--good", "3", "--bad", "patch/3"), "name two patches"),
    ):
        wrong = program(*place, "--until", "warning appears", *options)
        assert (wrong.code, wrong.stdout) == (2, "")
        assert words in wrong.stderr


# For those who drive git themselves


def judge(program: Program, tree: StubTree, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), "judge", *QUICK, *(options or DIES)],
        cwd=tree.path, env=program.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_git_bisect_run_with_judge(
    program: Program, make_history: Callable[[Sequence[str]], History]
) -> None:
    tree, commits = make_history(("", "", "breaks", "builds", "", "dies", ""))
    git(tree.path, "bisect", "start", commits[-1], commits[0])
    environment = {**program.environment(), "GIT_CONFIG_NOSYSTEM": "1"}
    run = subprocess.run(
        ["git", "bisect", "run", str(PROGRAM), "judge", *QUICK, *DIES],
        cwd=tree.path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{commits[6]} is the first bad commit" in run.stdout


def test_judge_answers_as_git_wants_it(
    program: Program, make_history: Callable[[Sequence[str]], History], tmp_path: Path
) -> None:
    tree, commits = make_history(("dies", "breaks"))
    for position, code, mark in ((0, 0, "good"), (1, 1, "bad"), (2, 125, "skip")):
        git(tree.path, "checkout", "--quiet", commits[position])
        answer = judge(program, tree)
        assert (answer.returncode, answer.stderr.count("Traceback")) == (code, 0), answer.stderr
        assert f"{commits[position][:12]} {mark} on x86_64" in answer.stdout
    document = json.loads(judge(program, tree, *DIES, "--json").stdout)
    jsonschema.validate(document, json.loads((ROOT / "docs" / "judge.schema.json").read_text()))
    assert (document["commit"], document["exit_code"]) == (commits[2], 125)
    for options in (("--until", "small_pages.munmap fial"), (*DIES, "--invented"), ("--x",)):
        answer = judge(program, tree, *options)
        assert answer.returncode == 129
    elsewhere = program("judge", *QUICK, *DIES, "--tree", str(tmp_path / "nothing"))
    assert elsewhere.code == 129
    no_tools = program("judge", *QUICK, *DIES, "--tree", str(tree.path), env={"PATH": "/nowhere"})
    assert no_tools.code >= 128


# A real series


@pytest.mark.nightly
def test_a_real_series(thp_harness: Program, ab_run: Answer) -> None:
    """Patch 6 breaks a test on x86; every kernel between grows from the one before."""
    series = ("--series", str(FIXTURE), "--good", "3", "--bad", "8")
    answer = thp_harness("bisect", "--arch", "x86_64", *series, "--until", "pmd_split.mremap fails", "--json")
    assert answer.code == 0, answer.stderr
    arch = arch_of(answer)
    assert arch["culprit"]["name"] == "patch/6"
    assert arch["before"]["name"] == "patch/5"
