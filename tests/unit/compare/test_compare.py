# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.compare.claims.judge import Measured, compare_claims
from results.compare.compare import compare_arch, compare_test
from results.compare.splats import compare_splats
from results.compare.tally import failing_again, tally
from results.compare.verdict import run_verdict
from results.model.run import (
    ArchComparison,
    Boot,
    BootEnd,
    Build,
    Cell,
    CheckerOff,
    Claim,
    CompilerWarning,
    CounterChange,
    KnownGap,
    LineRange,
    Status,
    TestComparison,
    Verdict,
)
from tests.samples.cells import NO_THP, boot, build, cell, plan, runs, splat

(TEST,) = plan("t")
MACHINE = BootEnd.MACHINE


def compare(
    base: Cell, series: Cell, allowed: bool = False, claims: tuple[Claim, ...] = ()
) -> ArchComparison:
    return compare_arch("x86_64", [TEST], base, series, claims, allowed)


@pytest.mark.parametrize(
    ("words", "status", "exercised", "reason", "count", "failures"),
    [
        (["pass"], "PASS", True, "", 1, 0),
        (
            ["idle"],
            "PASS",
            False,
            "passed without evidence: thp_split_pmd rose by 0, at least 1 was expected",
            1,
            0,
        ),
        (["skip"], "SKIP", False, "skipped: no THP", 1, 0),
        (["silent"], "MISS", False, "printed no result", 1, 0),
        (["fail"], "FAIL", True, "data lost", 1, 1),
        (["fail", "fail"], "FAIL", True, "data lost", 2, 2),
        (["fail", "pass"], "FAIL", True, "data lost", 2, 1),
        (["died"], "ERROR", True, "the guest died in this test", 1, 1),
        (["died", "pass"], "ERROR", True, "the guest died in this test", 2, 1),
        (["damaged"], "ERROR", False, "would be PASS, but a line is lost", 0, 0),
        (["damaged", "pass"], "PASS", True, "", 1, 0),
        (["miss", "pass"], "PASS", True, "", 1, 0),
        (["miss"], "MISS", False, "never started: done", 0, 0),
        ([], "MISS", False, "there was no boot", 0, 0),
    ],
)
def test_tally(
    words: list[str], status: str, exercised: bool, reason: str, count: int, failures: int
) -> None:
    sums = tally(TEST, runs(*words))
    assert (sums.status.value, sums.exercised, sums.reason) == (status, exercised, reason)
    assert (sums.runs, sums.failures) == (count, failures)


def test_tally_points_at_the_run_that_decided() -> None:
    sums = tally(TEST, runs("pass", "fail"))
    assert sums.boot == "x86_64-v-2"
    assert sums.lines is not None
    assert sums.counters == {"thp_split_pmd": CounterChange(10, 11)}


@pytest.mark.parametrize(
    ("base", "series", "verdict", "reason"),
    [
        (["pass"], ["pass"], Verdict.UNCHANGED, ""),
        (["pass"], ["fail", "fail"], Verdict.REGRESSION, "(2 of 2 runs), passes on base: data lost"),
        (["pass"], ["died", "died"], Verdict.REGRESSION, "fails with the series (2 of 2 runs)"),
        (["pass"], ["died", "fail"], Verdict.REGRESSION, "fails with the series (2 of 2 runs)"),
        (["pass"], ["fail", "damaged", "fail"], Verdict.REGRESSION, "(2 of 2 runs)"),
        (["pass"], ["fail"], Verdict.FLAKY, "failed 1 of 1 run with the series, not run again, passes"),
        (["pass"], ["fail", "pass"], Verdict.FLAKY, "failed 1 of 2 runs with the series, passes on base"),
        (["pass"], ["fail", "fail", "pass"], Verdict.FLAKY, "failed 2 of 3 runs with the series"),
        (["pass"], ["fail", "damaged"], Verdict.FLAKY, "failed 1 of 1 run with the series, not run again"),
        (["pass"], ["fail", "idle"], Verdict.FLAKY, "failed 1 of 2 runs with the series"),
        (["fail"], ["fail"], Verdict.FAILS_ON_BOTH, "fails on both kernels: data lost"),
        (["fail", "fail"], ["fail", "fail"], Verdict.FAILS_ON_BOTH, "fails on both kernels"),
        (
            ["fail", "pass"], ["fail", "fail"], Verdict.FLAKY,
            "2 of 2 runs with the series and 1 of 2 runs on base",
        ),
        (
            ["fail", "fail"], ["fail", "pass"], Verdict.FLAKY,
            "1 of 2 runs with the series and 2 of 2 runs on base",
        ),
        (["fail", "fail"], ["pass"], Verdict.FIXED, "fails on base (2 of 2 runs), passes with the series"),
        (["fail", "pass"], ["pass"], Verdict.FLAKY, "failed 1 of 2 runs on base, passes with the series"),
        (
            ["fail", "fail"], ["idle"], Verdict.NOT_EXERCISED,
            "not exercised with the series: passed without evidence",
        ),
        (
            ["idle"], ["idle"], Verdict.NOT_EXERCISED,
            "not exercised on either kernel: passed without evidence",
        ),
        (["idle"], ["pass"], Verdict.NOT_EXERCISED, "not exercised on base: passed without evidence"),
        (["pass"], ["idle"], Verdict.NOT_EXERCISED, "exercised and passing on base"),
        (["pass"], ["skip"], Verdict.NOT_EXERCISED, "not exercised with the series: skipped: no THP"),
        (
            ["skip"], ["silent"], Verdict.NOT_EXERCISED,
            "on base: skipped: no THP; with the series: printed no result",
        ),
        (["skip"], ["fail", "fail"], Verdict.NOT_EXERCISED, "base did not exercise it (skipped: no THP)"),
        (
            ["idle"], ["died", "died"], Verdict.NOT_EXERCISED,
            "failure with the series (2 of 2 runs) is not counted as a regression",
        ),
        (
            ["damaged"], ["pass"], Verdict.INFRASTRUCTURE,
            "no result on base: would be PASS, but a line is lost",
        ),
        (["pass"], ["damaged"], Verdict.INFRASTRUCTURE, "no result with the series"),
        (["damaged"], ["fail", "fail"], Verdict.INFRASTRUCTURE, "no result on base"),
        (["damaged", "pass"], ["pass"], Verdict.UNCHANGED, ""),
    ],
)  # fmt: skip
def test_verdict_of_a_test(base: list[str], series: list[str], verdict: Verdict, reason: str) -> None:
    comparison = compare_test(TEST, runs(*base), runs(*series))
    assert comparison.verdict is verdict
    assert reason in comparison.reason
    assert bool(reason) == bool(comparison.reason)


