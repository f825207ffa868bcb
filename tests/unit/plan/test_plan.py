# SPDX-License-Identifier: GPL-2.0-only
"""A request and the records of `configs/` become a plan."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.series import TreeRecord
from harness.config.suite import SuiteRecord
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.plan import (
    DEFAULT_TESTS,
    PlanRequest,
    claims,
    known_gaps,
    make_plan,
    planned_tests,
    wholly_allowed,
)
from harness.sources.trees.tree import DebianSource, GitRemote, LocalTree
from results.model.run import Claim, Evidence, KnownGap

RECORD = """\
name: mine
title: Mine
source: patches
tree: debian-6.12
tests: [pmd_split]
counters:
  thp_split_pmd: {base: present, series: 0}
"""


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of the project's records, to be changed."""
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A series' record outside of the project."""
    (tmp_path / "patches").mkdir()
    path = tmp_path / "mine.yaml"
    path.write_text(RECORD)
    return path


def test_nothing_asked_for_is_the_default_plan() -> None:
    plan = make_plan(PlanRequest())
    assert [arch.name for arch in plan.arches] == ["x86_64", "arm64", "s390", "sparc", "powerpc-hash"]
    assert plan.tree.source == DebianSource("linux-source-6.12")
    assert plan.series.name == "thp-lazy-pgtable-standin"
    assert Path(plan.series_source) == CONFIGS / "series" / "thp-lazy-pgtable-standin"
    assert plan.label == "5-architectures-debian-6.12-thp-lazy-pgtable-standin"


def test_a_plan_of_ones_own_may_name_tree_and_tests(tmp_path: Path) -> None:
    record = tmp_path / "mine.yaml"
    text = "name: mine\nabout: words\nseries: thp-split-standin\narches: [arm64]\n"
    record.write_text(f"{text}tree: mm-unstable\ntests: [small_pages]\n")
    plan = make_plan(PlanRequest(plan=str(record)))
    assert [arch.name for arch in plan.arches] == ["arm64"]
    assert plan.tree.name == "mm-unstable"
    assert [suite.name for suite in plan.suites] == ["small_pages"]
    assert plan.tests_asked_for_by == "plan 'mine'"
    asked = make_plan(PlanRequest(plan=str(record), tree="debian-6.12", tests=("pmd_split",)))
    assert (asked.tree.name, [suite.name for suite in asked.suites]) == ("debian-6.12", ["pmd_split"])


def test_architectures_are_taken_once_and_in_the_order_asked_for() -> None:
    plan = make_plan(PlanRequest(arches=("arm64", "x86_64", "arm64")))
    assert [arch.name for arch in plan.arches] == ["arm64", "x86_64"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PlanRequest(arches=("x86",)), "unknown architecture 'x86'. Did you mean 'x86_64'?"),
        (PlanRequest(tree="mm-stable"), "unknown tree 'mm-stable'. Did you mean 'mm-unstable'?"),
        (PlanRequest(series="standin"), "unknown series 'standin'."),
        (PlanRequest(plan="weekly"), "unknown plan 'weekly'."),
        (
            PlanRequest(arches=("x86_64",), allow_unexercised=("x86_64", "arm64")),
            "--allow-unexercised arm64: ",
        ),
        (PlanRequest(arches=("x86_64",), allow_unexercised=("arm64:*",)), "--allow-unexercised arm64: "),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_named(request_: PlanRequest, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        make_plan(request_)
    assert str(raised.value).startswith(message)


def test_a_known_gap_must_be_of_the_run() -> None:
    plan = make_plan(PlanRequest(arches=("arm64",), allow_unexercised=("arm64",)))
    assert plan.allow_unexercised == ("arm64",)


def test_the_series_brings_its_tree_unless_another_is_asked_for() -> None:
    series = "thp-lazy-pgtable-v3"
    source = make_plan(PlanRequest(series=series)).tree.source
    assert isinstance(source, GitRemote)
    assert source.commit
    assert make_plan(PlanRequest(series=series, tree="debian-6.12")).tree.name == "debian-6.12"
    assert (
        make_plan(PlanRequest(series=series)).series_source == "20260327021403.214713-1-usama.arif@linux.dev"
    )


@pytest.mark.parametrize("revision", ["", "@v6.12"])
def test_a_local_checkout_is_a_tree(tmp_path: Path, revision: str) -> None:
    plan = make_plan(PlanRequest(tree=f"{tmp_path}{revision}"))
    assert plan.tree.source == LocalTree(tmp_path, revision[1:] or "HEAD")
    assert plan.tree.name == tmp_path.name


def test_a_folder_in_the_current_one_comes_before_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "linux").mkdir()
    monkeypatch.chdir(tmp_path)
    plan = make_plan(PlanRequest(tree="linux"))
    assert isinstance(plan.tree.source, LocalTree)
    assert plan.tree.name == "linux"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("url: https://x", "give either debian_package, or url and branch"),
        ("debian_package: linux-source-6.12\nurl: https://x\nbranch: b", "odd.yaml: give either"),
    ],
)  # fmt: skip
def test_a_tree_has_one_source(configs: Path, record: str, message: str) -> None:
    (configs / "trees" / "odd.yaml").write_text(f"name: odd\nabout: Odd\n{record}\n")
    with pytest.raises(UsageError, match=message):
        make_plan(PlanRequest(tree="odd"), (configs,))


