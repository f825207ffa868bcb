# SPDX-License-Identifier: GPL-2.0-only
"""Worktrees that several builds of one process want at once."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.core.process import Children, Stopped
from harness.engine.session import Session
from harness.plan.prepare import Checkout
from harness.sources.git.mirror import open_mirror
from harness.sources.git.worktree_pool import Worktrees
from tests.samples.tiny_kernel import commit, git, make_kernel

ARCH = find(ArchRecord, "x86_64")
SOON = 0.3
LATE = 10.0


@pytest.fixture
def checkouts(tmp_path: Path) -> list[Checkout]:
    """Two commits that are built in the same worktree."""
    kernel = make_kernel(tmp_path / "linux")
    commits = [git(kernel, "rev-parse", "HEAD"), commit(kernel, "more", {"mm/memory.c": "more\n"})]
    open_mirror(tmp_path / "cache").run("fetch", "--quiet", str(kernel), "master")
    return [Checkout(f"patch/{number}", each, "") for number, each in enumerate(commits)]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Only what its worktrees need."""
    unused: dict[str, Any] = dict.fromkeys(
        (
            "checkouts",
            "planned",
            "suites",
            "run_dir",
            "lock",
            "fact",
            "journal",
            "history",
            "cells",
            "jobserver",
            "executor",
        )
    )
    plan: Any = SimpleNamespace(tree=SimpleNamespace(name="mine"))
    workspace: Any = SimpleNamespace(cache=tmp_path / "cache")
    progress: Any = SimpleNamespace(log=lambda text: None)
    worktrees = Worktrees(workspace.cache, progress.log)
    return Session(
        plan=plan,
        workspace=workspace,
        progress=progress,
        worktrees=worktrees,
        **unused,
        children=Children(),
    )


def test_builds_of_one_commit_share_a_worktree(session: Session, checkouts: list[Checkout]) -> None:
    with session.sources(ARCH, checkouts[0]) as one, session.sources(ARCH, checkouts[0]) as other:
        assert one == other
        assert one.name == "mine-x86_64"


def test_a_build_of_another_commit_waits_until_the_worktree_may_move(
    session: Session, checkouts: list[Checkout]
) -> None:
    moved = threading.Event()
    seen: list[str] = []

    def want_the_other() -> None:
        with session.sources(ARCH, checkouts[1]) as path:
            seen.append((path / "mm" / "memory.c").read_text())
            moved.set()

    with session.sources(ARCH, checkouts[0]) as path:
        thread = threading.Thread(target=want_the_other)
        thread.start()
        assert not moved.wait(SOON)
        assert (path / "mm" / "memory.c").read_text() != "more\n"
    assert moved.wait(LATE)
    thread.join()
    assert seen == ["more\n"]


def test_who_waits_for_a_worktree_can_be_stopped(session: Session, checkouts: list[Checkout]) -> None:
    with session.sources(ARCH, checkouts[0]):
        session.children.end_all()
        with pytest.raises(Stopped), session.sources(ARCH, checkouts[1]):
            pass