@pytest.mark.parametrize("end", [BootEnd.PANIC, BootEnd.HANG, BootEnd.REBOOT, BootEnd.FLOOD, BootEnd.TIMEOUT])
def test_guest_that_dies_in_a_test_twice_is_a_regression(end: BootEnd) -> None:
    series = cell(boot("died", end), boot("died", end, number=2))
    assert compare(runs("pass"), series).verdict is Verdict.REGRESSION


def test_machine_that_fails_in_a_test_is_infrastructure() -> None:
    series = cell(boot("died", MACHINE), boot("died", MACHINE, number=2))
    assert compare(runs("pass"), series).verdict is Verdict.INFRASTRUCTURE
    assert compare(series, runs("pass")).verdict is Verdict.INFRASTRUCTURE


def test_missing_result_in_a_boot_whose_machine_failed_is_infrastructure() -> None:
    assert compare(runs("pass"), cell(boot("silent", MACHINE))).verdict is Verdict.INFRASTRUCTURE


@pytest.mark.parametrize("end", [MACHINE, BootEnd.TIMEOUT])
def test_boot_that_the_infrastructure_spoiled_is_made_good_by_another(end: BootEnd) -> None:
    series = cell(boot("miss", end), boot("miss", end), boot("pass", number=3))
    assert compare(runs("pass"), series).verdict is Verdict.UNCHANGED


def test_machine_that_fails_is_made_good_by_another_boot() -> None:
    series = cell(boot("died", MACHINE), boot("pass", number=2))
    assert compare(runs("pass"), series).verdict is Verdict.UNCHANGED


def test_tests_behind_the_one_that_killed_the_guest_are_made_good() -> None:
    names = ("a", "b", "c")
    base = cell(boot("pass pass pass", names=names))
    series = cell(
        boot("pass died miss", names=names),
        boot("pass", names=("c",), number=2),
        boot("died", names=("b",), number=3),
    )
    verdicts = [compare_test(test, base, series).verdict for test in plan(*names)]
    assert verdicts == [Verdict.UNCHANGED, Verdict.REGRESSION, Verdict.UNCHANGED]


def test_lost_end_line_of_a_test_is_not_held_against_the_kernel_that_died_later() -> None:
    """The guest went on to another test, so it can't have died in the first."""
    names = ("a", "b")
    series = cell(boot("died died", names=names))
    first, second = (tally(test, series) for test in plan(*names))
    assert (first.status, first.failures) == (Status.ERROR, 0)
    assert (second.status, second.failures) == (Status.ERROR, 1)


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["fail"], True),
        (["died"], True),
        (["pass"], False),
        (["skip"], False),
        (["silent"], False),
        (["damaged"], False),
        (["fail", "fail"], False),
        (["fail", "pass"], False),
        (["fail", "miss"], True),
        (["fail", "damaged"], True),
        ([], False),
    ],
)
def test_failing_again(words: list[str], again: bool) -> None:
    assert failing_again([TEST], runs(*words)) == ((TEST,) if again else ())


def test_unsupported_on_both() -> None:
    lacking = cell(boot("skip", capabilities=NO_THP))
    comparison = compare_test(TEST, lacking, lacking)
    assert (comparison.verdict, comparison.reason) == (Verdict.UNSUPPORTED, "no EDAT-1")


