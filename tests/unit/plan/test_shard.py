# SPDX-License-Identifier: GPL-2.0-only
"""A plan split among machines: nothing twice, nothing left out, the same everywhere."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.arch import ArchRecord, TypicalTimes
from harness.config.catalogue import load_all
from harness.core.errors import UsageError
from harness.plan.plan import PlanRequest, make_plan
from harness.plan.shard import Shard, seconds, split
from tests.program import Invoke

RECORDS = tuple(arch for record in load_all(ArchRecord).values() for arch in record.in_modes())


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[ArchRecord], int]:
    """Some architectures that take any time, and a number of machines that have enough to do."""
    chosen = draw(st.lists(st.sampled_from(RECORDS), min_size=1, unique_by=lambda arch: arch.name))
    times = st.floats(0.1, 10_000)
    typical = {
        arch.kernel_name: TypicalTimes(build_seconds=draw(times), boot_seconds=draw(times)) for arch in chosen
    }
    timed = []
    for arch in chosen:
        copy = arch.model_copy(update={"typical": typical[arch.kernel_name]})
        copy._mode_of = arch._mode_of
        timed.append(copy)
    return timed, draw(st.integers(1, len(typical)))


def names(arches: list[ArchRecord] | tuple[ArchRecord, ...]) -> list[str]:
    return [arch.name for arch in arches]


@settings(max_examples=25)
@given(plans())
def test_every_architecture_is_in_exactly_one_part(plan: tuple[list[ArchRecord], int]) -> None:
    arches, count = plan
    parts = [names(Shard(number, count).take(arches)) for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names(arches))
    assert all(parts)
    for part in parts:
        assert part == [name for name in names(arches) if name in part]


@settings(max_examples=25)
@given(plans(), st.randoms())
def test_machines_agree_whatever_the_order(plan: tuple[list[ArchRecord], int], chance: Random) -> None:
    arches, count = plan
    shuffled = list(arches)
    chance.shuffle(shuffled)
    wanted = [sorted(names(part)) for part in split(arches, count)]
    assert [sorted(names(part)) for part in split(shuffled, count)] == wanted


@settings(max_examples=25)
@given(plans())
def test_no_part_takes_much_longer_than_its_share(plan: tuple[list[ArchRecord], int]) -> None:
    arches, count = plan
    kernels: dict[str, list[ArchRecord]] = {}
    for arch in arches:
        kernels.setdefault(arch.kernel_name, []).append(arch)
    longest = max(map(seconds, kernels.values()))
    assert max(map(seconds, split(arches, count))) <= seconds(arches) / count + longest + 1e-6


def test_the_default_plan_on_three_machines() -> None:
    parts = [make_plan(PlanRequest(shard=Shard(number, 3))) for number in (1, 2, 3)]
    whole = make_plan(PlanRequest())
    assert sorted(arch.name for part in parts for arch in part.arches) == sorted(
        arch.name for arch in whole.arches
    )
    assert {name for part in parts for name in part.recipes} >= {arch.name for arch in whole.arches}
    times = [seconds(part.arches) for part in parts]
    assert max(times) < 1.5 * min(times)


def test_modes_of_one_kernel_stay_together() -> None:
    request = PlanRequest(arches=("powerpc-both", "x86_64"))
    whole = make_plan(request)
    parts = [names(Shard(number, 2).take(whole.arches)) for number in (1, 2)]
    assert sorted(map(len, parts)) == [1, 2]


def test_a_gap_of_another_part_is_no_mistake() -> None:
    gaps = ("arm64", "x86_64:pmd_split.*")
    parts = [
        make_plan(PlanRequest(arches=("x86_64", "arm64"), allow_unexercised=gaps, shard=Shard(number, 2)))
        for number in (1, 2)
    ]
    assert sorted(gap for part in parts for gap in part.allow_unexercised) == sorted(gaps)
    with pytest.raises(UsageError, match="not an architecture of this run"):
        make_plan(PlanRequest(arches=("x86_64", "arm64"), allow_unexercised=("s390",), shard=Shard(1, 2)))


@pytest.mark.parametrize(
    "text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1 /2", "١/٢", "01/2"]
)
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="is not I/N"):
        Shard.from_text(text)


def test_a_part_with_nothing_to_do_is_refused(invoke: Invoke) -> None:
    for command in ("run", "plan"):
        answer = invoke(command, "--arch", "x86_64", "--arch", "arm64", "--shard", "3/3")
        assert answer.code == 2
        assert "not enough for 3 machines, the plan has 2 architectures" in answer.stderr
        assert invoke(command, "--shard", "x").code == 2
