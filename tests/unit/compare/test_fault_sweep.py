# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from results.compare.compare import compare_arch
from results.compare.measures.fault_sweep import ranges
from results.compare.measures.sweep_rows import SweepRun, read_sweep
from results.compare.tally import failing_again
from results.compare.verdict import run_verdict
from results.model.run import ArchComparison, BootEnd, Cell, Measurement, Status, TestResult, Verdict
from tests.samples.cells import plan, runs
from tests.samples.data_words import MUNMAP, printed, result_of, skipped, sweep_lines, swept

GOLDEN = Path(__file__).parents[2] / "golden" / "data"
LIE = "success_without_effect"


def compared(base: Cell, series: Cell) -> ArchComparison:
    return compare_arch("x86_64", [MUNMAP], base, series, (), False)


def swept_on(base: Cell, series: Cell) -> Measurement:
    (sweep,) = compared(base, series).measurements
    return sweep


def read(*lines: str, status: Status = Status.PASS) -> SweepRun:
    return read_sweep("munmap", TestResult("fault_sweep.munmap", status, output=lines))


def test_a_whole_sweep() -> None:
    run = read(*sweep_lines("ok split ENOMEM end"))
    assert run.finished
    assert (run.fired, run.handled, run.trying, run.left_out) == (3, 1, None, ())
    assert [(row.n, row.fired, row.result, row.effect) for row in run.rows] == [
        (1, True, "ok", "full"),
        (2, True, "ENOMEM", "none"),
        (3, True, "ENOMEM", "none"),
        (4, False, "ok", "full"),
    ]
    assert [row.retry for row in run.rows] == ["none", "ok", "ok", "none"]


def test_failed_splits_are_unknown_where_the_kernel_does_not_count_them() -> None:
    assert read(*sweep_lines("ok end", failed="absent")).handled is None


def test_a_failed_split_that_broke_something_was_not_handled() -> None:
    assert read(*sweep_lines(f"split {LIE} end", failed="1")).handled == 1


def test_a_sweep_that_was_cut_short_names_the_n() -> None:
    run = read(*sweep_lines("ok ok try"))
    assert (run.trying, run.finished, len(run.rows)) == (3, False, 2)


def test_a_test_that_skipped_itself_was_not_cut_short() -> None:
    assert read(*sweep_lines("try"), status=Status.SKIP).trying is None


ROW = sweep_lines("ok")[-1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([ROW.replace("op=munmap", "op=mlock")], "of mlock, not of munmap"),
        ([ROW.replace("fired=1", "fired=2")], "fired is neither 0 nor 1"),
        ([ROW.replace("n=1", "n=0")], "n is 0, less than 1"),
        ([ROW.replace(" effect=full", "")], "effect is missing"),
        ([ROW.replace("effect=full", "effect=much")], "effect is not what it can be"),
        ([ROW.replace("verdict=ok", "verdict=unseen")], "why is missing"),
        ([ROW.replace("verdict=ok", "verdict=broken")], "why is missing"),
        ([ROW, ROW], "n=1 is there twice"),
        (["data storm op=munmap"], "not a line of a sweep"),
        (["data sweep_try n=1"], "op is missing"),
        (["data sweep_end op=munmap rows=0 fired=0"], "sweep_end says broken=nothing, 0 were read"),
    ],
)
def test_what_is_no_row_is_left_out_and_the_sweep_is_not_whole(lines: list[str], said: str) -> None:
    run = read(*sweep_lines("ok end"), *lines) if "n=1 is there" not in said else read(*lines)
    assert any(said in words for words in run.left_out)
    assert not run.finished


def test_a_lost_row_is_noticed() -> None:
    lines = [line for line in sweep_lines("ok ok end") if " n=2 " not in f"{line} "]
    run = read(*lines)
    assert not run.finished
    assert run.left_out[0] == "sweep_end says rows=3, 2 were read"