@pytest.mark.parametrize(
    ("base", "series", "verdict"),
    [
        ("skip", "fail", Verdict.NOT_EXERCISED),
        ("fail", "fail", Verdict.FAILS_ON_BOTH),
        ("pass", "pass", Verdict.UNCHANGED),
        ("pass", "skip", Verdict.NOT_EXERCISED),
    ],
)
def test_results_that_contradict_the_probe_are_not_hidden(base: str, series: str, verdict: Verdict) -> None:
    before, after = (cell(boot([word], capabilities=NO_THP)) for word in (base, series))
    assert compare_test(TEST, before, after).verdict is verdict


def test_support_that_only_one_kernel_has() -> None:
    comparison = compare_test(TEST, runs("pass"), cell(boot("skip", capabilities=NO_THP)))
    assert comparison.verdict is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(
    ("base", "series", "verdict"),
    [
        (["a"], ["a"], {"a": Verdict.UNCHANGED}),
        ([], ["a"], {"a": Verdict.REGRESSION}),
        (["a"], [], {"a": Verdict.FIXED}),
        (["a"], ["b"], {"a": Verdict.FIXED, "b": Verdict.REGRESSION}),
        ([], [], {}),
    ],
)
def test_splats(base: list[str], series: list[str], verdict: dict[str, Verdict]) -> None:
    cells = [
        cell(*(boot("pass", splats=[splat(sign) for sign in signs], number=number) for number in (1, 2)))
        for signs in (base, series)
    ]
    assert {found.signature: found.verdict for found in compare_splats(*cells)} == verdict


def test_splat_of_one_kernel_only_is_a_regression_even_if_every_test_passed() -> None:
    arch = compare(runs("pass"), cell(*(boot("pass", splats=[splat()], number=number) for number in (1, 2))))
    assert arch.verdict is Verdict.REGRESSION
    assert arch.reasons[0] == "the kernel reports WARNING of warning | f (only with the series)"
    assert arch.tests[0].verdict is Verdict.UNCHANGED


def test_splat_of_a_single_boot_is_not_sure_yet() -> None:
    arch = compare(runs("pass"), cell(boot("pass", splats=[splat()])))
    assert arch.verdict is Verdict.FLAKY
    assert arch.reasons[0] == (
        "the kernel reports WARNING of warning | f "
        "(seen in 1 of 1 boots with the series, not booted again, never on base)"
    )


def test_splat_that_did_not_come_again() -> None:
    series = cell(boot("pass", splats=[splat()]), boot("pass", number=2))
    (found,) = compare_splats(runs("pass"), series)
    assert found.verdict is Verdict.FLAKY
    assert found.reason == "seen in 1 of 2 boots with the series, never on base"


def test_splat_is_booted_again_in_its_test() -> None:
    """A boot that did not run the test is no chance that it did not take."""
    seen = replace(splat(), test="a")
    series = cell(
        boot("pass pass", names="ab", splats=[seen]),
        boot("pass", names="b", number=2),
        boot("pass", names="a", splats=[seen], number=3),
    )
    (found,) = compare_splats(cell(boot("pass pass", names="ab")), series)
    assert found.verdict is Verdict.REGRESSION


def test_what_the_hardware_reports_is_no_fault_of_the_kernel() -> None:
    broken = replace(splat(), kind="hardware-error")
    (found,) = compare_splats(runs("pass"), cell(boot("pass", splats=[broken])))
    assert found.verdict is Verdict.INFRASTRUCTURE


def kasan(number: int = 1) -> Boot:
    """A boot of three tests, KASAN reporting in the second and off from then on."""
    report = replace(splat("kasan | f"), kind="kasan", test="b", lines=LineRange(20, 29))
    off = (CheckerOff("KASAN", 29),)
    return replace(boot("pass pass pass", names="abc", splats=[report], number=number), checkers_off=off)


def test_the_same_report_on_both_kernels_hides_nothing_that_came_after_it() -> None:
    arch = compare_arch("x86_64", plan("a", "b", "c"), cell(kasan()), cell(kasan()), (), False)
    assert arch.splats[0].verdict is Verdict.UNCHANGED
    assert arch.verdict is Verdict.NOT_EXERCISED
    said = "KASAN was off afterwards on both kernels: nothing after it was checked (c)"
    assert said in arch.reasons


def test_a_checker_that_was_on_in_another_boot() -> None:
    both = cell(kasan(), boot("pass", names="c", number=2))
    arch = compare_arch("x86_64", plan("a", "b", "c"), both, both, (), False)
    assert not any("KASAN" in reason for reason in arch.reasons)


def test_a_report_is_not_missing_on_a_kernel_whose_checker_was_off() -> None:
    later = replace(splat("kasan | g"), kind="kasan", test="c", lines=LineRange(30, 39))
    series = cell(*(boot("pass pass pass", names="abc", splats=[later], number=n) for n in (1, 2)))
    found = {each.signature: each for each in compare_splats(cell(kasan()), series)}
    assert found["kasan | g"].verdict is Verdict.NOT_EXERCISED
    assert found["kasan | g"].reason == "KASAN was off on base before it could report this"


