# SPDX-License-Identifier: GPL-2.0-only
"""Records are refused with file, line and reason; the shipped ones are all right."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.arch import ArchRecord, BuildRecord, find_build
from harness.config.catalogue import find, load, load_all
from harness.config.host import HostRecord
from harness.config.lab import LabRecord
from harness.config.neighbourhood import Neighbourhood
from harness.config.record import NamedRecord
from harness.config.series import PlanRecord, SeriesRecord, TreeRecord
from harness.config.suite import SuiteRecord
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS

GOOD = """\
name: mine
title: "mm: something"
source: ./patches
tree: debian-6.12
tests: [pmd_split]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "model",
    [ArchRecord, BuildRecord, TreeRecord, SeriesRecord, SuiteRecord, PlanRecord, HostRecord, LabRecord],
)
def test_every_shipped_record_loads(model: type[NamedRecord]) -> None:
    assert load_all(model, (CONFIGS,))


def test_architectures_that_only_compile_are_not_booted() -> None:
    assert not set(load_all(BuildRecord)) & set(load_all(ArchRecord))
    assert find_build("i386").kernel.defconfig == "i386_defconfig"
    assert isinstance(find_build("x86_64"), ArchRecord)
    with pytest.raises(UsageError, match="Did you mean 'm68k'"):
        find_build("m86k")


def test_the_neighbourhood_has_each_name_once() -> None:
    names = [each.name for each in load(CONFIGS / "neighbourhood.yaml", Neighbourhood).configurations]
    assert len(names) == len(set(names)) > 10


def test_shipped_records_refer_only_to_each_other() -> None:
    for plan in load_all(PlanRecord).values():
        series = find(SeriesRecord, plan.series)
        assert {find(ArchRecord, name).name for name in plan.arches} == set(plan.arches)
        assert find(TreeRecord, series.tree)
        assert all(find(SuiteRecord, name).cases for name in series.tests)


def test_every_fragment_of_every_architecture_exists() -> None:
    for arch in load_all(ArchRecord).values():
        for fragment in (*arch.kernel.fragments, *arch.kernel.diet):
            assert (CONFIGS / "kconfig" / f"{fragment}.config").is_file(), (arch.name, fragment)


SUITE = """\
name: mine
about: Mine
program: {name: mine, tree_sources: [b.c]}
evidence: {}
cases:
  one: {sources: [a.c]}
"""


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("  two: {}", r":5: cases: .*two has no sources, others have"),
        ("  two: {sources: [c.c], says: 'ok)'}", r":7: cases\.two\.says: .*not a regular expression: unbal"),
    ],
)
def test_a_collection_is_whole_and_its_patterns_are_patterns(
    tmp_path: Path, more: str, complaint: str
) -> None:
    assert load(write(tmp_path, SUITE), SuiteRecord).is_collection
    with pytest.raises(UsageError, match=complaint):
        load(write(tmp_path, f"{SUITE}{more}\n"), SuiteRecord)


def test_cases_with_one_source_must_agree_how_it_is_compiled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mine\.yaml:1: .*program mine/a is compiled in two ways"):
        load(write(tmp_path, f"{SUITE}  two: {{sources: [a.c], flags: [-g]}}\n"), SuiteRecord)


def test_a_good_record(tmp_path: Path) -> None:
    record = load(write(tmp_path, GOOD), SeriesRecord)
    assert record.tests == ("pmd_split",)
    assert record.stand_in is False


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (GOOD + "stand_inn: true\n", 6, "stand_inn: unknown key"),
        (GOOD + "tree: other\n", 6, "duplicate key 'tree' (first defined on line 4)"),
        (GOOD + "[tree]: other\n", 6, "a key must be a plain word"),
        (GOOD.replace("./patches", "[a, b]"), 3, "source: must be text"),
        (GOOD.replace("./patches", "6.10"), 3, "source: must be text, not 6.1; write it in quotes"),
        (GOOD.replace("[pmd_split]", "pmd_split"), 5, "tests: "),
        (GOOD.replace("[pmd_split]", "[pmd_split"), 6, "expected ',' or ']'"),
        (GOOD + "stand_in: yes\n", 6, "stand_in: "),
        (GOOD + "counters:\n  thp_split_pmd: {base: absent, series: maybe}\n", 7, "series: "),
        (GOOD.replace("title: ", "tytle: "), 2, "tytle: unknown key"),
        ("- just\n- a list\n", 1, "must be a mapping"),
        ("", 1, "must be a mapping"),
        ("name: [unclosed\n", 2, ""),
    ],
)
def test_a_wrong_record_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, complaint: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path, SeriesRecord)
    assert f"{path}:{line}:" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mine\.yaml:1: tree: this key is missing"):
        load(write(tmp_path, GOOD.replace("tree: debian-6.12\n", "")), SeriesRecord)


def test_words_that_yaml_1_1_takes_for_booleans_and_times_stay_text(tmp_path: Path) -> None:
    record = load(
        write(tmp_path, GOOD.replace("./patches", "no").replace("debian-6.12", "1:30")), SeriesRecord
    )
    assert (record.source, record.tree) == ("no", "1:30")


def test_a_record_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(path, SeriesRecord)


def test_a_record_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yaml", SeriesRecord)


def test_an_unknown_name_tells_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match=r"unknown architecture 'x86-64'\. Did you mean 'x86_64'") as caught:
        find(ArchRecord, "x86-64")
    assert "arm64" in caught.value.hint


def test_a_record_must_be_named_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "other.yaml").write_text(GOOD)
    with pytest.raises(UsageError, match="name 'mine' must be the file's name, 'other'"):
        load_all(SeriesRecord, (tmp_path,))


def test_the_modes_of_a_record_share_its_kernel_and_differ_in_the_command_line() -> None:
    radix, hash_ = find(ArchRecord, "powerpc-both").in_modes()
    assert (radix.name, hash_.name) == ("powerpc-both-radix", "powerpc-both-hash")
    assert radix.kernel_name == hash_.kernel_name == "powerpc-both"
    assert radix.kernel == hash_.kernel
    assert set(hash_.guest.cmdline) - set(radix.guest.cmdline) == {"disable_radix"}
    assert (radix.in_modes(), radix.modes) == ((radix,), {})


def test_a_record_without_modes_is_its_own_only_one() -> None:
    arch = find(ArchRecord, "arm64")
    assert arch.in_modes() == (arch,)
    assert arch.kernel_name == "arm64"


def test_an_architecture_record_that_lacks_a_key_is_refused_by_name(tmp_path: Path) -> None:
    text = (CONFIGS / "arches" / "riscv64.yaml").read_text()
    path = tmp_path / "riscv64.yaml"
    path.write_text(text.replace("  target: Image\n", ""))
    with pytest.raises(UsageError, match=r"riscv64\.yaml:\d+: kernel\.target: this key is missing"):
        load(path, ArchRecord)
