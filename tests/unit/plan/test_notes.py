# SPDX-License-Identifier: GPL-2.0-only
"""`plan` prints each note about how tree and series were read."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest

from tests.program import Answer, Invoke
from tests.samples.patch_mail import REV, mail
from tests.samples.tiny_kernel import commit, git, make_kernel, make_series


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_kernel(tmp_path / "linux")


def plan(invoke: Invoke, tree: Path, mails: str, *more: str) -> Answer:
    mbox = tree.with_name("t.mbox")
    mbox.write_text(mails)
    answer = invoke("plan", "--arch", "x86_64", "--tree", str(tree), "--series", str(mbox), *more)
    assert answer.code == 0, answer.stderr
    return answer


def notes(answer: Answer) -> list[str]:
    _, _, below = answer.stdout.partition("── notes\n")
    leaves = takewhile(lambda line: not line[:8].strip("│ "), below.splitlines())
    return [leaf[12:] for leaf in leaves]


def test_uncommitted_changes_and_what_a_thread_leaves_out(invoke: Invoke, tree: Path) -> None:
    (tree / "mm/memory.c").write_text("changed\n")
    thread = mail("[PATCH v2 1/1] mm: x", 15, number="n") + mail("[PATCH 1/1] mm: x", 25, number="o")
    thread += mail("Re: [PATCH v2 1/1] mm: x", 40, number="r", answers="n", sender=REV)
    said = [
        f"uncommitted changes in {tree} are left out: commit them to have them tested",
        "left out patch “Re: [PATCH v2 1/1] mm: x” of rev@kernel.example: it is a reply",
        "took version v2 of the series, left out v1",
    ]
    assert notes(plan(invoke, tree, thread)) == said
    assert plan(invoke, tree, thread, "--json").json["notes"] == said


def test_a_base_that_is_not_the_tree(invoke: Invoke, tree: Path) -> None:
    head, other = git(tree, "rev-parse", "HEAD"), "12" * 20
    message = f"Why.\n\nbase-commit: {other}\nprerequisite-patch-id: {'34' * 20}"
    said = notes(plan(invoke, tree, mail("[PATCH] mm: x", message=message)))
    assert said[0] == f"the series names the base-commit {other}, but the tree is {head}"
    assert "names 1 patch below it (prerequisite-patch-id 343434343434): see --prerequisite" in said[1]


def test_prerequisites(invoke: Invoke, tree: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.mbox"
    first.write_text(mail("[PATCH] mm: first", 40))
    said = notes(plan(invoke, tree, mail("[PATCH] mm: x"), "--prerequisite", str(first)))
    assert said == ["base holds the prerequisite “mm: first”"]


def test_a_range_that_the_checkout_holds_or_that_is_replayed(invoke: Invoke, tree: Path) -> None:
    git(tree, "branch", "base")
    base = git(tree, "rev-parse", "--short=12", "base")
    make_series(tree)
    series = ("--series", f"git:{tree}@base..master")
    inside = invoke("plan", "--arch", "x86_64", "--tree", str(tree), *series)
    assert notes(inside) == [
        f"HEAD of {tree} holds the series already: base is {base}, where the range begins"
    ]
    git(tree, "checkout", "--quiet", "-b", "other", "base")
    new = commit(tree, "other", {"mm/new.c": "x\n"})
    replayed = invoke("plan", "--arch", "x86_64", "--tree", f"{tree}@other", *series)
    assert notes(replayed) == [f"the range was written on {base}: its commits are replayed on {new[:12]}"]


def test_without_notes_there_are_no_lines(invoke: Invoke, tree: Path) -> None:
    assert notes(plan(invoke, tree, mail("[PATCH] mm: x"))) == []
