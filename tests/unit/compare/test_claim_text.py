# SPDX-License-Identifier: GPL-2.0-only
"""Claims as people write them, and how they are judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.compare.claims.judge import Measured, compare_claims
from results.compare.claims.text import ClaimError, claimed_counters, conditions, parse_claim, unknown_test
from results.model.run import (
    Claim,
    ClaimComparison,
    CounterChange,
    Measurement,
    PlannedTest,
    Reading,
    Verdict,
)
from tests.samples.sample_parts import build_of
from tests.unit.compare.test_compare import TEST, counted

WATCHING = replace(TEST, watch=("pswpout", "pswpin", "/sys/x/stats/split"))


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("x: base absent, series present", Claim("x", "absent", "present")),
        ("x: base absent,series 0", Claim("x", "absent", "0")),
        ("x: series +26", Claim("x", "", "26")),
        ("vmstat.pswpout: series <= base", Claim("pswpout", "", "<= base")),
        ("pswpout: series<=base+5%", Claim("pswpout", "", "<= base + 5 %")),
        ("pswpout: series < base - 4096", Claim("pswpout", "", "< base - 4096")),
        ("pswpout: base > 0, series == base", Claim("pswpout", "> 0", "= base")),
        ("pswpout / thp_split_pmd: series <= 1.5", Claim("pswpout / thp_split_pmd", "", "<= 1.5")),
        ("x@pmd_split.*: series 26", Claim("x@pmd_split.*", "", "26")),
        ("meminfo.PageTables: series <= base", Claim("meminfo.PageTables", "", "<= base")),
        ("/proc/slabinfo:dentry: series >= 1", Claim("/proc/slabinfo:dentry", "", ">= 1")),
        ("build.text_bytes: series <= base + 1 %", Claim("build.text_bytes", "", "<= base + 1 %")),
        ("cost.fork[instructions]: series <= base", Claim("cost.fork[instructions]", "", "<= base")),
        ("x: series 0 on x86_64 s390", Claim("x", "", "0", ("x86_64", "s390"))),
        ("x: series 0 on x86_64, s390", Claim("x", "", "0", ("x86_64", "s390"))),
    ],
)
def test_a_claim_is_read(text: str, claim: Claim) -> None:
    assert parse_claim(text) == claim
    assert parse_claim(str(claim)) == claim, "what is shown can be typed again"


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 0, "expected `: ` and what is claimed, it ends here"),
        ("pswpout", 7, "expected `: ` and what is claimed, it ends here"),
        ("pswpout: ", 9, "expected `base absent`"),
        ("pswpout: series", 9, "expected `base absent`"),
        ("pswpout: series falls", 9, "expected `base absent`"),
        ("pswpout: series =< base", 9, "expected `base absent`"),
        ("pswpout: series base", 9, "expected `base absent`"),
        ("pswpout: base <= base", 9, "expected `base absent`"),
        ("pswpout: series <= base * 2", 9, "expected `base absent`"),
        ("pswpout: series 1e5", 9, "expected `base absent`"),
        ("pswpout: base 0, series 1, base 2", 26, "base is claimed twice"),
        ("pswpout: base 0, nobody 1", 17, "expected `base absent`"),
        ("pswpout: series 0 on ", 20, "expected architectures behind `on`"),
        ("PSWPOUT: series 0", 0, "'PSWPOUT' is no counter"),
        ("a b: series 0", 0, "'a b' is no counter"),
        ("a / b / c: series 0", 6, "a quotient has two terms"),
        ("a / : series 0", 0, "'a /' is no counter"),
        ("/etc/passwd: series 0", 0, "'/etc/passwd' is no counter"),
        ("build.txt_bytes: series 0", 6, "a build has no 'txt_bytes'; did you mean 'text_bytes'?"),
        ("build.: series 0", 6, "a build has no '': expected image_bytes"),
    ],
)
def test_what_is_no_claim_is_told_with_its_place(text: str, column: int, problem: str) -> None:
    with pytest.raises(ClaimError) as failure:
        parse_claim(text)
    assert failure.value.column == column
    assert failure.value.problem.startswith(problem)


def test_guests_read_the_counters_of_claims() -> None:
    texts = [
        "pswpout / pswpin: series <= 1",
        "build.text_bytes: series <= base",
        "a.b[c]: series 0",
        "x@*: series 1",
    ]
    assert claimed_counters(map(parse_claim, texts)) == ("pswpout", "pswpin", "x")


def test_a_test_that_is_not_planned_is_told() -> None:
    tests = ["pmd_split.munmap", "pgtable_cost.cost"]
    assert unknown_test(parse_claim("x@pmd_split.*: series 0"), tests) == ""
    assert unknown_test(parse_claim("build.text_bytes: series 0"), tests) == ""
    said = unknown_test(parse_claim("pgtable_cost.cast[b]: series 0"), tests)
    assert said == "no planned test is called 'pgtable_cost.cast'; did you mean 'pgtable_cost.cost'?"


def changed(before: int, after: int) -> CounterChange:
    return CounterChange(before, after)


def judge(text: str, measured: Measured) -> ClaimComparison:
    (found,) = compare_claims([parse_claim(text)], measured)
    return found


@pytest.mark.parametrize(
    ("text", "base", "series", "verdict", "reason"),
    [
        ("pswpout: series <= base", 100, 100, Verdict.UNCHANGED, ""),
        (
            "pswpout: series <= base", 100, 101, Verdict.REGRESSION,
            "pswpout should be <= base with the series, but its total change is 101, and 100 on base",
        ),
        ("pswpout: series <= base + 5 %", 100, 105, Verdict.UNCHANGED, ""),
        ("pswpout: series <= base + 5 %", 100, 106, Verdict.REGRESSION, "<= base + 5 %"),
        ("pswpout: series <= base - 10", 100, 91, Verdict.REGRESSION, "<= base - 10"),
        ("pswpout: base > 0, series 0", 100, 0, Verdict.UNCHANGED, ""),
        ("pswpout: base > 0, series 0", 0, 0, Verdict.REGRESSION, "should be > 0 on base"),
        ("pswpout: series < 200", 10**6, 100, Verdict.UNCHANGED, ""),
        ("pswpout / pswpin: series <= 2", 100, 20, Verdict.UNCHANGED, ""),
        ("pswpout / pswpin: series <= 2", 100, 21, Verdict.REGRESSION, "but it is 2.1"),
        ("pswpout@other.*: series 0", 100, 0, Verdict.NOT_EXERCISED, "no counters are known"),
    ],
)  # fmt: skip
def test_counters_are_compared_with_numbers_and_with_base(
    text: str, base: int, series: int, verdict: Verdict, reason: str
) -> None:
    tests = counted(
        {"pswpout": changed(0, base), "pswpin": changed(0, 10)},
        {"pswpout": changed(0, series), "pswpin": changed(0, 10)},
    )
    found = judge(text, Measured(tests, [WATCHING]))
    assert (found.verdict, reason in found.reason) == (verdict, True), found.reason
    assert bool(reason) == bool(found.reason)


def test_a_quotient_of_nothing_says_nothing() -> None:
    counters = {"pswpout": changed(0, 5), "pswpin": changed(3, 3)}
    found = judge("pswpout / pswpin: series <= 2", Measured(counted(counters, counters), [WATCHING]))
    assert (found.verdict, found.series_seen) == (Verdict.NOT_EXERCISED, "unknown")
    assert found.reason == "the divisor is 0 with the series, so nothing can be said of pswpout / pswpin"


def test_a_counter_that_wraps_says_nothing() -> None:
    """A 32-bit kernel's counters do."""
    wrapped = {"pswpout": changed(2**32 - 5, 7)}
    found = judge(
        "pswpout: series <= base", Measured(counted({"pswpout": changed(0, 9)}, wrapped), [WATCHING])
    )
    assert found.verdict is Verdict.NOT_EXERCISED
    assert "it has wrapped, or was reset" in found.reason