@pytest.mark.parametrize(
    ("base", "series", "verdict", "reason"),
    [
        (["ENOMEM end"], ["ENOMEM end"], Verdict.UNCHANGED, ""),
        (["ENOMEM end"], ["ENOMEM split split end"], Verdict.UNCHANGED, ""),
        (["end"], ["end"], Verdict.UNCHANGED, "takes no memory"),
        (["end"], ["split end"], Verdict.UNCHANGED, ""),
        (["ok end"], ["end"], Verdict.UNCHANGED, ""),
        (
            ["ok ok end"], ["end"], Verdict.NOT_EXERCISED,
            "2 allocations failed on base, none could be made to fail with the series",
        ),
        (
            ["ok end"], [f"ok ok {LIE} end"] * 2, Verdict.REGRESSION,
            "munmap breaks at n = 3 (it reports success without its effect) with the series, 2 of 2 runs; "
            "on base it does not",
        ),
        (
            ["ok end"], [f"{LIE} ok {LIE} {LIE} failure_with_effect end"] * 2, Verdict.REGRESSION,
            "munmap breaks at n = 1, 3–4 (it reports success without its effect) and at n = 5 (it reports "
            "failure, but has had an effect) with the series, 2 of 2 runs; on base it does not",
        ),
        (["ok end"], [f"{LIE} end"], Verdict.FLAKY, "with the series, 1 of 1 run; on base it does not"),
        (["ok end"], [f"{LIE} end", "ok end"], Verdict.FLAKY, "with the series, 1 of 2 runs"),
        (
            ["ok end"], [f"{LIE} end", "ok try"], Verdict.REGRESSION,
            "munmap breaks at n = 1 (it reports success without its effect) with the series, 2 of 2 runs",
        ),
        (
            [f"ok {LIE} end"] * 2, [f"ok {LIE} end"] * 2, Verdict.FAILS_ON_BOTH,
            "munmap breaks on both kernels at n = 2 (it reports success without its effect); on base at n",
        ),
        ([f"{LIE} end"] * 2, [f"ok {LIE} end"] * 2, Verdict.FAILS_ON_BOTH, "at n = 2 (it reports success"),
        (
            [f"{LIE} end"] * 2, [f"{LIE} {LIE} end"] * 2, Verdict.REGRESSION,
            "munmap breaks at n = 2 (it reports success without its effect) with the series, 2 of 2 runs; "
            "on base at n = 1",
        ),
        (
            [f"{LIE} end"] * 2, ["outside_changed end"] * 2, Verdict.REGRESSION,
            "at n = 1 (it changes memory that it should leave alone) with the series, 2 of 2 runs; on base",
        ),
        ([f"{LIE} end"] * 2, ["ok end"], Verdict.FIXED, "munmap breaks on base at n = 1 (it reports success"),
        ([f"{LIE} end", "ok end"], ["ok end"], Verdict.FLAKY, "with the series it does not"),
        (
            ["ok end"], ["ok ok try"] * 2, Verdict.REGRESSION,
            "munmap breaks at n = 3 (the test was cut short) with the series, 2 of 2 runs",
        ),
        (["ok try"] * 2, ["ok end"], Verdict.FIXED, "breaks on base at n = 2 (the test was cut short)"),
    ],
)  # fmt: skip
def test_verdicts(base: list[str], series: list[str], verdict: Verdict, reason: str) -> None:
    sweep = swept_on(swept(*base), swept(*series))
    assert sweep.verdict is verdict
    assert reason in sweep.reason if reason else not sweep.reason


def test_a_regression_is_named_in_the_headline_with_operation_and_n() -> None:
    arch = compared(swept("ok end"), swept(f"ok {LIE} end", f"ok {LIE} end"))
    assert arch.verdict is Verdict.REGRESSION
    assert len(arch.reasons) == 1
    verdict = run_verdict([arch])
    assert verdict.exit_code == 1
    assert verdict.headline == "Regression on x86_64: when an allocation fails, munmap breaks at n = 2."


def test_a_broken_row_asks_for_a_second_look() -> None:
    assert failing_again([MUNMAP], swept(f"{LIE} end")) == (MUNMAP,)


def test_a_gap_that_only_the_sweep_sees_is_not_green() -> None:
    arch = compared(swept("ok ok end"), swept("end"))
    assert arch.tests[0].verdict is Verdict.UNCHANGED
    assert arch.verdict is Verdict.NOT_EXERCISED
    assert run_verdict([arch]).exit_code == 3
    assert arch.reasons == (
        "munmap in the fault sweep: 2 allocations failed on base, none could be made to fail with the series",
    )


def test_a_pass_without_all_of_its_rows_is_not_exercised() -> None:
    lines = [line for line in sweep_lines("ok ok end") if " n=2 " not in f"{line} "]
    sweep = swept_on(printed(MUNMAP, lines), swept("ok ok end"))
    assert sweep.verdict is Verdict.NOT_EXERCISED
    assert sweep.reason == "not all of its rows are known on base: sweep_end says rows=3, 2 were read"


