# SPDX-License-Identifier: GPL-2.0-only
"""The first fact of a run: its plan, with the tests that exist in its sources."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.build.build_cache import digest
from harness.config.suite import SuiteRecord
from harness.core.errors import UsageError
from harness.core.version import program_version
from harness.plan.plan import Plan, claims, known_gaps, wholly_allowed
from harness.plan.prepare import Checkouts
from harness.plan.shard import Shard
from harness.sources.git.mirror import path_hash
from results.journal.journal import PlanFact, Scope, ShardFact, WalkScope
from results.model.bisect import BisectScope
from results.model.configs import ConfigScope
from results.model.document import FolderKind
from results.model.reached import ChangedFile
from results.model.run import PlannedTest


@dataclass(frozen=True, slots=True)
class FoundTests:
    """What the two trees have of a plan's suites."""

    suites: tuple[SuiteRecord, ...]
    """With the cases whose sources the series' tree has: what both kernels run."""
    gone: tuple[str, ...] = ()
    """Tests that only base's tree has."""
    new: tuple[str, ...] = ()
    """Tests, or whole suites, that only the series' tree has."""


def find_tests(plan: Plan, checkouts: Checkouts, cache: Path, log: Callable[[str], None]) -> FoundTests:
    """Look for the sources of the suites in both trees.

    Raises:
        UsageError: if the series' record asks for a suite that neither tree has.
    """
    present: list[SuiteRecord] = []
    gone: list[str] = []
    new: list[str] = []
    for suite in plan.suites:
        lacking = _lacking(suite, cache, checkouts.commit("series"))
        lacking_on_base = _lacking(suite, cache, checkouts.commit("base"))
        gone += [f"{suite.name}.{name}" for name in lacking if name not in lacking_on_base]
        new += _new(suite, [name for name in lacking_on_base if name not in lacking])
        if len(lacking) < len(suite.cases):
            present.append(suite.without(lacking))
        elif plan.tests_asked_for_by and len(lacking_on_base) == len(suite.cases):
            raise UsageError(
                f"{plan.tests_asked_for_by} asks for the tests {suite.name}, "
                f"but neither the series nor the tree has {next(iter(lacking.values()))}",
                hint="Correct `tests:` in the series' record, or choose with --tests.",
            )
        else:
            log(f"{suite.name} is left out: the series does not bring {next(iter(lacking.values()))}")
            continue
        for name, source in lacking.items():
            log(f"{suite.name}.{name} is left out: the tree has no {source}")
    return FoundTests(tuple(present), tuple(gone), tuple(new))


def _lacking(suite: SuiteRecord, cache: Path, commit: str) -> dict[str, str]:
    """Cases whose source a tree does not have, and which."""
    return {
        name: program.tree_sources[0]
        for name, program in suite.programs_of_tree.items()
        if not path_hash(cache, commit, program.tree_sources[0])
    }


def _new(suite: SuiteRecord, names: Sequence[str]) -> list[str]:
    return [suite.name] if len(names) == len(suite.cases) else [f"{suite.name}.{name}" for name in names]


def plan_fact(
    plan: Plan,
    checkouts: Checkouts,
    planned: tuple[PlannedTest, ...],
    command: Sequence[str],
    scope: Scope | None = None,
    found: FoundTests | None = None,
    changed: tuple[ChangedFile, ...] | None = None,
) -> PlanFact:
    """Return the first fact of a run, or of what `scope` is about; `id` is left open."""
    gone, new = (found.gone, found.new) if found else ((), ())
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
        digest=_digest(plan, checkouts, planned, scope),
        walk=scope if isinstance(scope, WalkScope) else None,
        bisect=scope if isinstance(scope, BisectScope) else None,
        config=scope if isinstance(scope, ConfigScope) else None,
        kind=_kind(scope),
        origin=checkouts.origin,
        shard=_shard_fact(plan, checkouts, planned),
        gone_tests=gone,
        new_tests=new,
        changed=changed,
        reached_percent=None if changed is None else plan.series.reached_percent,
    )


def _kind(scope: Scope | None) -> FolderKind:
    match scope:
        case WalkScope():
            return FolderKind.WALK
        case BisectScope():
            return FolderKind.BISECT
        case ConfigScope():
            return FolderKind.CONFIG
        case None:
            return FolderKind.RUN


def _digest(
    plan: Plan, checkouts: Checkouts, planned: tuple[PlannedTest, ...], scope: Scope | None = None
) -> str:
    """Return a digest of everything that decides the outcome."""
    decides = {
        "trees": checkouts.trees,
        "arches": [arch.model_dump() for arch in plan.arches],
        "bases": [plan.recipes[arch.name].base for arch in plan.arches],
        "symbols": [plan.recipes[arch.name].symbols for arch in plan.arches],
        "planned": [asdict(test) for test in planned],
        "allow": plan.allow_unexercised,
        "known failures": [asdict(entry) for entry in plan.known_failures],
        "always boot": plan.always_boot,
        **({"reached": plan.series.reached_percent} if plan.reached else {}),
        **({"host": plan.host.model_dump()} if plan.host else {}),
        **({"lab": plan.lab.model_dump()} if plan.lab else {}),
        **({"shard": str(plan.shard)} if plan.shard else {}),
        "harness": program_version(),
    }
    if scope:
        decides[_kind(scope)] = asdict(replace(scope, seed=0) if isinstance(scope, WalkScope) else scope)
    return digest(decides)


def _shard_fact(plan: Plan, checkouts: Checkouts, planned: tuple[PlannedTest, ...]) -> ShardFact | None:
    """Return the part of the plan that this machine takes; all parts have the same `plan`."""
    whole, shard = plan.whole, plan.shard
    if not (whole and shard):
        return None
    parts = [Shard(number, shard.count).take(whole.arches) for number in range(1, shard.count + 1)]
    return ShardFact(
        number=shard.number,
        plan=digest({"whole": _digest(whole, checkouts, planned), "shards": shard.count}),
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