def test_an_incomplete_log_proves_no_absence() -> None:
    lost = replace(boot("pass"), log_incomplete="the kernel dropped 5 messages")
    series = cell(*(boot("pass", splats=[splat()], number=number) for number in (1, 2)))
    (found,) = compare_splats(cell(lost), series)
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reason == "the log of base is incomplete: the kernel dropped 5 messages"
    arch = compare(runs("pass"), cell(lost))
    assert arch.verdict is Verdict.NOT_EXERCISED
    assert arch.reasons[0] == (
        "the log is incomplete on the series: the kernel dropped 5 messages; "
        "a report of the kernel may be missing (t)"
    )


def test_splat_counts_boots_not_lines() -> None:
    series = cell(boot("pass", splats=[splat(), splat()]), boot("pass", splats=[splat()], number=2))
    (found,) = compare_splats(runs("pass"), series)
    assert found.series_boots == ("x86_64-v-1", "x86_64-v-2")
    assert found.base_boots == ()


def test_splat_says_nothing_if_the_other_kernel_never_got_to_a_test() -> None:
    (found,) = compare_splats(cell(boot("miss", MACHINE)), cell(boot("pass", splats=[splat()])))
    assert found.verdict is Verdict.NOT_EXERCISED


DEAD = boot("miss", BootEnd.PANIC)


@pytest.mark.parametrize(
    ("base", "series", "verdict", "reason"),
    [
        (
            runs("pass"), cell(DEAD, DEAD), Verdict.REGRESSION,
            "does not boot with the series (2 of 2 boots), base does",
        ),
        (runs("pass"), cell(DEAD, DEAD, DEAD), Verdict.REGRESSION, "(3 of 3 boots)"),
        (runs("pass"), cell(boot("miss", MACHINE), DEAD, DEAD), Verdict.REGRESSION, "(2 of 2 boots)"),
        (runs("pass"), cell(DEAD), Verdict.FLAKY, "did not get to a test in 1 of 1 boot with the series"),
        (runs("pass"), cell(DEAD, boot("pass", number=2)), Verdict.FLAKY, "in 1 of 2 boots with the series"),
        (cell(DEAD, boot("pass", number=2)), runs("pass"), Verdict.FLAKY, "in 1 of 2 boots of base"),
        (cell(DEAD, DEAD), cell(DEAD, DEAD), Verdict.FAILS_ON_BOTH, "neither kernel boots"),
        (cell(DEAD, boot("pass", number=2)), cell(DEAD, DEAD), Verdict.FLAKY, "in 2 of 2 boots"),
        (runs("pass"), cell(boot("miss", MACHINE)), Verdict.INFRASTRUCTURE, "the series never got to a test"),
        (
            runs("pass"), cell(boot("miss", BootEnd.TIMEOUT)), Verdict.INFRASTRUCTURE,
            "the series never got to a test",
        ),
        (cell(boot("miss", MACHINE)), cell(DEAD, DEAD), Verdict.INFRASTRUCTURE, "base never got to a test"),
        (runs("pass"), cell(), Verdict.INFRASTRUCTURE, "no result with the series: there was no boot"),
    ],
)  # fmt: skip
def test_boots(base: Cell, series: Cell, verdict: Verdict, reason: str) -> None:
    arch = compare(base, series)
    assert arch.verdict is verdict
    assert any(reason in said for said in arch.reasons), arch.reasons


@pytest.mark.parametrize("end", [BootEnd.PANIC, BootEnd.HANG, BootEnd.REBOOT, BootEnd.FLOOD])
def test_every_kind_of_death_before_the_first_test_counts(end: BootEnd) -> None:
    assert compare(runs("pass"), cell(boot("miss", end), boot("miss", end))).verdict is Verdict.REGRESSION


def test_base_that_does_not_boot_is_not_green() -> None:
    arch = compare(cell(DEAD, DEAD), runs("pass"))
    assert arch.verdict is Verdict.NOT_EXERCISED
    assert any("base does not boot, the series does" in reason for reason in arch.reasons)


@pytest.mark.parametrize(
    ("base", "series", "verdict"),
    [
        ([], [BootEnd.HANG], Verdict.FLAKY),
        ([], [BootEnd.HANG, BootEnd.REBOOT], Verdict.REGRESSION),
        ([BootEnd.HANG], [BootEnd.HANG], Verdict.FAILS_ON_BOTH),
        ([BootEnd.HANG], [], Verdict.UNCHANGED),
        ([], [MACHINE], Verdict.UNCHANGED),
    ],
)
def test_guest_that_dies_while_no_test_runs(
    base: list[BootEnd], series: list[BootEnd], verdict: Verdict
) -> None:
    base_cell, series_cell = (
        cell(*(boot("pass", end) for end in ends or [BootEnd.DONE])) for ends in (base, series)
    )
    assert compare(base_cell, series_cell).verdict is verdict


