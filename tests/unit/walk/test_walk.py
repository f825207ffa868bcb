# SPDX-License-Identifier: GPL-2.0-only
"""What is said of each patch of a walk, and which of them is to blame."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from results.journal.journal import WalkScope
from results.model.walk import Fault, FaultKind, RebuildCheck, Safe, Same, Walk
from tests.samples.sample_walk import mixed_walk, only, states, step_of, walk_of


def walk_x86(
    *words: str,
    kernels: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
    boots: bool = True,
    checks: Sequence[RebuildCheck] = (),
    ended: bool = True,
) -> Walk:
    return walk_of({"x86_64": words}, kernels, numbers, boots, checks, ended)


@pytest.mark.parametrize(
    ("word", "state", "safe", "exit_code"),
    [
        ("ok", "ok", Safe.YES, 0),
        ("broken", "does not build", Safe.NO, 1),
        ("dead", "does not boot", Safe.NO, 1),
        ("one", "regression", Safe.NO, 1),
        ("splat", "new splat", Safe.NO, 1),
        ("warns", "builds with new warnings", Safe.NO, 1),
        ("flaky", "flaky", Safe.UNKNOWN, 3),
        ("gap", "not exercised", Safe.UNKNOWN, 3),
        ("lost", "infrastructure", Safe.UNKNOWN, 3),
        ("unbuilt", "infrastructure", Safe.UNKNOWN, 3),
    ],
)
def test_each_state_and_what_it_comes_to(word: str, state: str, safe: Safe, exit_code: int) -> None:
    walk = walk_x86("ok", word)
    assert states(walk) == ["ok", state]
    assert (walk.rows[1].safe, walk.exit_code) == (safe, exit_code)
    assert walk.safe is safe


def test_a_series_of_which_every_patch_is_fine() -> None:
    walk = walk_x86("ok", "ok", "ok")
    assert walk.headline == "Every one of patches 1 to 2 is safe to bisect on x86_64."
    assert only(walk).first_bad is None
    assert [row.because for row in walk.rows] == ["builds, boots and passes on x86_64"] * 3


def test_a_failure_belongs_to_the_first_patch_that_has_it() -> None:
    walk = walk_x86("ok", "ok", "one", "one", "one two", "ok")
    assert only(walk).first_bad == 2
    assert only(walk).words == "first bad: patch 2 breaks mine.one"
    assert [step.inherited for step in only(walk).steps] == [False, False, False, True, False, False]
    assert [row.safe for row in walk.rows] == [
        Safe.YES, Safe.YES, Safe.NO, Safe.INHERITS, Safe.NO, Safe.YES,
    ]  # fmt: skip
    assert "mine.two fails (2 of 2 runs), passes on base" in walk.rows[4].because
    assert "mine.one" not in walk.rows[4].because, "that is an earlier patch's"
    assert walk.rows[3].because == "x86_64: inherited: patch 2 breaks mine.one"
    assert walk.headline == (
        "Not safe to bisect: patch 2 breaks mine.one on x86_64; patch 4 breaks mine.two on x86_64."
    )


def test_a_failure_that_was_repaired_and_comes_back_is_a_new_one() -> None:
    walk = walk_x86("ok", "one", "ok", "one")
    assert [row.safe for row in walk.rows] == [Safe.YES, Safe.NO, Safe.YES, Safe.NO]


def test_a_failure_lasts_through_a_patch_that_does_not_build() -> None:
    walk = walk_x86("ok", "one", "broken", "one")
    assert [row.safe for row in walk.rows] == [Safe.YES, Safe.NO, Safe.NO, Safe.INHERITS]
    assert [fault.since for fault in step_of(walk, 3).faults] == [1]


@pytest.mark.parametrize("gap", ["broken", "lost", "dead"])
def test_a_failure_first_seen_after_patches_that_could_not_be_tried_has_several_suspects(gap: str) -> None:
    walk = walk_x86("ok", "ok", gap, gap, "one")
    (fault,) = step_of(walk, 4).faults
    assert (fault.since, fault.after) == (4, 1)
    assert fault.culprit == "one of patches 2 to 4"
    assert "introduced by one of patches 2 to 4" in walk.rows[4].because


def test_a_warning_is_known_although_the_kernel_does_not_boot() -> None:
    walk = walk_x86("ok", "dead", "warns")
    (fault,) = step_of(walk, 2).faults
    assert (fault.since, fault.after) == (2, 1)


def test_every_warning_has_its_own_culprit() -> None:
    walk = walk_x86("ok", "warns", "warns warns2", "warns2")
    assert [step.state for step in only(walk).steps][1:] == ["builds with new warnings"] * 3
    assert [[each.file for each in step.new_warnings] for step in only(walk).steps] == [
        [], ["mm/x.c"], ["mm/y.c"], [],
    ]  # fmt: skip
    assert [row.safe for row in walk.rows][1:] == [Safe.NO, Safe.NO, Safe.INHERITS]


def test_its_own_fault_comes_before_a_more_serious_inherited_one() -> None:
    walk = walk_x86("ok", "one", "one warns")
    step = step_of(walk, 2)
    assert (step.state, step.inherited) == ("builds with new warnings", False)
    assert [fault.kind for fault in step.faults] == [FaultKind.TEST, FaultKind.WARNING]


def test_what_fails_on_base_too_is_no_patchs_fault() -> None:
    walk = walk_x86("one", "one", "one two")
    assert states(walk) == ["fails on base too", "fails on base too", "regression"]
    assert [fault.name for fault in step_of(walk, 2).faults] == ["mine.two"]
    assert walk.exit_code == 1


def test_a_base_that_does_not_build_leaves_nothing_to_compare_with() -> None:
    walk = walk_x86("broken", "ok", "one")
    assert walk.exit_code == 3
    assert {row.safe for row in walk.rows} == {Safe.UNKNOWN}


def test_the_same_image_and_the_same_sources() -> None:
    walk = walk_x86("ok", "ok =0", "ok", "ok", "ok =2", kernels=(0, 1, 2, 2, 4))
    same = [(step.same, step.same_as) for step in only(walk).steps]
    assert same == [(None, None), (Same.IMAGE, 0), (None, None), (Same.SOURCES, 2), (Same.IMAGE, 2)]
    assert walk.exit_code == 0
    assert walk.rows[1].because == "the image is the same as that of base on x86_64"
    assert walk.rows[3].because == "no build input of the kernel has changed since patch 2 on x86_64"


def test_a_patch_with_the_sources_of_a_bad_one_inherits() -> None:
    walk = walk_x86("ok", "one", "ok", kernels=(0, 1, 1))
    assert walk.rows[2].safe is Safe.INHERITS


def test_sizes_are_against_the_last_patch_that_was_built() -> None:
    walk = walk_x86("ok", "ok", "broken", "ok")
    assert [step.size and step.size.symbols for step in only(walk).steps] == [None, 1, None, 2]


def test_architectures_are_told_apart_and_together() -> None:
    walk = walk_of({"x86_64": ["ok", "warns", "ok"], "arm64": ["ok", "warns", "one"]})
    assert [column.first_bad for column in walk.columns] == [1, 1]
    assert walk.rows[1].because.startswith("x86_64 and arm64: mm/x.c:3:")
    assert walk.headline == (
        "Not safe to bisect: patch 1 adds a compiler warning on x86_64 and arm64; "
        "patch 2 breaks mine.one on arm64."
    )


def test_a_walk_that_only_builds_says_so_and_proves_no_more() -> None:
    walk = walk_x86("ok", "ok", "ok", boots=False)
    assert states(walk) == ["builds"] * 3
    assert (walk.exit_code, walk.safe) == (0, Safe.UNKNOWN)
    assert walk.headline.endswith("builds without new warnings on x86_64; nothing was booted.")
    assert "nothing was booted" in walk.rows[1].because
    assert walk_x86("ok", "warns", boots=False).exit_code == 1
    assert walk_x86("ok", "lost", boots=False).exit_code == 3


def test_an_unfinished_walk_is_never_safe() -> None:
    walk = walk_x86("ok", "ok", ended=False)
    assert (walk.complete, walk.exit_code, walk.safe) == (False, 3, Safe.UNKNOWN)


def test_a_restricted_walk_names_what_it_walked_and_whom_it_can_suspect() -> None:
    walk = walk_x86("ok", "one", "one warns", numbers=(0, 6, 7))
    assert [row.number for row in walk.rows] == [0, 6, 7]
    assert step_of(walk, 6).faults[0].culprit == "one of patches 1 to 6"
    assert step_of(walk, 7).faults[1].culprit == "patch 7"
    fine = walk_x86("ok", "ok", "ok", "ok", numbers=(0, 2, 3, 7))
    assert fine.headline.startswith("Every one of patches 2 to 3 and 7 is safe")


@pytest.mark.parametrize("ok", [False, None])
def test_a_kernel_that_comes_out_otherwise_from_nothing_leaves_no_verdict(ok: bool | None) -> None:
    check = RebuildCheck("x86_64", 1, ok, "differs from the build from scratch", 5.0, "logs/x")
    walk = walk_x86("ok", "ok", checks=(check,))
    assert walk.exit_code == 3
    assert walk.headline == (
        "No verdict: the kernel of patch 1 on x86_64 differs from the build from scratch."
    )
    assert walk.rows[1].safe is Safe.UNKNOWN


def test_the_words_of_a_run_are_not_those_of_a_patch() -> None:
    words = [step.words for column in mixed_walk().columns for step in column.steps]
    assert not any("the series" in each for each in words)


def test_a_culprit_is_certain_if_the_patch_before_was_tried() -> None:
    assert Fault(FaultKind.TEST, "t", "t", 7, 6).culprit == "patch 7"
    assert Fault(FaultKind.TEST, "t", "t", 7, 4).culprit == "one of patches 5 to 7"


def test_a_seed_draws_the_same_kernels_again_and_only_some_of_them() -> None:
    numbers = tuple(range(20))
    scope = WalkScope(numbers, numbers, True, 3, 42)
    assert scope.drawn("x86_64") == WalkScope(numbers, numbers, True, 3, 42).drawn("x86_64")
    assert len(scope.drawn("x86_64")) == 3
    drawn = {WalkScope(numbers, numbers, True, 3, seed).drawn("x86_64") for seed in range(20)}
    assert len(drawn) > 10
    assert WalkScope((0, 1), (0, 0), True, 5, 1).drawn("x86_64") == (0,), "there is but one kernel"
