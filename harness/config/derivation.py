# SPDX-License-Identifier: GPL-2.0-only
"""Rules for the plan of a series that has no record: `configs/derivation.yaml`."""

from __future__ import annotations

from collections.abc import Mapping

from harness.config.record import Items, Pattern, Record


class SuiteRule(Record):
    """Suites that changed files or lines ask for."""

    tests: Items[str]
    """Names of `configs/tests/*.yaml`."""
    reason: str
    paths: Items[str] = ()
    """Shell patterns of changed files; `*` also stands for slashes."""
    words: Items[str] = ()
    """Identifiers in changed lines."""


class CounterTable(Record):
    """A file of the kernel that names counters of /proc."""

    file: str
    pattern: Pattern
    """Its group is the name."""
    name: str
    """The name in a claim, `{}` standing for the group."""


class SelftestFolder(Record):
    """Selftests that are built as the programs of a suite are."""

    folder: str
    suite: str


class DerivationRecord(Record):
    """All rules."""

    name: str
    about: str
    suites: Items[SuiteRule]
    counters: Items[CounterTable]
    attributes: Pattern
    """A new attribute of sysfs; its group is the name."""
    kunit: Pattern
    """The registration of a KUnit suite."""
    selftests: SelftestFolder
    arch_folders: Mapping[str, str]
    """ARCH of make → its folder below arch/, where the names differ."""
