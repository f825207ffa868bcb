# SPDX-License-Identifier: GPL-2.0-only
"""Known failures: what the list may say, and what it changes in a verdict."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.config.arch import ArchRecord
from harness.config.catalogue import load_all
from harness.config.known_failures import FILE, read_known_failures
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.plan import PlanRequest, make_plan
from results.compare.compare import compare_arch
from results.compare.verdict import run_verdict
from results.model.run import ArchComparison, Cell, KnownFailure, Status, Verdict
from tests.samples.cells import boot, cell, plan

ENTRY = {
    "test": "mm.ksm*",
    "arch": "x86_64",
    "tree": "debian-6.12",
    "reason": "KSM is broken there",
    "expires": "2027-03-31",
    "says": "data lost",
}
DAY = "2027-03-31"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of the project's records, to be changed."""
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))


def write(configs: Path, **changes: str | None) -> Path:
    lines = [f"{key}: {value}" for key, value in {**ENTRY, **changes}.items() if value is not None]
    (configs / FILE).write_text("failures:\n  - " + "\n    ".join(lines) + "\n")
    return configs


def known(configs: Path, *arches: str, tree: str = "debian-6.12") -> list[tuple[str, str]]:
    found = make_plan(PlanRequest(arches=arches, tree=tree), (configs,)).known_failures
    return [(entry.arch, entry.tests) for entry in found]


def test_the_shipped_list_loads() -> None:
    arches = tuple(load_all(ArchRecord).values())
    found = read_known_failures("debian-6.12", arches, (CONFIGS,))
    assert {entry.arch for entry in found} <= {arch.name for arch in arches}
    assert all(entry.tests.startswith(("mm.", "fault_sweep_lasting.")) for entry in found)


def test_an_entry_is_for_one_architecture_and_one_tree(configs: Path) -> None:
    write(configs)
    assert known(configs, "x86_64", "arm64") == [("x86_64", "mm.ksm*")]
    assert known(configs, "arm64") == known(configs, "x86_64", tree="mm-unstable") == []


def test_an_entry_for_all(configs: Path) -> None:
    write(configs, arch="all", tree="all")
    assert known(configs, "x86_64", "arm64", tree="mm-unstable") == [
        ("x86_64", "mm.ksm*"),
        ("arm64", "mm.ksm*"),
    ]


def test_an_entry_for_an_architecture_is_for_its_modes(configs: Path) -> None:
    both = [("powerpc-both-radix", "mm.ksm*"), ("powerpc-both-hash", "mm.ksm*")]
    assert known(write(configs, arch="powerpc-both"), "powerpc-both") == both
    assert known(write(configs, arch="powerpc-both-hash"), "powerpc-both") == both[1:]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"reason": None}, r":2: failures\.0\.reason: this key is missing"),
        ({"reason": '" "'}, r":5: failures\.0\.reason: "),
        ({"expires": None}, r":2: failures\.0\.expires: this key is missing"),
        ({"expires": "2027-02-30"}, r":6: failures\.0\.expires: .*day"),
        ({"expires": "31.03.2027"}, r":6: failures\.0\.expires: .*must be a date like 2027-03-31"),
        ({"expires": "20270331"}, r":6: failures\.0\.expires: must be text"),
        ({"expires": '"20270331"'}, r":6: failures\.0\.expires: .*must be a date like"),
        (
            {"arch": "x86-64"},
            r": entry 1 \(mm\.ksm\*\): unknown architecture 'x86-64'\. Did you mean 'x86_64'\?",
        ),
        ({"tree": "debian"}, r": entry 1 \(mm\.ksm\*\): unknown tree 'debian'"),
        ({"test": '""'}, r":2: failures\.0\.test: "),
        ({"says": None}, r":2: failures\.0: .*needs `subtests` .* or `says`"),
        ({"says": '"(("'}, r":2: failures\.0: .*says: no regular expression"),
        ({"until": "never"}, r":8: failures\.0\.until: unknown key"),
    ],
)
def test_a_wrong_entry_is_refused_by_file_and_line(
    configs: Path, changes: dict[str, str | None], complaint: str
) -> None:
    write(configs, **changes)
    with pytest.raises(UsageError, match=FILE + complaint):
        known(configs, "arm64")


