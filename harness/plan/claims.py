# SPDX-License-Identifier: GPL-2.0-only
"""Checks the names in claims against the tests of a plan and the counters of its trees."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from harness.config.catalogue import load
from harness.config.derivation import CounterTable, DerivationRecord
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.prepare import Checkouts
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import GitError
from results.compare.claims.text import claimed_counters, unknown_test
from results.model.run import Claim, PlannedTest


def check_claims(
    claims: Sequence[Claim], planned: Iterable[PlannedTest], checkouts: Checkouts, cache: Path
) -> None:
    """Check that each test of a claim is planned, and each counter exists on base or with the series.

    A counter of /proc is one that its file of the kernel names, or begins with such a name and `_`: the
    counters of zones are put together. A tree without these files has its counters elsewhere.

    Raises:
        UsageError: for a name that does not exist.
    """
    tests = [test.name for test in planned]
    for claim in claims:
        if unknown := unknown_test(claim, tests):
            raise UsageError(f"claim on {claim.counter}: {unknown}", hint="thp-harness plan lists the tests.")
    for table in load(CONFIGS / "derivation.yaml", DerivationRecord).counters:
        if names := [name for name in claimed_counters(claims) if _is_of(name, table)]:
            _check_counters(names, table, _names(table.file, checkouts, cache))


def _prefix(table: CounterTable) -> str:
    return table.name.partition("{}")[0]


def _is_of(name: str, table: CounterTable) -> bool:
    if prefix := _prefix(table):
        return name.startswith(prefix)
    return bool(re.fullmatch(r"[a-z]\w*", name))


def _check_counters(names: Iterable[str], table: CounterTable, known: Collection[str]) -> None:
    prefix = _prefix(table)
    for name in names if known else ():
        short = name.removeprefix(prefix)
        if not any(short == one or short.startswith(f"{one}_") for one in known):
            near = get_close_matches(short, sorted(known), n=1)
            guess = f"; did you mean '{prefix}{near[0]}'?" if near else ""
            raise UsageError(f"claim on {name}: {table.file} names no such counter on either kernel{guess}")


def _names(file: str, checkouts: Checkouts, cache: Path) -> set[str]:
    mirror = open_mirror(cache)
    found: set[str] = set()
    for variant in ("base", "series"):
        try:
            text = mirror.run("show", f"{checkouts.commit(variant)}:{file}")
        except GitError:
            continue
        found.update(re.findall(r'"([A-Za-z][A-Za-z0-9_()]*)[":]', text))
    return found
