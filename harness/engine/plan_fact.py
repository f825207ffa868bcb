# SPDX-License-Identifier: GPL-2.0-only
"""A plan as the first fact of its run: the tests that its sources have, and all that decides the outcome."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.build.build_cache import digest
from harness.config.suite import SuiteRecord
from harness.core.errors import UsageError
from harness.plan.plan import Plan, claims, known_gaps, wholly_allowed
from harness.plan.prepare import Checkouts
from harness.plan.shard import Shard
from harness.sources.git.mirror import path_hash
from results.journal.journal import PlanFact, ShardFact, WalkScope
from results.model.bisect import BisectScope
from results.model.run import PlannedTest


def suites_in_tree(
    plan: Plan, checkouts: Checkouts, cache: Path, say: Callable[[str], None]
) -> tuple[SuiteRecord, ...]:
    """Suites whose sources exist with the series applied.

    Raises:
        UsageError: if the series' record asks for one that does not.
    """
    commit = checkouts.commit("series")
    present = []
    for suite in plan.suites:
        lacking = {
            name: program.tree_sources[0]
            for name, program in suite.programs_of_tree.items()
            if not path_hash(cache, commit, program.tree_sources[0])
        }
        if len(lacking) < len(suite.cases):
            present.append(suite.without(lacking))
        elif plan.tests_asked_for_by:
            raise UsageError(
                f"{plan.tests_asked_for_by} asks for the tests {suite.name}, "
                f"but neither the series nor the tree has {next(iter(lacking.values()))}",
                hint="Correct `tests:` in the series' record, or choose with --tests.",
            )
        else:
            say(f"{suite.name} is left out: the series does not bring {next(iter(lacking.values()))}")
            continue
        for name, source in lacking.items():
            say(f"{suite.name}.{name} is left out: the tree has no {source}")
    return tuple(present)


def plan_fact(
    plan: Plan,
    checkouts: Checkouts,
    planned: tuple[PlannedTest, ...],
    command: Sequence[str],
    walk: WalkScope | None,
    bisect: BisectScope | None,
) -> PlanFact:
    """The first fact of a run; `id` is left open."""
    return PlanFact(
        id="",
        harness=__version__,
        host=_host_facts(),
        command=tuple(command),
        subject=checkouts.subject,
        planned=planned,
        arches=tuple(arch.name for arch in plan.arches),
        claims=claims(plan.series),
        allow_unexercised=wholly_allowed(plan),
        known_gaps=known_gaps(plan),
        known_failures=plan.known_failures,
        day=datetime.now(UTC).date().isoformat(),
        digest=_digest(plan, checkouts, planned, walk, bisect),
        walk=walk,
        bisect=bisect,
        origin=checkouts.origin,
        shard=_shard_fact(plan, checkouts, planned),
    )


def _digest(
    plan: Plan,
    checkouts: Checkouts,
    planned: tuple[PlannedTest, ...],
    walk: WalkScope | None,
    bisect: BisectScope | None,
) -> str:
    """Of all that decides the outcome."""
    decides = {
        "trees": checkouts.trees,
        "arches": [arch.model_dump() for arch in plan.arches],
        "bases": [plan.recipes[arch.name].base for arch in plan.arches],
        "symbols": [plan.recipes[arch.name].symbols for arch in plan.arches],
        "planned": [asdict(test) for test in planned],
        "allow": plan.allow_unexercised,
        "known failures": [asdict(entry) for entry in plan.known_failures],
        "always boot": plan.always_boot,
        **({"host": plan.host.model_dump()} if plan.host else {}),
        **({"lab": plan.lab.model_dump()} if plan.lab else {}),
        **({"shard": str(plan.shard)} if plan.shard else {}),
        "harness": __version__,
        **({"walk": asdict(replace(walk, seed=0))} if walk else {}),
        **({"bisect": asdict(bisect)} if bisect else {}),
    }
    return digest(decides)


def _shard_fact(plan: Plan, checkouts: Checkouts, planned: tuple[PlannedTest, ...]) -> ShardFact | None:
    """What the machines that take the other parts come to as well."""
    whole, shard = plan.whole, plan.shard
    if not (whole and shard):
        return None
    parts = [Shard(number, shard.count).take(whole.arches) for number in range(1, shard.count + 1)]
    return ShardFact(
        number=shard.number,
        plan=digest({"whole": _digest(whole, checkouts, planned, None, None), "shards": shard.count}),
        arches=tuple(arch.name for arch in whole.arches),
        parts=tuple(tuple(arch.name for arch in part) for part in parts),
    )


def _host_facts() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {
        "architecture": platform.machine(),
        "cpus": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "system": system,
        "python": platform.python_version(),
    }
