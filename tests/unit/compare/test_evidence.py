# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest

from results.compare.evidence import is_watched, total_change, unmet_evidence
from results.model.run import CounterChange, Evidence, PlannedTest

SPLIT = Evidence("thp_split_pmd", 1)


@pytest.mark.parametrize(
    ("counters", "evidence", "reason"),
    [
        ({"thp_split_pmd": CounterChange(3, 4)}, [SPLIT], None),
        ({"thp_split_pmd": CounterChange(3, 9)}, [SPLIT], None),
        ({}, [], None),
        (
            {"thp_split_pmd": CounterChange(3, 3)},
            [SPLIT],
            "thp_split_pmd rose by 0, at least 1 was expected",
        ),
        (
            {"thp_split_pmd": CounterChange(5, 3)},
            [SPLIT],
            "thp_split_pmd rose by -2, at least 1 was expected",
        ),
        ({"thp_split_pmd": CounterChange(None, 3)}, [SPLIT], "thp_split_pmd is absent"),
        ({"thp_split_pmd": CounterChange(3, None)}, [SPLIT], "thp_split_pmd is absent"),
        ({"other": CounterChange(0, 9)}, [SPLIT], "thp_split_pmd is absent"),
        ({"other": CounterChange(0, 9)}, [Evidence("pgfault", 1)], "pgfault was not watched"),
        ({"other": CounterChange(0, 9)}, [Evidence("watched", 1)], "watched is absent"),
        (
            {"thp_split_pmd": CounterChange(0, 1), "x": CounterChange(0, 1)},
            [SPLIT, Evidence("x", 2)],
            "x rose by 1, at least 2 was expected",
        ),
    ],
)
def test_unmet_evidence(
    counters: dict[str, CounterChange], evidence: list[Evidence], reason: str | None
) -> None:
    test = PlannedTest("t", ("/bin/t",), 1.0, tuple(evidence), watch=("watched",))
    assert unmet_evidence(counters, test) == reason


@pytest.mark.parametrize(
    ("counter", "watch", "is_so"),
    [
        ("thp_split_pmd", [], True),
        ("meminfo.PageTables", [], True),
        ("pgfault", [], False),
        ("pgfault", ["pgfault"], True),
        ("meminfo.AnonHugePages", ["meminfo.AnonHugePages"], True),
        ("slabinfo.dentry", ["slabinfo.dentry"], False),
        ("pgfault x", ["pgfault x"], False),
    ],
)
def test_watched(counter: str, watch: list[str], is_so: bool) -> None:
    assert is_watched(counter, watch) is is_so


@pytest.mark.parametrize(
    ("snapshots", "total"),
    [
        ([{"x": CounterChange(0, 2)}, {"x": CounterChange(5, 4)}, {}], 1),
        ([{"x": CounterChange(7, 7)}], 0),
        ([{"x": CounterChange(None, 3)}, {"x": CounterChange(3, 4)}], 1),
        ([{"x": CounterChange(None, None)}], None),
        ([{"y": CounterChange(0, 1)}], None),
        ([], None),
    ],
)
def test_total_change(snapshots: list[dict[str, CounterChange]], total: int | None) -> None:
    assert total_change(snapshots, "x") == total