def test_a_record_outside_of_the_project_names_its_patches_by_its_own_folder(record: Path) -> None:
    plan = make_plan(PlanRequest(series=str(record)))
    assert plan.series_source == str(record.parent / "patches")
    assert [suite.name for suite in plan.suites] == ["pmd_split"]
    assert plan.tests_asked_for_by == "series 'mine'"
    assert claims(plan.series) == (Claim("thp_split_pmd", "present", "0"),)


def test_a_record_names_its_base_commit(record: Path, tmp_path: Path) -> None:
    """`mm-unstable` is a branch that moves; a series is written for one commit of it."""
    commit = "d" * 40
    tip = find(TreeRecord, "mm-unstable")
    record.write_text(RECORD.replace("tree: debian-6.12", f"tree: mm-unstable\nbase_commit: {commit}"))
    assert tip.url
    assert tip.branch
    assert make_plan(PlanRequest(series=str(record))).tree.source == GitRemote(tip.url, tip.branch, commit)
    asked = make_plan(PlanRequest(series=str(record), tree="mm-unstable"))
    assert asked.tree.source == GitRemote(tip.url, tip.branch, None)
    local = make_plan(PlanRequest(series=str(record), tree=f"{tmp_path}@topic"))
    assert local.tree.source == LocalTree(tmp_path, "topic")


def test_claims_of_the_record_and_of_the_command_line_add_up(record: Path) -> None:
    record.write_text(RECORD + 'claims: ["pswpout: series <= base"]\n')
    plan = make_plan(PlanRequest(series=str(record), claims=("build.warnings: series 0",)))
    assert claims(plan.series) == (
        Claim("thp_split_pmd", "present", "0"),
        Claim("pswpout", "", "<= base"),
        Claim("build.warnings", "", "0"),
    )
    assert all("pswpout" in test.watch for test in planned_tests(plan.suites, claims(plan.series)))


def test_claims_of_the_record_follow_its_tests(record: Path) -> None:
    """A record that asks for more suites than --tests can't be wrong about those that are left out."""
    record.write_text(RECORD + 'claims: ["timing.munmap[median time]: series <= base", "x: series 0"]\n')
    plan = make_plan(PlanRequest(series=str(record), tests=("pmd_split",)))
    assert [claim.counter for claim in claims(plan.series)] == ["thp_split_pmd", "x"]


def test_a_wrong_claim_is_shown_with_its_place(record: Path) -> None:
    with pytest.raises(UsageError) as failure:
        make_plan(PlanRequest(claims=("pswpout: series =< base",)))
    assert str(failure.value).startswith("--claim: expected `base absent`")
    assert str(failure.value).endswith("\n  pswpout: series =< base\n           ^")
    record.write_text(RECORD + 'claims: ["pswpout is low"]\n')
    with pytest.raises(UsageError, match=r"mine\.yaml.*claims") as failure:
        make_plan(PlanRequest(series=str(record)))
    assert "pswpout is low" in str(failure.value)


def test_patches_alone_get_the_tests_that_exist_and_claim_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "my patches v2"
    folder.mkdir()
    plan = make_plan(PlanRequest(series=str(folder)))
    assert plan.series.name == "my-patches-v2"
    assert plan.series_source == str(folder)
    assert plan.tree.name == "debian-6.12"
    assert tuple(suite.name for suite in plan.suites) == DEFAULT_TESTS
    assert not plan.tests_asked_for_by
    assert claims(plan.series) == ()


@pytest.mark.parametrize(
    "source", ["git:master..topic", "20260327-1-a@b.example", "<20260327-1-a@b.example>"]
)
def test_a_range_and_a_message_id_are_left_as_they_are(source: str) -> None:
    plan = make_plan(PlanRequest(series=source))
    assert plan.series_source == source
    assert "/" not in plan.label


def test_a_record_that_asks_for_tests_that_do_not_exist(record: Path) -> None:
    record.write_text(RECORD.replace("[pmd_split]", "[pmd_spilt]"))
    with pytest.raises(UsageError, match=r"unknown test suite 'pmd_spilt'\. Did you mean 'pmd_split'\?"):
        make_plan(PlanRequest(series=str(record)))


