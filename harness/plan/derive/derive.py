# SPDX-License-Identifier: GPL-2.0-only
"""Derives suites and claims from the diff of a series, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.config.arch import ArchRecord
from harness.config.catalogue import Folders, load, load_all
from harness.config.derivation import DerivationRecord
from harness.config.series import CounterClaim
from harness.config.suite import SuiteRecord
from harness.core.shipped import CONFIGS
from harness.plan.derive.counters import find_counters
from harness.plan.derive.line import DerivedLine, Subject
from harness.plan.derive.suites import Chosen, choose_suites
from harness.plan.derive.symbols import find_symbols, folder_of
from harness.plan.plan import Plan, with_memory
from harness.plan.prepare import Checkouts
from harness.sources.git.mirror import open_mirror, path_hash
from harness.sources.series.changes import read_changes

NOTE = "the series has no record: tests and claims come from its diff (thp-harness plan says why)"


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a diff asks for."""

    lines: tuple[DerivedLine, ...] = ()
    suites: tuple[SuiteRecord, ...] = ()
    counters: tuple[tuple[str, CounterClaim], ...] = ()


def derive(plan: Plan, checkouts: Checkouts, cache: Path, folders: Folders = None) -> Derivation:
    """Derive a plan from the diff of its series; empty if a record names tests and claims.

    Suites that the user names with --tests stay.
    """
    if plan.series.in_file:
        return Derivation()
    rules = load(CONFIGS / "derivation.yaml", DerivationRecord)
    mirror = open_mirror(cache)
    series = checkouts.commit("series")
    changes = read_changes(mirror, checkouts.commit("base"), series)
    subject = Subject(plan.whole or plan, changes, lambda path: path_hash(cache, series, path) is not None)
    chosen = Chosen() if plan.tests_asked_for_by else choose_suites(subject, rules, folders)
    counters, about_counters = find_counters(subject, rules)
    lines = (
        *chosen.lines,
        *about_counters,
        *find_symbols(subject, rules, mirror, series),
        *_architectures(subject, rules, folders),
        *_kunit(subject, rules),
    )
    return Derivation(lines, tuple(chosen.suites.values()), tuple(counters.items()))


def complete(
    plan: Plan, checkouts: Checkouts, cache: Path, log: Callable[[str], None]
) -> tuple[Plan, Checkouts]:
    """Return the plan with what the diff of its series asks for, and a note in the subject if it does."""
    found = derive(plan, checkouts, cache)
    if not found.lines:
        return plan, checkouts
    log(NOTE)
    subject = replace(checkouts.subject, notes=(*checkouts.subject.notes, NOTE))
    return with_derivation(plan, found), replace(checkouts, subject=subject)


def with_derivation(plan: Plan, found: Derivation) -> Plan:
    """Return the plan with derived suites and claims."""
    suites = found.suites or plan.suites
    return replace(
        plan,
        suites=suites,
        arches=tuple(with_memory(arch, suites) for arch in plan.arches),
        series=plan.series.model_copy(update={"counters": dict(found.counters)}),
        whole=with_derivation(plan.whole, found) if plan.whole else None,
    )


def _architectures(subject: Subject, rules: DerivationRecord, folders: Folders) -> Iterator[DerivedLine]:
    changed: dict[str, str] = {}
    for file in subject.changes.files:
        parts = file.path.split("/")
        if parts[0] == "arch" and len(parts) > 2:
            changed.setdefault(parts[1], file.path)
    for folder, path in changed.items():
        here = [arch.name for arch in subject.plan.arches if folder_of(arch, rules) == folder]
        known = [mode.name for mode in _modes(folders) if folder_of(mode, rules) == folder]
        if here:
            why = f"in this run: {', '.join(here)}"
        elif known:
            why = f"not in this run: --arch {known[0]}"
        else:
            why = "not in this run: no record of an architecture is built from it"
        yield DerivedLine("architecture", folder, bool(here), f"the series changes {path}; {why}")


def _modes(folders: Folders) -> Iterator[ArchRecord]:
    for record in load_all(ArchRecord, folders).values():
        yield from record.in_modes()


def _kunit(subject: Subject, rules: DerivationRecord) -> Iterator[DerivedLine]:
    for file in subject.changes.files:
        if file.path.endswith(".c") and file.after and re.search(rules.kunit, file.after):
            reason = "the series changes this KUnit suite; not run: results of KUnit are not read"
            yield DerivedLine("kunit", file.path, False, reason)
