# SPDX-License-Identifier: GPL-2.0-only
"""Records of every kind are found in the user's folder, and by the path of a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.plan import Plan, PlanRequest, make_plan
from harness.sources.trees.tree import GitRemote

TREE = (
    "name: linus\nabout: Mainline\nurl: https://example.org/linux.git\nbranch: master\nfixes: linus-fixes\n"
)
SUITE = """\
name: mine
about: One of the tree's own tests
program: {name: mine, tree_sources: [tools/testing/selftests/mm/mine.c]}
evidence: {thp_split_pmd: 1}
cases: {one: {}}
"""
SERIES = "name: topic\ntitle: Topic\nsource: topic-patches\ntree: linus\ntests: [mine]\n"
PLAN = "name: night\nabout: Every night\nseries: topic\narches: [toaster]\n"
FRAGMENT = "CONFIG_TOASTER=y\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with one record of each kind; all refer to each other."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = tmp_path / "config" / "thp-harness"
    arch = (CONFIGS / "arches" / "x86_64.yaml").read_text()
    arch = arch.replace("name: x86_64", "name: toaster").replace(
        "softlockup, x86_64]", "softlockup, toaster]"
    )
    for name, text in {
        "trees/linus.yaml": TREE,
        "tests/mine.yaml": SUITE,
        "series/topic.yaml": SERIES,
        "plans/night.yaml": PLAN,
        "arches/toaster.yaml": arch,
        "kconfig/toaster.config": FRAGMENT,
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home


def seen(plan: Plan) -> tuple[str, ...]:
    """Names of all that the plan took from records."""
    suites, arches = (" ".join(each.name for each in them) for them in (plan.suites, plan.arches))
    return plan.tree.name, suites, plan.series.name, arches


def test_every_kind_is_found_by_name(home: Path) -> None:
    plan = make_plan(PlanRequest(plan="night"))
    assert seen(plan) == ("linus", "mine", "topic", "toaster")
    assert plan.tree.source == GitRemote("https://example.org/linux.git", "master", None)
    assert plan.tree.fixes == home / "trees" / "linus-fixes"
    assert plan.series_source == str(home / "series" / "topic-patches")
    assert plan.recipes["toaster"].symbols["CONFIG_TOASTER"] == "y"


def test_every_kind_is_found_by_path(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Path(shutil.move(home, tmp_path / "elsewhere"))
    monkeypatch.chdir(elsewhere)
    (home / "kconfig").mkdir(parents=True)
    (home / "kconfig" / "toaster.config").write_text(FRAGMENT)
    plan = make_plan(
        PlanRequest(
            tree="./trees/linus.yaml",
            series="series/topic.yaml",
            tests=("tests/mine.yaml", str(elsewhere / "tests" / "mine.yaml")),
            arches=("arches/toaster.yaml", "arm64"),
        )
    )
    assert seen(plan) == ("linus", "mine", "topic", "toaster arm64")
    assert plan.tree.fixes == Path("trees/linus-fixes")


def test_paths_in_a_record_begin_where_the_record_is(home: Path) -> None:
    (home / "plans" / "night.yaml").write_text(
        "name: night\nabout: Every night\nseries: ../series/topic.yaml\narches: [../arches/toaster.yaml]\n"
        "tree: ../trees/linus.yaml\ntests: [../tests/mine.yaml, timing]\n"
    )
    assert seen(make_plan(PlanRequest(plan="night"))) == ("linus", "mine timing", "topic", "toaster")
    (home / "series" / "topic.yaml").write_text(SERIES.replace("linus", "../trees/linus.yaml"))
    assert make_plan(PlanRequest(series="topic")).tree.name == "linus"


def test_a_record_of_the_user_overrides_a_shipped_one(home: Path) -> None:
    (home / "trees" / "debian-6.12.yaml").write_text(TREE.replace("linus\n", "debian-6.12\n"))
    assert isinstance(make_plan(PlanRequest()).tree.source, GitRemote)


def test_known_failures_of_the_user_count_too(home: Path) -> None:
    before = make_plan(PlanRequest()).known_failures
    entry = "{test: timing.*, arch: arm64, tree: all, reason: Mine, expires: 2099-01-01, says: late}"
    (home / "known-failures.yaml").write_text(f"failures: [{entry}]\n")
    more = make_plan(PlanRequest()).known_failures
    assert [(each.arch, each.tests) for each in more if each not in before] == [("arm64", "timing.*")]
    assert set(before) < set(more)


@pytest.mark.parametrize(
    ("file", "text", "request_", "said"),
    [
        ("trees/linus.yaml", "name: linus\nabuot: x\n", {"tree": "linus"}, "linus.yaml:2: abuot: unknown"),
        ("tests/mine.yaml", "name: other\n", {"tests": ("mine",)}, "mine.yaml:1: about: this key is missing"),
        ("trees/linus.yaml", TREE.replace("linus", "x"), {"tree": "linus"}, "must be the file's name"),
        ("trees/x.yaml", "", {"tree": "linsu"}, "Did you mean 'linus'?"),
        ("plans/x.yaml", "", {"plan": "ngiht"}, "Did you mean 'night'?"),
        ("trees/x.yaml", "", {"tree": "./none.yaml"}, "none.yaml: No such file"),
    ],
)  # fmt: skip
def test_mistakes_name_the_file_and_the_line(
    home: Path, file: str, text: str, request_: dict[str, str], said: str
) -> None:
    (home / file).write_text(text)
    with pytest.raises(UsageError) as refused:
        make_plan(PlanRequest(**request_))  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_a_broken_record_does_not_disturb_those_of_other_names(home: Path) -> None:
    (home / "trees" / "broken.yaml").write_text("no: record\n")
    assert seen(make_plan(PlanRequest(plan="night")))[0] == "linus"
