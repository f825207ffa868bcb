# SPDX-License-Identifier: GPL-2.0-only
"""The script applies a series as the program did, however the series was given: the trees are the same."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.program import Invoke, Program
from tests.samples.past_run import PastRun, make_past_run
from tests.samples.patch_mail import diff, mail
from tests.samples.tiny_kernel import commit, git, make_kernel

REFUSING_GIT = "[apply]\n\twhitespace = error-all\n[core]\n\tautocrlf = true\n[am]\n\tthreeWay = true\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A kernel with the branch base."""
    path = make_kernel(tmp_path / "linux")
    git(path, "branch", "base")
    return path


def sources_of(run: PastRun, invoke: Invoke, folder: Path, *variants: str) -> Path:
    """Have a shell make the sources of a script, with a git configuration that would change files."""
    for variant in variants:
        run.build(variant)
    script, here, home = folder / "repro.sh", folder / "here", folder / "home"
    named = "x86_64" if len(variants) > 1 else f"x86_64/{variants[0]}"
    answer = invoke("repro", named, "-o", str(script))
    assert answer.code == 0, answer.stderr
    home.mkdir()
    (home / ".gitconfig").write_text(REFUSING_GIT)
    said = run_build(script, here, home)
    for variant in variants:
        tree = run.checkouts.trees[variant]
        assert f"The sources of {variant} are those of the run (tree {tree})" in said
        assert git(here / "linux", "rev-parse", f"{variant}^{{tree}}") == tree
    return here / "linux"


def run_build(script: Path, folder: Path, home: Path) -> str:
    """Run the part of a script up to make, which does nothing; return all that it says."""
    folder.mkdir(exist_ok=True)
    commands = home / "bin"
    commands.mkdir(exist_ok=True)
    (commands / "make").write_text("#!/bin/sh\nexit 7\n")
    (commands / "make").chmod(0o755)
    done = subprocess.run(
        ["sh", str(script), "build"],
        cwd=folder, env={"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(home)},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def from_mails(program: Program, folder: Path, tree: Path, mbox: str | bytes, **request: Any) -> PastRun:
    path = folder / "series.mbox"
    path.write_bytes(mbox.encode() if isinstance(mbox, str) else mbox)
    return make_past_run(program, folder, tree=tree, series=str(path), **request)


def test_mails_that_arrived_in_another_order(
    program: Program, invoke: Invoke, tree: Path, tmp_path: Path
) -> None:
    mails = [
        mail(f"[PATCH {number}/3] mm: step {number}", number=f"n{number}", old=old, new=new)
        for number, old, new in ((1, "", "one"), (2, "one", "two"), (3, "two", "three"))
    ]
    run = from_mails(program, tmp_path, tree, mails[2] + mails[0] + mails[1])
    linux = sources_of(run, invoke, tmp_path, "base", "series")
    assert git(linux, "log", "--format=%s", "-3", "series").splitlines() == [
        f"mm: step {n}" for n in (3, 2, 1)
    ]


def test_mails_with_carriage_returns(program: Program, invoke: Invoke, tree: Path, tmp_path: Path) -> None:
    plain = mail("[PATCH 1/2] mm: step 1", number="n1").replace("\n", "\r\n")
    body = base64.encodebytes(f"Why.\n---\n{diff(40)}".replace("\n", "\r\n").encode()).decode()
    headers = (
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n"
    )
    encoded = mail("[PATCH 2/2] mm: step 2", number="n2", headers=headers, body=body)
    run = from_mails(program, tmp_path, tree, plain + encoded)
    linux = sources_of(run, invoke, tmp_path, "series")
    assert b"\r" not in (linux / "mm/memory.c").read_bytes()


def test_a_patch_for_a_file_with_carriage_returns(
    program: Program, invoke: Invoke, tree: Path, tmp_path: Path
) -> None:
    commit(tree, "mm: add a file", {"mm/dos.c": "a\r\nb  \r\n\r\n", "mm/tail.c": "x \n\n\n"})
    commit(tree, "mm: change it", {"mm/dos.c": "a\r\nb \r\nc", "mm/tail.c": "x\t \n\n\n\n"})
    git(tree, "branch", "topic")
    linux = sources_of(make_past_run(program, tmp_path, tree=tree), invoke, tmp_path, "series")
    assert (linux / "mm/dos.c").read_bytes() == b"a\r\nb \r\nc"


def test_a_patch_that_had_to_be_merged(program: Program, invoke: Invoke, tree: Path, tmp_path: Path) -> None:
    text = (tree / "mm/memory.c").read_text()
    git(tree, "checkout", "--quiet", "-b", "topic")
    commit(tree, "mm: for another tree", {"mm/memory.c": text.replace("line 15\n", "line 15 changed\n")})
    patch = git(tree, "format-patch", "-1", "--stdout", "--full-index") + "\n"
    git(tree, "checkout", "--quiet", "-B", "base", "master")
    commit(tree, "mm: change the context", {"mm/memory.c": text.replace("line 12\n", "line twelve\n")})
    run = from_mails(program, tmp_path, tree, patch, three_way=True)
    assert "merged by `git am --3way`" in "".join(run.checkouts.subject.notes)
    linux = sources_of(run, invoke, tmp_path, "base", "series")
    changed = (linux / "mm/memory.c").read_text
    git(linux, "checkout", "--quiet", "series")
    assert "line twelve\n" in changed()
    assert "line 15 changed\n" in changed()


def test_a_patch_that_was_placed_with_fuzz(
    program: Program, invoke: Invoke, tree: Path, tmp_path: Path
) -> None:
    run = from_mails(
        program,
        tmp_path,
        tree,
        mail("[PATCH] mm: x").replace(" line 12\n", " line twelve\n"),
        allow_fuzz=True,
    )
    assert run.checkouts.subject.fuzzed
    sources_of(run, invoke, tmp_path, "series")


def test_series_on_top_of_prerequisites(program: Program, invoke: Invoke, tree: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.mbox"
    first.write_text(mail("[PATCH] mm: first", new="first"))
    run = from_mails(
        program, tmp_path, tree, mail("[PATCH] mm: second", old="first", new="second"),
        prerequisites=(str(first),),
    )  # fmt: skip
    linux = sources_of(run, invoke, tmp_path, "base", "series")
    assert git(linux, "log", "--format=%s", "base") == "mm: first\nbase"


def test_commits_whose_messages_look_like_patches(
    program: Program, invoke: Invoke, tree: Path, tmp_path: Path
) -> None:
    message = (
        f"mm: x\n\nFrom {'0' * 40} Mon Sep 17 00:00:00 2001\nSubject: y\n---\n{diff(40)}\n"
        "-- >8 --\nIndex: mm/memory.c"
    )
    text = (tree / "mm/memory.c").read_text()
    last = commit(tree, message, {"mm/memory.c": text.replace("line 15\n", "line fifteen\n")})
    git(tree, "branch", "topic")
    linux = sources_of(make_past_run(program, tmp_path, tree=tree), invoke, tmp_path, "series")
    assert git(linux, "rev-parse", "series") == last, "the very commit of the range"


def test_a_folder_with_the_sources_of_another_run_is_refused(
    program: Program, invoke: Invoke, tree: Path, tmp_path: Path
) -> None:
    run = from_mails(program, tmp_path, tree, mail("[PATCH] mm: x"))
    linux = sources_of(run, invoke, tmp_path, "series")
    git(linux, "tag", "--force", "series", "series^")
    said = run_build(tmp_path / "repro.sh", tmp_path / "here", tmp_path / "home")
    assert "FAILED: the sources of series are not those of the run: linux has tree" in said