def test_numbers_of_files_may_fall() -> None:
    base, series = ({"/sys/x/stats/split": changed(9, after)} for after in (9, 4))
    found = judge("/sys/x/stats/split: series < base", Measured(counted(base, series), [WATCHING]))
    assert (found.verdict, found.series_seen) == (Verdict.UNCHANGED, "-5")


def test_what_base_lacks_is_nothing_to_compare_with() -> None:
    tests = counted({"y": changed(0, 0)}, {"pswpout": changed(0, 5)})
    found = judge("pswpout: series <= base", Measured(tests, [WATCHING]))
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reason.endswith("there is nothing to compare")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("build.text_bytes: series <= base + 1 %", Verdict.UNCHANGED),
        ("build.text_bytes: series <= base", Verdict.REGRESSION),
        ("build.warnings: series 0", Verdict.UNCHANGED),
    ],
)
def test_builds_need_no_test(text: str, verdict: Verdict) -> None:
    base = replace(build_of("x86_64", "base"), warnings=(), text_bytes=10000)
    measured = Measured((), (), base, replace(base, text_bytes=10050))
    assert judge(text, measured).verdict is verdict
    assert judge(text, replace(measured, series=None)).verdict is Verdict.NOT_EXERCISED


def measured_test(p: float | None = None) -> Measured:
    """A test that measures something on both kernels."""
    (test,) = counted({"x": changed(0, 1)}, {"x": changed(0, 1)})
    item = Measurement(
        measure="timing", test=test.name, subject="fork", verdict=Verdict.UNCHANGED, reason="", p=p,
        readings=(Reading("median time", "ns", 1000.0, 1200.0),),
    )  # fmt: skip
    return Measured((test,), (PlannedTest(test.name, ("/bin/x",), 20.0),), measurements=(item,))


def test_readings_of_measuring_tests_can_be_claimed() -> None:
    name = measured_test().tests[0].name
    broken = judge(f"{name}[median time]: series <= base + 10 %", measured_test())
    assert (broken.verdict, broken.base_seen, broken.series_seen) == (Verdict.REGRESSION, "1000", "1200")
    assert judge(f"{name}[median time]: series <= base + 20 %", measured_test()).verdict is Verdict.UNCHANGED
    unknown = judge(f"{name}[median tim]: series <= base", measured_test())
    assert unknown.verdict is Verdict.NOT_EXERCISED
    assert unknown.reason.startswith(f"{name} measures median time")


def test_a_difference_by_chance_breaks_no_claim() -> None:
    name = measured_test().tests[0].name
    text = f"{name}[median time]: series <= base"
    assert judge(text, measured_test(p=0.001)).verdict is Verdict.REGRESSION
    found = judge(text, measured_test(p=0.3))
    assert found.verdict is Verdict.NOT_EXERCISED
    assert "the difference may be chance (p = 0.3)" in found.reason


def test_a_claim_of_another_version_is_told() -> None:
    tests = counted({"x": changed(0, 1)}, {"x": changed(0, 1)})
    (found,) = compare_claims([Claim("x", "", "about 5")], Measured(tests, [WATCHING]))
    assert found.verdict is Verdict.NOT_EXERCISED
    assert found.reason.startswith("the claim on x can't be read")
    with pytest.raises(ClaimError):
        conditions(Claim("x", "", "about 5"))