@pytest.mark.parametrize(
    ("base", "series", "verdict", "reason"),
    [
        (
            build(),
            build(ok=False),
            Verdict.REGRESSION,
            "does not build with the series: mm/x.c:1: error: boom",
        ),
        (build(), build(ok=False, infrastructure=True), Verdict.INFRASTRUCTURE, "could not be built here"),
        (build(ok=False), build(), Verdict.INFRASTRUCTURE, "base does not build: mm/x.c:1: error: boom"),
        (build(ok=False), build(ok=False), Verdict.FAILS_ON_BOTH, "neither kernel builds"),
        (
            build(ok=False, infrastructure=True),
            build(ok=False),
            Verdict.INFRASTRUCTURE,
            "could not be built here",
        ),
    ],
)
def test_builds(base: Build, series: Build, verdict: Verdict, reason: str) -> None:
    before, after = (replace(runs("pass") if each.ok else cell(), build=each) for each in (base, series))
    arch = compare(before, after)
    assert arch.verdict is verdict
    assert reason in arch.reasons[0]


def test_cell_that_was_never_built() -> None:
    nothing = Cell("x86_64", "series")
    arch = compare(runs("pass"), nothing)
    assert arch.verdict is Verdict.INFRASTRUCTURE
    assert "the series was not built" in arch.reasons


WARNING = CompilerWarning("mm/x.c", 10, "-Wunused-variable", "unused variable 'y'")


@pytest.mark.parametrize(
    ("base", "series", "count"),
    [
        ([], [WARNING], 1),
        ([WARNING], [replace(WARNING, line=99)], 0),
        ([WARNING], [replace(WARNING, file="mm/y.c")], 1),
        ([WARNING], [replace(WARNING, text="unused variable 'z'")], 1),
        ([WARNING], [], 0),
        ([], [WARNING, replace(WARNING, line=11)], 1),
    ],
)
def test_new_compiler_warnings(
    base: list[CompilerWarning], series: list[CompilerWarning], count: int
) -> None:
    before, after = (replace(runs("pass"), build=build(warnings=warnings)) for warnings in (base, series))
    arch = compare(before, after)
    assert len(arch.new_warnings) == count
    assert arch.verdict is (Verdict.REGRESSION if count else Verdict.UNCHANGED)
    if count:
        assert arch.reasons[0].startswith(f"{count} new compiler warning")


def counted(
    base: dict[str, CounterChange], series: dict[str, CounterChange], word: str = "pass"
) -> list[TestComparison]:
    cells = []
    for counters in (base, series):
        plain = boot([word])
        results = tuple(replace(result, counters=counters) for result in plain.tests)
        cells.append(cell(replace(plain, tests=results)))
    before, after = cells
    return [compare_test(replace(TEST, evidence=()), before, after)]


MOVED, STILL = CounterChange(0, 2), CounterChange(4, 4)


@pytest.mark.parametrize(
    ("claim", "base", "series", "verdict", "reason"),
    [
        (("absent", "present"), {"y": STILL}, {"x": STILL}, Verdict.UNCHANGED, ""),
        (("absent", "0"), {"y": STILL}, {"x": STILL}, Verdict.UNCHANGED, ""),
        (("2", "2"), {"x": MOVED}, {"x": MOVED}, Verdict.UNCHANGED, ""),
        (
            ("absent", "present"), {"y": STILL}, {"y": STILL}, Verdict.REGRESSION,
            "x should be present with the series, but it is absent",
        ),
        (
            ("absent", "present"), {"x": STILL}, {"x": STILL}, Verdict.REGRESSION,
            "x should be absent on base, but its total change is 0",
        ),
        (
            ("2", "0"), {"x": MOVED}, {"x": MOVED}, Verdict.REGRESSION,
            "x should be 0 with the series, but its total change is 2",
        ),
        (
            ("absent", "present"), {"y": STILL}, {}, Verdict.NOT_EXERCISED,
            "no counters are known with the series",
        ),
    ],
)  # fmt: skip
def test_claims(
    claim: tuple[str, str],
    base: dict[str, CounterChange],
    series: dict[str, CounterChange],
    verdict: Verdict,
    reason: str,
) -> None:
    watching = replace(TEST, watch=("x",))
    (found,) = compare_claims([Claim("x", *claim)], Measured(counted(base, series), [watching]))
    assert found.verdict is verdict
    assert reason in found.reason
    assert bool(reason) == bool(found.reason)


