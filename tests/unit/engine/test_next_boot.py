# SPDX-License-Identifier: GPL-2.0-only
"""Which boot comes next: a table of what was seen so far, and what it calls for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.engine.next_boot import BOOTS_PER_CELL, FRUITLESS_BOOTS, WASTED_RERUNS, NextBoot, next_boot
from results.model.run import Boot, BootEnd, Cell, CheckerOff, LineRange
from tests.samples.cells import boot, cell, plan, splat

TESTS = ("a", "b", "c")


def seen(words: str, end: BootEnd | None = None, names: str = "a b c") -> Boot:
    return boot(words, end, names.split())


def decide(*boots: Boot) -> tuple[str, str] | None:
    """Return the purpose and the tests of the next boot."""
    return _words(next_boot(plan(*TESTS), cell(*boots)))


def _words(wanted: NextBoot | None) -> tuple[str, str] | None:
    return (wanted.purpose, " ".join(test.name for test in wanted.tests)) if wanted else None


NEVER_REACHED = seen("miss miss miss", BootEnd.PANIC)
MACHINE_BEFORE = seen("miss miss miss", BootEnd.MACHINE)


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        ([], ("first", "a b c")),
        ([seen("pass pass pass")], None),
        ([seen("pass skip idle")], None),
        ([seen("pass silent pass")], None),
        # a failure is seen twice before it is believed
        ([seen("pass fail fail")], ("again", "b c")),
        ([seen("pass fail pass"), seen("fail", names="b")], None),
        ([seen("pass fail pass"), seen("pass", names="b")], None),
        # a guest that died: the rest first, then what killed it once more
        ([seen("pass died miss")], ("remaining", "c")),
        ([seen("fail died miss", BootEnd.HANG)], ("remaining", "c")),
        ([seen("pass died miss"), seen("pass", names="c")], ("again", "b")),
        ([seen("pass died miss"), seen("died", names="c")], ("again", "b c")),
        ([seen("pass pass died")], ("again", "c")),
        ([seen("pass pass died"), seen("died", names="c")], None),
        ([seen("pass pass pass", BootEnd.PANIC)], None),
        # the machine's fault: what it spoiled does not count
        ([seen("pass died miss", BootEnd.MACHINE)], ("remaining", "b c")),
        ([seen("died miss miss", BootEnd.MACHINE)], ("retry", "a b c")),
        ([seen("pass fail miss", BootEnd.MACHINE)], ("remaining", "c")),
        ([MACHINE_BEFORE], ("retry", "a b c")),
        ([NEVER_REACHED], ("retry", "a b c")),
        # boots without a result are tried again, but not for ever
        ([NEVER_REACHED] * (FRUITLESS_BOOTS - 1), ("retry", "a b c")),
        ([NEVER_REACHED] * FRUITLESS_BOOTS, None),
        ([MACHINE_BEFORE] * FRUITLESS_BOOTS, None),
        ([*[MACHINE_BEFORE] * (FRUITLESS_BOOTS - 1), seen("pass pass died")], ("again", "c")),
        ([seen("pass died miss"), *[seen("miss", BootEnd.HANG, "c")] * FRUITLESS_BOOTS], None),
        ([seen("pass fail pass"), *[seen("miss", BootEnd.HANG, "b")] * FRUITLESS_BOOTS], None),
    ],
)
def test_what_comes_next(boots: list[Boot], expected: tuple[str, str] | None) -> None:
    assert decide(*boots) == expected


def reported(boot: Boot, *tests: str | None, line: int = 5) -> Boot:
    found = (replace(splat(f"warning | {test}"), test=test, lines=LineRange(line, line)) for test in tests)
    return replace(boot, splats=tuple(found))


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        # a report of the kernel is seen twice before it is believed, in the test in which it came
        ([reported(seen("pass pass pass"), "b")], ("again", "b")),
        ([reported(seen("pass pass fail"), "b")], ("again", "b c")),
        ([reported(seen("pass pass pass"), "b"), seen("pass", names="b")], None),
        ([reported(seen("pass pass pass"), "b"), reported(seen("pass", names="b"), "b")], None),
        # before the first test: any test will do; after the last: all may have to do with it
        ([reported(seen("pass pass pass"), None)], ("again", "a")),
        ([reported(seen("pass pass pass"), None), seen("pass", names="a")], None),
        ([reported(seen("pass pass pass"), None, line=99)], ("again", "a b c")),
        # the machine's fault
        (
            [reported(seen("pass pass pass"), "b"), *[seen("miss", BootEnd.MACHINE, "b")] * WASTED_RERUNS],
            None,
        ),
    ],
)
def test_a_report_of_the_kernel_is_booted_again(boots: list[Boot], expected: tuple[str, str] | None) -> None:
    assert decide(*boots) == expected


def unchecked(boot: Boot, line: int) -> Boot:
    """A boot in which lockdep is off from a line on; tests begin in lines 10, 20 and 30."""
    return replace(boot, checkers_off=(CheckerOff("lockdep", line),))


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        ([unchecked(seen("pass pass pass"), 15)], ("again", "b c")),
        ([unchecked(seen("pass pass pass"), 39)], None),
        ([unchecked(seen("pass pass pass"), 15), seen("pass pass", names="b c")], None),
        # first what reported, alone: it would switch the checker off again
        ([unchecked(reported(seen("pass pass pass"), "b"), 25)], ("again", "b")),
        (
            [
                unchecked(reported(seen("pass pass pass"), "b"), 25),
                unchecked(reported(seen("pass", names="b"), "b"), 15),
            ],
            ("again", "c"),
        ),
        # what switches the checker off comes before every test
        ([unchecked(seen("pass pass pass"), 5), unchecked(seen("pass pass pass"), 5)], None),
        ([unchecked(seen("pass pass pass"), 15), unchecked(seen("pass pass", names="b c"), 15)], None),
    ],
)
def test_what_ran_without_a_checker_is_booted_again(
    boots: list[Boot], expected: tuple[str, str] | None
) -> None:
    assert decide(*boots) == expected


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        ([], ("first", "a c")),
        ([seen("pass pass", names="a c")], ("remaining", "b d")),
        ([seen("pass died", names="a c")], ("remaining", "b d")),
        ([seen("died miss", names="a c")], ("remaining", "c")),
        ([seen("pass pass", names="a c"), seen("died miss", names="b d")], ("remaining", "d")),
        ([seen("pass fail", names="a c"), seen("fail pass", names="b d")], ("again", "c")),
        (
            [seen("pass fail", names="a c"), seen("fail pass", names="b d"), seen("fail", names="c")],
            ("again", "b"),
        ),
        ([seen("pass pass", names="a c"), seen("pass pass", names="b d")], None),
    ],
)
def test_nothing_of_ours_runs_in_a_boot_with_programs_of_the_tree(
    boots: list[Boot], expected: tuple[str, str] | None
) -> None:
    planned = [replace(test, of_tree=test.name in "bd") for test in plan(*"abcd")]
    assert _words(next_boot(planned, cell(*boots))) == expected


def test_a_plan_with_programs_of_the_tree_only_starts_with_them() -> None:
    planned = tuple(replace(test, of_tree=True) for test in plan(*"ab"))
    assert next_boot(planned, cell()) == NextBoot("first", planned)


def test_nothing_planned_needs_no_boot() -> None:
    assert next_boot((), Cell("x86_64", "base")) is None


def test_a_kernel_that_dies_in_every_test_has_each_of_them_tried_twice() -> None:
    names = tuple("abcd")
    boots: list[Boot] = []
    while wanted := next_boot(plan(*names), cell(*boots)):
        dying = [test.name for test in wanted.tests]
        boots.append(boot(["died", *["miss"] * (len(dying) - 1)], names=dying))
    tried = [result.name for each in boots for result in each.tests if result.lines]
    assert sorted(tried) == sorted(names * 2)


def test_boots_of_one_kernel_are_bounded() -> None:
    names = tuple(f"t{number}" for number in range(BOOTS_PER_CELL * 2))
    boots: list[Boot] = []
    while wanted := next_boot(plan(*names), cell(*boots)):
        dying = [test.name for test in wanted.tests]
        boots.append(boot(["died", *["miss"] * (len(dying) - 1)], names=dying))
    assert len(boots) == BOOTS_PER_CELL


def test_rerunning_ends_when_every_rerun_comes_back_damaged() -> None:
    boots = [seen("pass fail pass")]
    while wanted := next_boot(plan(*TESTS), cell(*boots)):
        assert wanted.purpose == "again"
        boots.append(boot("damaged", names=["b"], number=2))
        assert len(boots) < BOOTS_PER_CELL, "it never gives up"
    assert len(boots) == 1 + WASTED_RERUNS