def test_skipped_on_both_is_unsupported_with_the_reason() -> None:
    sweep = swept_on(skipped("no fail-nth"), skipped("no fail-nth"))
    assert (sweep.verdict, sweep.reason) == (Verdict.UNSUPPORTED, "no fail-nth")
    sweep = swept_on(skipped("no fail-nth"), skipped("no NUMA"))
    assert sweep.reason == "on base no fail-nth; with the series no NUMA"


def test_skipped_on_one_is_not_exercised() -> None:
    sweep = swept_on(swept("ok end"), skipped("no fail-nth"))
    assert sweep.verdict is Verdict.NOT_EXERCISED
    assert "no fail-nth" in sweep.reason


def test_what_base_never_exercised_is_not_held_against_the_series() -> None:
    sweep = swept_on(skipped("no fail-nth"), swept(f"{LIE} end", f"{LIE} end"))
    assert sweep.verdict is Verdict.NOT_EXERCISED
    assert sweep.reason.startswith(
        "munmap breaks at n = 1 (it reports success without its effect); base did not"
    )


def test_infrastructure_is_not_the_kernels_fault() -> None:
    lost = result_of(MUNMAP, sweep_lines("ok try"), Status.ERROR)
    cell = printed(MUNMAP, lost)
    cell = replace(cell, boots=(replace(cell.boots[0], end=BootEnd.MACHINE),))
    sweep = swept_on(swept("ok end"), cell)
    assert sweep.verdict is Verdict.INFRASTRUCTURE
    assert SweepRun.of(sweep.series).trying == 2


def test_a_failure_without_broken_rows_keeps_the_tests_own_words() -> None:
    failing = result_of(MUNMAP, sweep_lines("end"), Status.FAIL)
    arch = compared(swept("ok end"), printed(MUNMAP, failing, failing))
    (sweep,) = arch.measurements
    assert sweep.verdict is Verdict.REGRESSION
    assert sweep.reason == arch.tests[0].reason
    assert arch.reasons == (f"fault_sweep.munmap {sweep.reason}",)


def test_without_a_sweep_there_is_none() -> None:
    (other,) = plan("t")
    assert compare_arch("x86_64", [other], runs("pass"), runs("pass"), (), False).measurements == ()
    nothing = printed(MUNMAP, TestResult(MUNMAP.name, Status.MISS, "never started"))
    assert compared(nothing, nothing).measurements == ()


def unseen(instrument: str = "smaps_locked") -> tuple[str, ...]:
    return tuple(
        line.replace("effect=full", "effect=unseen").replace("verdict=ok", f"verdict=unseen why={instrument}")
        for line in sweep_lines("ok end")
    )


def test_an_instrument_that_did_not_prove_itself_is_named_and_never_unchanged() -> None:
    blind = printed(MUNMAP, result_of(MUNMAP, unseen(), Status.SKIP))
    for base, series, where in (
        (blind, blind, "on both kernels"),
        (swept("ok end"), blind, "with the series"),
        (blind, swept("ok end"), "on base"),
    ):
        sweep = swept_on(base, series)
        assert sweep.verdict is Verdict.NOT_EXERCISED
        assert sweep.reason == (
            f"can't be seen here: Locked of /proc/PID/smaps does not show what is there, {where}"
        )


def test_what_is_broken_without_the_instrument_is_a_regression() -> None:
    bad = tuple(
        line.replace("verdict=unseen why=smaps_locked", "verdict=broken why=died", 1)
        for line in unseen()
        if "sweep_end" not in line
    )
    failing = result_of(MUNMAP, bad, Status.FAIL)
    assert swept_on(swept("ok end"), printed(MUNMAP, failing, failing)).verdict is Verdict.REGRESSION


LASTING = plan("fault_sweep_lasting.munmap")[0]