@pytest.mark.parametrize("claim", [("absent", "absent"), ("absent", "present"), ("0", "2")])
def test_claim_about_a_counter_that_was_not_watched_proves_nothing(claim: tuple[str, str]) -> None:
    (found,) = compare_claims(
        [Claim("pgfault", *claim)], Measured(counted({"x": STILL}, {"x": STILL}), [TEST])
    )
    assert (found.base_seen, found.series_seen) == ("not watched", "not watched")
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reason == "pgfault was not watched, so nothing can be said of it"


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (("2", "2"), Verdict.NOT_EXERCISED),
        (("2", "0"), Verdict.NOT_EXERCISED),
        (("present", "present"), Verdict.UNCHANGED),
    ],
)
def test_claims_of_numbers_need_exercised_tests(claim: tuple[str, str], verdict: Verdict) -> None:
    (found,) = compare_claims([Claim("x", *claim)], Measured(counted({"x": MOVED}, {"x": MOVED}, "skip")))
    assert found.verdict is verdict


def test_a_claim_that_no_machine_can_prove_is_unsupported() -> None:
    lacking = cell(boot("skip", capabilities=NO_THP))
    still = replace(lacking.boots[0].tests[0], counters={"x": CounterChange(0, 0)})
    lacking = cell(replace(lacking.boots[0], tests=(still,)))
    found = compare(lacking, lacking, claims=(Claim("x", "present", "0"),))
    assert found.verdict is Verdict.UNSUPPORTED
    (claimed,) = found.claims
    assert (claimed.verdict, claimed.reason) == (
        Verdict.UNSUPPORTED,
        "x is as claimed, but not every test can run here",
    )


def test_claim_without_boots_is_the_infrastructures() -> None:
    arch = compare(runs("pass"), cell(), claims=(Claim("x", "1", "1"),))
    assert arch.claims[0].verdict is Verdict.INFRASTRUCTURE
    assert (arch.claims[0].base_seen, arch.claims[0].series_seen) == ("absent", "unknown")


def test_broken_claim_is_a_regression_of_the_architecture() -> None:
    claims = (Claim("thp_split_pmd", "1", "7"),)
    arch = compare(runs("pass"), runs("pass"), claims=claims)
    assert arch.verdict is Verdict.REGRESSION
    assert arch.reasons[0] == "claim: thp_split_pmd should be 7 with the series, but its total change is 1"


def test_reasons_are_grouped_and_most_serious_first() -> None:
    names = ("a", "b", "c", "d", "e")
    base = cell(boot("pass pass skip skip pass", names=names))
    series = cell(boot("pass fail skip skip pass", names=names), boot("fail", names=("b",), number=2))
    arch = compare_arch("x86_64", plan(*names), base, series, (), False)
    assert arch.reasons == (
        "b fails with the series (2 of 2 runs), passes on base: data lost",
        "c, d: not exercised on either kernel: skipped: no THP",
    )


def test_green_architecture_says_what_it_did() -> None:
    assert compare(runs("pass"), runs("pass")).reasons == (
        "1 of 1 tests exercised and passing on both kernels",
    )


def on(arch: str, comparison: ArchComparison, allowed: bool = False) -> ArchComparison:
    return replace(comparison, arch=arch, allowed_unexercised=allowed)


GREEN = compare(runs("pass"), runs("pass"))
FIXED = compare(runs("fail", "fail"), runs("pass"))
BROKEN = compare(runs("pass"), runs("fail", "fail"))
SHAKY = compare(runs("pass"), runs("fail", "pass"))
BOTH = compare(runs("fail"), runs("fail"))
IDLE = compare(runs("idle"), runs("idle"))
WENT_IDLE = compare(runs("pass"), runs("idle"))
LACKING = compare(cell(boot("skip", capabilities=NO_THP)), cell(boot("skip", capabilities=NO_THP)))
LOST = compare(runs("pass"), cell(boot("miss", MACHINE)))
EMPTY = compare_arch("x86_64", [], cell(), cell(), (), False)


