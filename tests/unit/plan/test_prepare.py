# SPDX-License-Identifier: GPL-2.0-only
"""From a plan to commits: which base a series gets, and the notes about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UsageError
from harness.plan.onto import rows, try_bases
from harness.plan.plan import PlanRequest, make_plan
from harness.plan.prepare import Checkouts, code_origin, folder_name, prepare
from harness.sources.git.mirror import open_mirror
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.series.order import SeriesChoice
from results.model.run import Subject
from tests.samples.patch_mail import mail
from tests.samples.tiny_kernel import NUMBERS, commit, git, make_kernel, make_series

Prepared = Callable[..., Checkouts]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernel on the branch of a series."""
    kernel = make_kernel(tmp_path_factory.mktemp("built") / "linux")
    git(kernel, "branch", "base")
    make_series(kernel)
    return kernel


@pytest.fixture
def kernel(built: Path, tmp_path: Path) -> Path:
    """The same, for one test alone."""
    return shutil.copytree(built, tmp_path / "my linux+thp")


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    def run(series: Path | str, tree: Path | str | None = None, **asked: object) -> Checkouts:
        named = str(tree) if tree else None
        request = PlanRequest(series=str(series), tree=named, arches=("x86_64",), **asked)  # type: ignore[arg-type]
        return prepare(make_plan(request), tmp_path / "cache", lambda _: None)

    return run


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"series": "./nosuch"}, "there is no series"),
        ({"series": "git:/nosuch/linux@a..b"}, "there is no folder /nosuch/linux"),
        ({"prerequisites": ("./nosuch.mbox",)}, "there is no series"),
        ({"prerequisites": ("git:~/nosuch@a..b",)}, "there is no folder ~/nosuch"),
        ({"reference": Path("/")}, "is not the top of a git checkout"),
        ({"choice": "3-x"}, "this is no list of patches"),
    ],
)
def test_a_wrong_path_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("harness.plan.prepare.prepare_tree", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(UsageError, match=message):
        if "choice" in asked:
            asked = {"choice": SeriesChoice(asked["choice"])}
        prepare(make_plan(PlanRequest(arches=("x86_64",), **asked)), tmp_path / "cache", lambda _: None)


def subjects(checkouts: Checkouts) -> list[str]:
    return [patch.subject[-1] for patch in checkouts.subject.patches]


class TestBase:
    def test_of_a_range_is_where_it_begins(self, kernel: Path, prepared: Prepared) -> None:
        git(kernel, "checkout", "--quiet", "base")
        commit(kernel, "base goes on", {"x": "y"})
        subject = prepared(f"git:{kernel}@base..master").subject
        assert subject.base_commit == git(kernel, "rev-parse", "base~1")
        assert subject.series_commit == git(kernel, "rev-parse", "master")

    def test_of_a_range_in_the_working_directory(
        self, kernel: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(kernel)
        assert prepared("git:base..HEAD").subject.series_commit == git(kernel, "rev-parse", "master")

    def test_head_of_the_checkout_that_holds_the_series(self, kernel: Path, prepared: Prepared) -> None:
        subject = prepared("git:base..HEAD", kernel).subject
        assert subject.base_commit == git(kernel, "rev-parse", "base")
        assert subject.notes[0].startswith(f"HEAD of {kernel} holds the series already: base is ")

    def test_named_one_is_kept(self, kernel: Path, prepared: Prepared) -> None:
        with pytest.raises(SeriesError, match="changes nothing on"):
            prepared("git:base..HEAD", f"{kernel}@master")

    def test_commit_that_the_series_names(self, kernel: Path, prepared: Prepared, tmp_path: Path) -> None:
        other = "0123456789" * 4
        text = mail("[PATCH] mm: 1", 50).replace("-- \n2.47", f"base-commit: {other}\n-- \n2.47")
        (tmp_path / "x.mbox").write_text(text)
        subject = prepared(tmp_path / "x.mbox", f"{kernel}@base").subject
        (note,) = subject.notes
        assert note == f"the series names the base-commit {other}, but the tree is {subject.base_commit}"

    def test_commit_that_the_series_names_is_in_the_refusal(
        self, kernel: Path, prepared: Prepared, tmp_path: Path
    ) -> None:
        other = "0123456789" * 4
        text = mail("[PATCH] mm: 1", 50, old="other").replace("-- \n2.47", f"base-commit: {other}\n-- \n2.47")
        (tmp_path / "x.mbox").write_text(text)
        with pytest.raises(SeriesError, match=f"base-commit of the series: {other}"):
            prepared(tmp_path / "x.mbox", f"{kernel}@base")


class TestBelow:
    def test_prerequisite_is_part_of_base(self, kernel: Path, prepared: Prepared) -> None:
        checkouts = prepared("git:master~1..master", f"{kernel}@base", prerequisites=("git:base..master~1",))
        subject = checkouts.subject
        assert [fix.subject[-1] for fix in subject.tree_fixes] == ["1", "2"]
        assert (subject.base_commit, subjects(checkouts)) == (git(kernel, "rev-parse", "master~1"), ["3"])
        assert "base holds the prerequisite “mm: thp: change 1 (and 1 more patch)”" in subject.notes

    def test_prerequisite_patch_ids(self, kernel: Path, prepared: Prepared, tmp_path: Path) -> None:
        diff = git(kernel, "show", "base~0..master~2") + "\n"
        needed = git(kernel, "rev-parse", "master~2")
        patch_id = open_mirror(tmp_path / "cache").run("patch-id", "--stable", stdin=diff.encode()).split()[0]
        text = mail("[PATCH] mm: 1", 50).replace("-- \n2.47", f"prerequisite-patch-id: {patch_id}\n-- \n2.47")
        (tmp_path / "x.mbox").write_text(text)
        (note,) = prepared(tmp_path / "x.mbox", f"{kernel}@base").subject.notes
        assert f"prerequisite-patch-id {patch_id[:12]}" in note
        with_it = prepared(tmp_path / "x.mbox", f"{kernel}@base", prerequisites=(f"git:base..{needed}",))
        assert with_it.subject.notes == ("base holds the prerequisite “mm: thp: change 1”",)

    def test_part(self, kernel: Path, prepared: Prepared) -> None:
        checkouts = prepared("git:base..master", f"{kernel}@base", choice=SeriesChoice("2-3"))
        assert subjects(checkouts) == ["2", "3"]


class TestThreeWay:
    @pytest.fixture
    def moved(self, kernel: Path, tmp_path: Path) -> Path:
        """Context of the first patch that differs; the patch as a file."""
        (tmp_path / "x.mbox").write_text(git(kernel, "format-patch", "--stdout", "base..master") + "\n")
        git(kernel, "checkout", "--quiet", "-b", "other", "base")
        commit(kernel, "other", {"mm/memory.c": NUMBERS.replace("line 7\n", "line seven\n")})
        return tmp_path / "x.mbox"

    def test_merges_and_says_so(self, kernel: Path, prepared: Prepared, moved: Path) -> None:
        with pytest.raises(SeriesError, match="patch 1/3"):
            prepared(moved, f"{kernel}@other")
        checkouts = prepared(moved, f"{kernel}@other", three_way=True)
        assert subjects(checkouts) == ["1", "2", "3"]
        assert "“mm: thp: change 1” was merged by `git am --3way`" in checkouts.subject.notes

    def test_conflict(self, kernel: Path, prepared: Prepared, moved: Path) -> None:
        commit(kernel, "other", {"mm/memory.c": NUMBERS.replace("line 10\n", "line ten\n")})
        with pytest.raises(SeriesError, match=r"patch 1/3 .*\n  mm/memory.c: hunk 1"):
            prepared(moved, f"{kernel}@other", three_way=True)

    def test_not_with_fuzz(self, prepared: Prepared, moved: Path) -> None:
        with pytest.raises(UsageError, match="exclude each other"):
            prepared(moved, three_way=True, allow_fuzz=True)


class TestTrees:
    def test_record_by_path(self, kernel: Path, prepared: Prepared, tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text(f"name: mine\nabout: x\nurl: {kernel.as_uri()}\nbranch: base\n")
        assert prepared(f"git:{kernel}@base..master", tmp_path / "mine.yaml").subject.tree == "mine"

    @pytest.mark.parametrize("revision", ["base", "v6.12-tiny", "{full}", "{short}"])
    def test_address_with_a_revision(self, kernel: Path, prepared: Prepared, revision: str) -> None:
        git(kernel, "tag", "-a", "-m", "a tag", "v6.12-tiny", "base")
        base = git(kernel, "rev-parse", "base")
        bare = kernel.with_name("linux.git")
        git(kernel, "clone", "--quiet", "--bare", str(kernel), str(bare))
        tree = f"{bare.as_uri()}@{revision.format(full=base, short=base[:12])}"
        subject = prepared(f"git:{kernel}@base..master", tree).subject
        assert (subject.tree, subject.base_commit) == ("linux", base)

    def test_address_without_that_revision(self, kernel: Path, prepared: Prepared) -> None:
        with pytest.raises(UsageError, match="has no revision 'bose'") as failure:
            prepared(f"git:{kernel}@base..master", f"{kernel.as_uri()}@bose")
        assert "Did you mean 'base'?" in failure.value.hint

    def test_reference_needs_no_network(self, kernel: Path, prepared: Prepared) -> None:
        tree = f"https://kernel.invalid/linux.git@{git(kernel, 'rev-parse', 'base')}"
        assert prepared(f"git:{kernel}@base..master", tree, reference=kernel).subject.patches

    def test_paths_are_checked_before_the_tree_is_fetched(self, prepared: Prepared) -> None:
        with pytest.raises(UsageError, match=r"there is no series './no/such\.mbox'"):
            prepared("./no/such.mbox", "https://kernel.invalid/linux.git")

    def test_names_become_folders(self) -> None:
        assert folder_name("mm-unstable") == "mm-unstable"
        odd = {folder_name(name) for name in ("my linux", "my+linux", "linux@fix", "größe", "...")}
        assert len(odd) == 5
        assert all(name.replace("-", "").replace(".", "").isalnum() and name.isascii() for name in odd)


def test_onto(kernel: Path, tmp_path: Path) -> None:
    git(kernel, "checkout", "--quiet", "-b", "conflict", "base")
    commit(kernel, "other", {"mm/memory.c": NUMBERS.replace("line 10\n", "line ten\n")})
    git(kernel, "checkout", "--quiet", "-b", "other", "base")
    commit(kernel, "other", {"mm/memory.c": NUMBERS.replace("line 7\n", "line seven\n")})
    plan = make_plan(PlanRequest(series=f"git:{kernel}@base..master", tree=str(kernel), arches=("x86_64",)))
    names = ("base", "other", "conflict", "nowhere", kernel.as_uri())
    trials = list(try_bases(plan, names, tmp_path / "cache", lambda _: None))
    assert [trial.applies for trial in trials] == [True, True, False, False, True]
    table = {row[0]: row[3] for row in rows(trials)}
    assert table["base"] == "applies"
    assert table["other"] == "applies, 1 of its patches by a merge"
    assert "patch 1/3 “mm: thp: change 1” does not apply" in table["conflict"]
    assert "no revision 'nowhere'" in table["nowhere"]


@pytest.mark.parametrize(
    ("series", "origin"),
    [
        ("thp-split-standin", ""),
        ("git:HERE@v6.12..mine", "HERE"),
        ("git:HERE@v6.12..mine-v2", "HERE"),
        ("git:v6.12..mine", "debian-6.12"),
        ("/tmp/of-a-stranger.mbox", "tip"),
        ("20260327021403.214713-1-usama.arif@linux.dev", "tip"),
    ],
)
def test_objects_are_shared_by_those_that_trust_each_other(series: str, origin: str, tmp_path: Path) -> None:
    series, origin = (text.replace("HERE", str(tmp_path)) for text in (series, origin))
    subject = Subject("debian-6.12", "6.12", "base", "", "", "tip", stand_in=False)
    plan = make_plan(PlanRequest(arches=("x86_64",)))
    source = str(plan.series.path(plan.series.source).resolve()) if not origin else series
    plan = replace(plan, series_source=source)
    assert code_origin(plan, subject, "tip") == code_origin(plan, subject, "patch") == origin
    assert code_origin(plan, subject, "base") == ""
    assert code_origin(replace(plan, prerequisites=("p.mbox",)), subject, "base") == "tip"
