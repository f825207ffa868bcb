# SPDX-License-Identifier: GPL-2.0-only
"""Tests that only one of the two trees has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.suite import CaseRecord, ProgramRecord, SuiteRecord
from harness.core.errors import UsageError
from harness.engine.plan_fact import FoundTests, find_tests
from harness.plan.plan import Plan, PlanRequest, make_plan
from harness.plan.prepare import Checkouts
from harness.sources.git.mirror import open_mirror
from results.model.run import Subject
from tests.samples.tiny_kernel import commit, git, make_kernel


class Trees:
    """A kernel whose series renames one test, and adds one."""

    def __init__(self, folder: Path) -> None:
        kernel = make_kernel(
            folder / "linux", {"Makefile": "", "t/cow.c": "", "t/keep.c": "", "old/one.c": ""}
        )
        base = git(kernel, "rev-parse", "HEAD")
        for name in ("t/cow.c", "old/one.c"):
            (kernel / name).unlink()
        series = commit(kernel, "rename", {"t/cow2.c": "", "t/new.c": ""})
        self.cache = folder / "cache"
        open_mirror(self.cache).run("fetch", "--quiet", str(kernel), "master")
        subject = Subject("mine", "6.12", base, "series", "", series, stand_in=False)
        self.checkouts = Checkouts(subject, {}, None)  # type: ignore[arg-type]

    def found(self, *suites: SuiteRecord, asked_for_by: str = "") -> FoundTests:
        plan: Plan = replace(make_plan(PlanRequest()), suites=suites, tests_asked_for_by=asked_for_by)
        return find_tests(plan, self.checkouts, self.cache, lambda line: None)


def suite(name: str, *sources: str) -> SuiteRecord:
    cases = {Path(source).stem: CaseRecord(sources=(source,)) for source in sources}
    return SuiteRecord(name=name, about="x", program=ProgramRecord(name=name), evidence={}, cases=cases)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


def test_a_test_that_the_series_takes_away_or_adds_is_named(trees: Trees) -> None:
    found = trees.found(suite("mm", "t/cow.c", "t/keep.c", "t/new.c", "t/never.c"))
    assert [list(each.cases) for each in found.suites] == [["keep", "new"]]
    assert (found.gone, found.new) == (("mm.cow",), ("mm.new",))


@pytest.mark.parametrize("asked_for_by", ["", "--tests"])
def test_a_suite_that_the_series_takes_away_is_named(trees: Trees, asked_for_by: str) -> None:
    found = trees.found(suite("old", "old/one.c"), suite("mm", "t/keep.c"), asked_for_by=asked_for_by)
    assert [each.name for each in found.suites] == ["mm"]
    assert found.gone == ("old.one",)


def test_a_suite_that_the_series_brings_is_named_once(trees: Trees) -> None:
    assert trees.found(suite("mm", "t/cow2.c", "t/new.c")).new == ("mm",)


def test_a_suite_that_no_tree_has_is_refused_if_asked_for(trees: Trees) -> None:
    with pytest.raises(UsageError, match=r"neither the series nor the tree has t/never\.c"):
        trees.found(suite("mm", "t/never.c"), asked_for_by="--tests")
    assert trees.found(suite("mm", "t/never.c")) == FoundTests(())