@pytest.mark.parametrize(
    ("arches", "verdict", "code", "headline"),
    [
        (
            [on("x86_64", GREEN)], Verdict.UNCHANGED, 0,
            "No regression: 1 of 1 tests exercised on both kernels on x86_64.",
        ),
        (
            [on("x86_64", GREEN), on("arm64", GREEN)], Verdict.UNCHANGED, 0,
            "No regression: 2 of 2 tests exercised on both kernels on x86_64 and arm64.",
        ),
        (
            [on("x86_64", FIXED)], Verdict.FIXED, 0,
            "No regression, 1 test fixed: 1 of 1 tests exercised on both kernels on x86_64.",
        ),
        (
            [on("arm64", GREEN), on("x86_64", BROKEN), on("s390", BROKEN)], Verdict.REGRESSION, 1,
            "Regression on x86_64: t fails with the series. Also on s390.",
        ),
        ([on("x86_64", BROKEN, True)], Verdict.REGRESSION, 1, "Regression on x86_64: "),
        (
            [on("x86_64", SHAKY)], Verdict.FLAKY, 3,
            "Flaky: t fails now and then on x86_64. 1 of 1 tests exercised",
        ),
        (
            [on("x86_64", BOTH)], Verdict.FAILS_ON_BOTH, 3,
            "No new failure: t fails on both kernels on x86_64. ",
        ),
        (
            [on("x86_64", IDLE)], Verdict.NOT_EXERCISED, 3,
            "t not exercised on x86_64: passed without evidence: ",
        ),
        (
            [on("s390", LACKING)], Verdict.UNSUPPORTED, 3,
            "t unsupported on s390: no EDAT-1. 0 of 1",
        ),
        (
            [on("x86_64", LOST)], Verdict.INFRASTRUCTURE, 3,
            "No verdict: the series never got to a test",
        ),
        ([on("x86_64", LOST, True)], Verdict.INFRASTRUCTURE, 3, " on x86_64. "),
        (
            [on("x86_64", GREEN), on("s390", LACKING, True)], Verdict.UNCHANGED, 0,
            "No regression: 1 of 2 tests exercised on both kernels on x86_64 and s390; known gaps on s390.",
        ),
        ([on("x86_64", GREEN), on("s390", IDLE, True)], Verdict.UNCHANGED, 0, "known gaps on s390."),
        ([on("x86_64", GREEN), on("s390", LACKING)], Verdict.UNSUPPORTED, 3, "on s390: no EDAT-1"),
        ([on("x86_64", GREEN), on("s390", SHAKY, True)], Verdict.FLAKY, 3, "t fails now and then on s390"),
        (
            [on("x86_64", GREEN), on("s390", WENT_IDLE, True)], Verdict.NOT_EXERCISED, 3,
            "with the series",
        ),
        ([on("s390", LACKING, True)], Verdict.UNSUPPORTED, 3, "t unsupported on s390"),
        ([on("s390", IDLE, True)], Verdict.NOT_EXERCISED, 3, "t not exercised on s390"),
        ([on("x86_64", EMPTY)], Verdict.NOT_EXERCISED, 3, "no test was planned"),
        ([], Verdict.NOT_EXERCISED, 3, "Nothing was tested: the run has no architecture."),
    ],
)  # fmt: skip
def test_verdict_of_a_run(arches: list[ArchComparison], verdict: Verdict, code: int, headline: str) -> None:
    found = run_verdict(arches)
    assert (found.verdict, found.exit_code) == (verdict, code)
    assert headline in found.headline
    assert found.headline.endswith(".")


WORDS = st.lists(
    st.sampled_from(["pass", "idle", "fail", "skip", "died", "damaged", "silent", "miss"]), max_size=4
)


@given(WORDS, WORDS)
def test_nothing_is_green_but_what_both_kernels_exercised(base: list[str], series: list[str]) -> None:
    arch = compare(runs(*base), runs(*series))
    code = run_verdict([arch]).exit_code
    if code == 0:
        assert "pass" in series
        assert not {"fail", "died"} & set(series)
        assert {"pass", "fail", "died"} & set(base)


@given(WORDS, WORDS)
def test_no_regression_without_a_passing_base_and_two_failures(base: list[str], series: list[str]) -> None:
    arch = compare(runs(*base), runs(*series))
    if run_verdict([arch]).exit_code == 1:
        assert "pass" in base
        assert sum(word in ("fail", "died") for word in series) >= 2
        assert "pass" not in series


@given(WORDS)
def test_a_kernel_is_no_regression_of_itself(words: list[str]) -> None:
    arch = compare(runs(*words), runs(*words))
    assert arch.verdict is not Verdict.REGRESSION


@given(WORDS)
def test_reruns_come_to_an_end(words: list[str]) -> None:
    """Whatever came out of the second run, nobody asks for a third unless it did not count."""
    for second in ("pass", "fail", "died", "skip"):
        if failing_again([TEST], runs(*words)):
            assert failing_again([TEST], runs(*words, second)) == ()


def on_two_machines(qemu: Boot, hercules: Boot) -> Cell:
    return cell(qemu, replace(hercules, id="x86_64-v-2", machine="hercules"))


def test_a_test_is_judged_by_the_machine_that_ran_it() -> None:
    huge, small = plan("huge", "small")
    small = replace(small, evidence=(), needs=())
    small_pages = boot("pass", names=["small"], capabilities=NO_THP)
    both = on_two_machines(small_pages, boot("pass", names=["huge"]))
    skipped = on_two_machines(small_pages, boot("skip", names=["huge"]))
    spoiled = on_two_machines(small_pages, boot("miss", MACHINE, names=["huge"]))

    def verdicts(base: Cell, series: Cell) -> list[Verdict]:
        return [test.verdict for test in compare_arch("s390", [huge, small], base, series, (), False).tests]

    assert verdicts(both, both) == [Verdict.UNCHANGED, Verdict.UNCHANGED]
    assert verdicts(skipped, skipped) == [Verdict.NOT_EXERCISED, Verdict.UNCHANGED]
    assert verdicts(both, spoiled) == [Verdict.INFRASTRUCTURE, Verdict.UNCHANGED]