def lasting(word: str, *, status: Status = Status.PASS, runs: int = 1) -> Cell:
    """Print one call that did not end, as the program does."""
    row = "fired=1 result=unending effect=none intact=1 usable=0 retry=none split=0 split_failed=absent"
    broken = word != "ok"
    lines = (
        "data sweep_try op=munmap mode=lasting n=1",
        f"data sweep op=munmap mode=lasting n=1 {row} verdict={f'broken why={word}' if broken else 'ok'}",
        *(line for line in sweep_lines("ok end") if " n=2 " in f"{line} "),
        f"data sweep_end op=munmap rows=2 fired=1 broken={int(broken)}",
    )
    return printed(LASTING, *[result_of(LASTING, lines, status)] * runs)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("does_not_end", "it does not end while allocations fail"),
        ("cannot_be_killed", "it does not end while allocations fail, and can't be killed"),
    ],
)
def test_a_call_that_does_not_end_is_a_regression_with_its_n(why: str, said: str) -> None:
    bad = lasting(why, status=Status.FAIL, runs=2)
    arch = compare_arch("x86_64", [LASTING], lasting("ok"), bad, (), False)
    (sweep,) = arch.measurements
    assert (sweep.verdict, sweep.subject) == (Verdict.REGRESSION, "munmap from n on")
    assert (sweep.base_marks, sweep.series_marks) == ("w-", "x-")
    assert arch.reasons == (
        f"when allocations fail from the n-th on, munmap breaks at n = 1 ({said}) with the series, "
        "2 of 2 runs; on base it does not",
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [([], ""), ([4], "4"), ([1, 2], "1–2"), ([5, 1, 3, 4], "1, 3–5")],
)
def test_ranges(numbers: list[int], said: str) -> None:
    assert ranges(numbers) == said


def _lines(name: str, operation: str) -> tuple[str, ...]:
    return tuple(line for line in (GOLDEN / name).read_text().splitlines() if f" op={operation} " in line)


def golden(name: str) -> dict[str, SweepRun]:
    text = (GOLDEN / name).read_text()
    operations = dict.fromkeys(word[3:] for word in text.split() if word.startswith("op="))
    return {
        operation: read_sweep(operation, TestResult("", Status.PASS, output=_lines(name, operation)))
        for operation in operations
    }


def test_a_real_sweep() -> None:
    found = golden("x86_64-base.txt")
    assert len(found) == 32
    unfinished = {operation for operation, run in found.items() if not run.finished}
    assert unfinished == {"mbind", "move_pages", "set_mempolicy_home_node", "subpage_prot"}
    assert found["munmap"].fired == 0
    assert found["fork"].fired >= 10
    assert all(row.fired for row in found["fork"].rows[:-1])
    assert not any(row.why for run in found.values() for row in run.rows)


def test_two_real_sweeps_are_alike() -> None:
    base, series = golden("x86_64-base.txt"), golden("x86_64-series.txt")
    assert len(base) == 32
    for operation, run in base.items():
        (test,) = plan(f"fault_sweep.{operation}")
        on_base = printed(test, _lines("x86_64-base.txt", operation))
        on_series = printed(test, _lines("x86_64-series.txt", operation))
        sweeps = compare_arch("x86_64", [test], on_base, on_series, (), False).measurements
        assert [sweep.verdict for sweep in sweeps] == ([Verdict.UNCHANGED] if run.rows else []), operation
        assert run.handled is None
        assert series[operation].handled in (0, None)


def test_real_lies_are_seen() -> None:
    found = golden("x86_64-lying-calls.txt")
    broken = {
        operation: [(row.n, row.why) for row in run.rows if row.why] for operation, run in found.items()
    }
    assert broken == {
        "madv_dontneed": [(1, "success_without_effect")],
        "munmap": [(1, "failure_with_effect")],
        "mprotect_ro": [(1, "outside_changed")],
        "mlock": [(1, "wrong_errno")],
        "munlock": [(1, "retry_failed")],
        "mremap_move": [(1, "died")],
        "mincore": [],
    }
    assert all(run.finished for run in found.values())


@pytest.mark.parametrize(
    ("operation", "how"),
    [
        ("madv_dontneed", "it reports success without its effect"),
        ("munmap", "it reports failure, but has had an effect"),
        ("mremap_move", "its process dies"),
    ],
)
def test_a_real_lie_is_a_regression_with_operation_and_n(operation: str, how: str) -> None:
    (test,) = plan(f"fault_sweep.{operation}")
    well = printed(test, _lines("x86_64-base.txt", operation))
    lie = _lines("x86_64-lying-calls.txt", operation)
    arch = compare_arch("x86_64", [test], well, printed(test, lie, lie), (), False)
    assert arch.reasons == (
        f"when an allocation fails, {operation} breaks at n = 1 ({how}) with the series, 2 of 2 runs; "
        "on base it does not",
    )