def test_tests_on_the_command_line_replace_those_of_the_series(record: Path) -> None:
    plan = make_plan(PlanRequest(series=str(record), tests=("timing", "mm", "timing")))
    assert [suite.name for suite in plan.suites] == ["timing", "mm"]
    assert plan.tests_asked_for_by == "--tests"
    with pytest.raises(UsageError, match="unknown test suite 'nm'"):
        make_plan(PlanRequest(tests=("nm",)))


def test_guests_have_the_memory_that_a_suite_needs() -> None:
    def memory(*tests: str) -> list[int]:
        arches = make_plan(PlanRequest(arches=("x86_64", "powerpc-both"), tests=tests)).arches
        return [arch.qemu.memory_mb for arch in arches]

    usual = find(ArchRecord, "x86_64").qemu.memory_mb
    assert memory("timing")[0] == usual
    assert memory("timing", "mm") == [find(SuiteRecord, "mm").memory_mb] * 3
    (mode,) = make_plan(PlanRequest(arches=("powerpc-both-hash",), tests=("mm",))).arches
    assert mode.kernel_name == "powerpc-both"


def test_a_collection_runs_each_cases_own_program() -> None:
    (mm,) = make_plan(PlanRequest(tests=("mm",))).suites
    argv = {test.name: test.argv for test in planned_tests([mm])}
    assert argv["mm.cow"] == ("/bin/selftest", "/bin/mm/cow")
    assert argv["mm.uffd-stress-anon"][:3] == ("/bin/selftest", "/bin/mm/uffd-stress", "anon")
    programs = {program.name: program for program in mm.programs}
    assert len(programs) == len(mm.programs) < len(mm.cases)
    assert programs["mm/uffd-stress"].tree_sources == (
        "tools/testing/selftests/mm/uffd-stress.c",
        "tools/testing/selftests/mm/uffd-common.c",
        *mm.program.tree_sources,
    )


def test_every_case_is_one_process_with_its_evidence(configs: Path) -> None:
    (configs / "tests" / "mine.yaml").write_text(
        "name: mine\nabout: Mine\nprogram: {name: prog, wrapper: true}\nneeds: [thp]\n"
        "evidence: {thp_split_pmd: 2}\ntimeout_seconds: 7\ncases:\n"
        "  plain: {}\n"
        "  own: {args: [-x, y], evidence: {thp_fault_alloc: 1}, timeout_seconds: 3.5}\n"
        "  none: {evidence: {}}\n"
    )
    plain, own, none = planned_tests(make_plan(PlanRequest(tests=("mine",)), (configs,)).suites)
    assert (plain.name, plain.argv, plain.timeout_seconds) == ("mine.plain", ("/bin/prog",), 7.0)
    assert plain.evidence == (Evidence("thp_split_pmd", 2),)
    assert (own.argv, own.timeout_seconds) == (("/bin/prog", "-x", "y"), 3.5)
    assert own.evidence == (Evidence("thp_fault_alloc", 1),)
    assert none.evidence == ()
    assert {test.needs for test in (plain, own, none)} == {("thp",)}


def test_the_projects_own_plan_has_unique_tests_which_need_evidence_where_a_huge_page_is_split() -> None:
    planned = planned_tests(make_plan(PlanRequest()).suites)
    assert len({test.name for test in planned}) == len(planned) == 60
    assert all(bool(test.evidence) == ("thp" in test.needs) for test in planned)


def test_gaps_come_from_the_records_and_from_the_command_line() -> None:
    plan = make_plan(
        PlanRequest(arches=("s390", "arm64", "x86_64"), allow_unexercised=("arm64", "x86_64:thp_pmd_split.*"))
    )
    *of_records, asked_for = known_gaps(plan)
    s390 = {gap.tests: gap.reason for gap in of_records if gap.arch == "s390"}
    assert "userfaultfd" in s390["*.pagemap_scan"]
    assert asked_for == KnownGap("x86_64", "thp_pmd_split.*", "--allow-unexercised")
    assert wholly_allowed(plan) == ("arm64",)


def test_a_label_is_short_and_fit_for_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    label = make_plan(PlanRequest(arches=("x86_64", "arm64"), series=str(folder))).label
    assert len(label) <= 80
    assert label.startswith("x86_64+arm64-debian-6.12-xxx")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (("powerpc-both",), ["powerpc-both-radix", "powerpc-both-hash"]),
        (("powerpc-both-hash", "arm64"), ["powerpc-both-hash", "arm64"]),
        (("powerpc-both-hash", "powerpc-both"), ["powerpc-both-hash", "powerpc-both-radix"]),
    ],
)
def test_one_kernel_in_two_modes_is_two_architectures(asked: tuple[str, ...], names: list[str]) -> None:
    assert [arch.name for arch in make_plan(PlanRequest(arches=asked)).arches] == names