def test_a_kernel_that_dies_on_one_of_two_machines_is_a_regression() -> None:
    huge, small = plan("huge", "small")
    fine = on_two_machines(boot("pass", names=["small"]), boot("pass", names=["huge"]))
    dead = boot("miss", BootEnd.PANIC, names=["huge"])
    dies = cell(fine.boots[0], *(replace(dead, id=f"x86_64-v-{n}", machine="hercules") for n in (2, 3, 4)))
    found = compare_arch("s390", [huge, small], fine, dies, (), False)
    assert found.verdict is Verdict.REGRESSION
    assert any(
        "on hercules: does not boot with the series (3 of 3 boots)" in reason for reason in found.reasons
    )


def with_gap(base: Cell, series: Cell, pattern: str = "t*") -> ArchComparison:
    tests = [TEST, *plan("other")]
    gaps = (KnownGap("x86_64", pattern, "the CPU can't"),)
    return compare_arch("x86_64", tests, base, series, (), False, gaps)


def two(words: str) -> Cell:
    return cell(boot(words, names=["t", "other"]))


def test_a_known_gap_has_no_part_in_the_verdict_but_is_said() -> None:
    found = with_gap(two("skip pass"), two("skip pass"))
    assert found.verdict is Verdict.UNCHANGED
    assert found.reasons == ("1 of 2 tests exercised and passing on both kernels, 1 known gap",)
    assert [test.known_gap for test in found.tests] == ["the CPU can't", ""]
    assert run_verdict([found]).exit_code == 0
    assert "known gaps on x86_64" in run_verdict([found]).headline


@pytest.mark.parametrize(
    ("base", "series", "verdict"),
    [
        ("pass pass", "skip pass", Verdict.NOT_EXERCISED),  # the series made this gap
        ("skip pass", "fail pass", Verdict.NOT_EXERCISED),
        ("fail pass", "fail pass", Verdict.FAILS_ON_BOTH),
        ("skip skip", "skip skip", Verdict.NOT_EXERCISED),  # the other test is no known gap
    ],
)
def test_a_known_gap_excuses_nothing_else(base: str, series: str, verdict: Verdict) -> None:
    found = with_gap(two(base), two(series))
    assert found.verdict is verdict
    assert run_verdict([found]).exit_code == 3


def test_an_architecture_of_known_gaps_is_never_green() -> None:
    found = with_gap(two("skip skip"), two("skip skip"), "*")
    assert (found.verdict, found.reasons) == (Verdict.NOT_EXERCISED, ("every test is a known gap",))
    assert run_verdict([found]).exit_code == 3


def test_a_claim_is_judged_without_the_known_gaps() -> None:
    base, series = two("skip pass"), two("skip pass")
    gaps = (KnownGap("x86_64", "t", "the CPU can't"),)
    claim = Claim("thp_split_pmd", "present", "1")
    found = compare_arch("x86_64", [TEST, *plan("other")], base, series, (claim,), False, gaps)
    assert [claimed.verdict for claimed in found.claims] == [Verdict.UNCHANGED]


@pytest.mark.parametrize("allowed", [False, True])
def test_tests_that_only_one_tree_has(allowed: bool) -> None:
    found = compare_arch(
        "x86_64", [TEST], runs("pass"), runs("pass"), (), allowed, gone=["mm.cow"], new=["mm.cow2"]
    )
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reasons[0] == "mm.cow is gone with the series"
    assert found.notes == ("mm.cow2 is new with the series",)
    assert run_verdict([found]).exit_code == 3


def test_no_gap_explains_a_test_that_no_longer_compiles() -> None:
    reason = "it does not compile here: no longer compiles with the series: a.c:1: error: x"
    skipped = replace(runs("skip").boots[0].tests[0], reason=reason)
    broken = cell(replace(boot("skip"), tests=(skipped,)))
    gaps = [KnownGap("x86_64", "t", "no hugetlbfs")]
    assert compare_test(TEST, runs("skip"), runs("skip"), gaps).known_gap == "no hugetlbfs"
    assert compare_test(TEST, broken, broken, gaps).known_gap == ""


def test_a_test_whose_boot_did_not_come_to_pass_shares_the_fate_of_the_kernel() -> None:
    """Programs of the tree have boots of their own, after those of ours; a kernel that dies has none."""
    planned = plan("ours", "tree")
    base = cell(boot("pass", names=["ours"]), boot("pass", names=["tree"], number=2))
    dead = cell(*(boot("miss", BootEnd.PANIC, ["ours"], number=number) for number in (1, 2, 3)))
    arch = compare_arch("x86_64", planned, base, dead, (), False)
    assert [test.verdict for test in arch.tests] == [Verdict.NOT_EXERCISED] * 2
    assert all("never started: ended by panic" in test.reason for test in arch.tests)
    cut_short = cell(boot("pass", names=["ours"]))
    arch = compare_arch("x86_64", planned, base, cut_short, (), False)
    assert [test.verdict for test in arch.tests] == [Verdict.UNCHANGED, Verdict.INFRASTRUCTURE]
