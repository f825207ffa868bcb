# SPDX-License-Identifier: GPL-2.0-only
"""Profiles: architectures that are built and booted in another way as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.arch import ArchRecord, ProfileRecord, find_mode, find_modes
from harness.config.catalogue import find, load_all
from harness.config.known_failures import FILE, read_known_failures
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.plan import PlanRequest, known_gaps, make_plan


def plan(*profiles: str, arches: tuple[str, ...] = ("x86_64", "arm64")) -> list[ArchRecord]:
    return list(make_plan(PlanRequest(arches=arches, profiles=profiles)).arches)


def test_each_architecture_comes_once_more() -> None:
    names = [arch.name for arch in plan("no-memcg", "kasan")]
    assert names == [
        *("x86_64", "arm64"),
        *("x86_64-no-memcg", "arm64-no-memcg", "x86_64-kasan", "arm64-kasan"),
    ]


def test_a_profile_that_differs_in_the_boot_shares_the_kernel() -> None:
    made = make_plan(PlanRequest(arches=("x86_64",), profiles=("no-memcg",)))
    plain, varied = made.arches
    assert made.recipes[plain.name] == made.recipes[varied.name]
    assert varied.guest.cmdline == (*plain.guest.cmdline, "cgroup_disable=memory")
    assert (varied.kernel_name, varied.plain_name) == ("x86_64", "x86_64")
    assert varied.known_gaps == plain.known_gaps


def test_a_profile_with_a_configuration_has_a_kernel_of_its_own_and_closes_gaps() -> None:
    made = make_plan(PlanRequest(arches=("x86_64", "s390"), profiles=("numa",)))
    assert [arch.name for arch in made.arches] == ["x86_64", "s390", "x86_64-numa"]
    assert "CONFIG_NUMA" not in made.recipes["x86_64"].symbols
    assert made.recipes["x86_64-numa"].symbols["CONFIG_NUMA"] == "y"
    gaps = {(gap.arch, gap.tests) for gap in known_gaps(made)}
    assert ("x86_64", "fault_sweep*.mbind") in gaps
    assert ("x86_64-numa", "fault_sweep*.mbind") not in gaps
    assert ("x86_64-numa", "fault_sweep*.subpage_prot") in gaps


def test_memory_is_the_most_that_profile_and_tests_need() -> None:
    varied = plan("kasan", arches=("s390",))[1]
    assert varied.qemu.memory_mb >= 2048
    assert varied.hercules
    assert varied.hercules.memory_mb == 2048


@pytest.mark.parametrize("name", ["x86_64-numa", "powerpc-hash-no-memcg", "powerpc-both-radix-kasan"])
def test_an_earlier_run_finds_its_architecture_by_the_name(name: str) -> None:
    assert find_mode(name).name == name
    assert [arch.name for arch in find_modes(name)] == [name]


@pytest.mark.parametrize("name", ["x86_64-nume", "arm64-numa", "x86_64-numa-numa", "numa"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown architecture '{name}'"):
        find_mode(name)


def test_what_cannot_be_asked_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--profile numa is for x86_64, and none is chosen"):
        plan("numa", arches=("arm64",))
    with pytest.raises(UsageError, match=r"unknown profile 'nume'. Did you mean 'numa'"):
        plan("nume")
    with pytest.raises(UsageError, match="hosts and labs boot as their records say"):
        make_plan(PlanRequest(host="example", profiles=("kasan",)))


def test_a_plan_names_profiles(tmp_path: Path) -> None:
    record = tmp_path / "mine.yaml"
    text = (CONFIGS / "plans" / "default.yaml").read_text().replace("name: default", "name: mine")
    record.write_text(f"{text}profiles: [numa, no-memcg]\n")
    names = [arch.name for arch in make_plan(PlanRequest(plan=str(record))).arches]
    assert len(names) == 5 + 1 + 5
    assert names[5:7] == ["x86_64-numa", "x86_64-no-memcg"]


def test_a_known_failure_of_an_architecture_is_one_in_its_profiles(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        "failures:\n  - {arch: powerpc-hash, tree: all, test: t.a, reason: a bug, says: BUG, "
        "expires: 2099-01-01}\n"
    )
    arches = (*plan("no-memcg", arches=("powerpc-hash",)), find_mode("powerpc-hash-be"))
    found = read_known_failures("any", arches, (CONFIGS, tmp_path))
    assert {entry.arch for entry in found if entry.tests == "t.a"} == {
        "powerpc-hash",
        "powerpc-hash-no-memcg",
    }


def test_the_shipped_profiles_fit_what_they_name() -> None:
    for profile in load_all(ProfileRecord).values():
        for name in profile.arches:
            arch = find(ArchRecord, name)
            assert set(profile.closes) <= set(arch.known_gaps), profile.name
