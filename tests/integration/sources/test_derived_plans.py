# SPDX-License-Identifier: GPL-2.0-only
"""The stand-in series on Debian's tree gets the same plan from its diff as from its record."""

from __future__ import annotations

import os

import pytest

from harness.core.shipped import CONFIGS
from harness.plan.derive.derive import complete, derive
from harness.plan.plan import Plan, PlanRequest, claims, make_plan, planned_tests
from harness.plan.prepare import prepare
from tests.program import Program

CPU_SECONDS = 2


def silent(_: str) -> None:
    pass


def asks_for(plan: Plan) -> tuple[set[object], set[object]]:
    return set(planned_tests(plan.suites, claims(plan.series))), set(claims(plan.series))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["thp-lazy-pgtable-standin", "thp-split-standin"])
def test_without_its_record_the_stand_in_gets_the_same(thp_harness: Program, name: str) -> None:
    cache = thp_harness.cache
    recorded = make_plan(PlanRequest(series=name))
    by_diff = make_plan(PlanRequest(series=str(CONFIGS / "series" / name), tree="debian-6.12"))
    checkouts = prepare(by_diff, cache, silent)
    assert not derive(recorded, checkouts, cache).lines
    before = os.times()
    found, _ = complete(by_diff, checkouts, cache, silent)
    after = os.times()
    assert sum(after[:4]) - sum(before[:4]) < CPU_SECONDS
    tests, claimed = asks_for(found)
    wanted, wanted_claims = asks_for(recorded)
    assert wanted <= tests
    if name == "thp-lazy-pgtable-standin":
        assert tests == wanted
        assert claimed == wanted_claims
    else:  # its record claims the number 0, which no diff can tell
        assert [(claim.counter, claim.base, claim.series) for claim in claims(found.series)] == [
            ("thp_split_pmd_failed", "absent", "present")
        ]