def compared(
    base: str, series: str, pattern: str = "t*", day: str = DAY, expires: str = DAY
) -> ArchComparison:
    entries = (KnownFailure("x86_64", pattern, "KSM is broken there", expires, says="data lost"),)
    return compare_arch("x86_64", plan("t", "other"), two(base), two(series), (), False, (), entries, day)


def two(words: str) -> Cell:
    """Every failure is seen twice."""
    names = ["t", "other"]
    failing = [name for word, name in zip(words.split(), names, strict=True) if word == "fail"]
    again = [boot(["fail"] * len(failing), names=failing, number=2)] if failing else []
    return cell(boot(words, names=names), *again)


def test_a_known_failure_is_shown_and_does_not_make_the_run_fail() -> None:
    found = compared("fail pass", "fail pass")
    test = found.tests[0]
    assert (test.base.status, test.verdict) == (Status.FAIL, Verdict.FAILS_ON_BOTH)
    assert [each.known_failure for each in found.tests] == ["KSM is broken there", ""]
    assert found.reasons == ("1 of 2 tests exercised and passing on both kernels, 1 known failure",)
    verdict = run_verdict([found])
    assert verdict.exit_code == 0
    assert verdict.headline.endswith("known failures on x86_64.")


@pytest.mark.parametrize(
    ("base", "series", "code"),
    [
        ("pass pass", "fail pass", 1),  # the series made it fail
        ("skip pass", "fail pass", 3),
        ("fail fail", "fail fail", 3),  # the other test is no known failure
        ("fail pass", "skip pass", 3),
    ],
)
def test_a_known_failure_excuses_nothing_else(base: str, series: str, code: int) -> None:
    found = compared(base, series)
    assert not any(test.known_failure for test in found.tests if test.name == "other")
    assert run_verdict([found]).exit_code == code


def test_a_failure_that_comes_and_goes_may_be_known() -> None:
    flaky = cell(boot("fail pass", names=["t", "other"]), boot(["pass"], number=2))
    entries = (KnownFailure("x86_64", "t", "a race in the test", DAY, says="data lost"),)
    found = compare_arch("x86_64", plan("t", "other"), two("pass pass"), flaky, (), False, (), entries, DAY)
    assert (found.tests[0].verdict, found.tests[0].known_failure) == (Verdict.FLAKY, "a race in the test")
    assert run_verdict([found]).exit_code == 0


def test_a_known_failure_that_passes_is_said() -> None:
    found = compared("pass pass", "pass pass")
    assert found.notes == ("known failure t* passes now, remove the entry: KSM is broken there",)
    assert run_verdict([found]).exit_code == 0


def test_an_entry_about_several_tests_is_right_as_long_as_one_fails() -> None:
    assert compared("fail pass", "fail pass", pattern="*").notes == ()


def test_nothing_is_said_of_a_test_that_was_not_exercised() -> None:
    assert compared("skip pass", "skip pass").notes == ()


def test_an_expired_entry_counts_no_more_and_is_said() -> None:
    found = compared("fail pass", "fail pass", expires="2027-03-30")
    assert found.verdict is Verdict.FAILS_ON_BOTH
    assert found.notes == ("known failure t* expired on 2027-03-30 and does not count: KSM is broken there",)
    assert run_verdict([found]).exit_code == 3


def test_nothing_but_known_failures_is_not_green() -> None:
    found = compared("fail fail", "fail fail", pattern="*")
    assert found.reasons == ("every test is a known gap or a known failure",)
    assert run_verdict([found]).exit_code == 3
