# SPDX-License-Identifier: GPL-2.0-only
"""Counters of /proc that a series adds or removes, as claims; attributes of sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.config.derivation import CounterTable, DerivationRecord
from harness.config.series import CounterClaim
from harness.plan.derive.line import DerivedLine, Subject
from harness.sources.series.changes import ChangedLine, FileChange
from harness.sources.series.guards import Guard

ADDED = CounterClaim(base="absent", series="present")
REMOVED = CounterClaim(base="present", series="absent")


def find_counters(
    subject: Subject, rules: DerivationRecord
) -> tuple[dict[str, CounterClaim], list[DerivedLine]]:
    """Return a claim for each counter that comes or goes, and a line for each."""
    claims: dict[str, CounterClaim] = {}
    lines: list[DerivedLine] = []
    for table in rules.counters:
        if file := subject.changes.get(table.file):
            for name, claim, line in _differences(file, table):
                why = _not_claimed(subject, line)
                verb = "adds" if claim is ADDED else "removes"
                says = f"the series {verb} it in {file.path}"
                if not why:
                    claims[name] = claim
                claimed = f"claimed: base {claim.base}, series {claim.series}"
                lines.append(DerivedLine("counter", name, not why, f"{says}; {why or claimed}"))
    return claims, [*lines, *_attributes(subject, rules)]


def _differences(
    file: FileChange, table: CounterTable
) -> Iterator[tuple[str, CounterClaim, ChangedLine | None]]:
    names = [set(re.findall(table.pattern, text or "")) for text in (file.before, file.after)]
    for claim, found, lines in (
        (ADDED, names[1] - names[0], file.added),
        (REMOVED, names[0] - names[1], file.removed),
    ):
        for name in sorted(found):
            line = next((line for line in lines if f'"{name}' in line.text), None)
            yield table.name.format(name), claim, line


def _not_claimed(subject: Subject, line: ChangedLine | None) -> str:
    """Why a counter may be missing although the series is right; empty if it surely is there."""
    if line is None:
        return "not claimed: no changed line names it"
    for guard in line.guards:
        lacking = [
            arch.name
            for arch in subject.plan.arches
            if not guard.holds(subject.plan.recipes[arch.name].symbols)
        ]
        if lacking:
            return f"not claimed: {_shown(guard)} is not asked for on {', '.join(lacking)}"
    return ""


def _shown(guard: Guard) -> str:
    wanted = (" or " if guard.any_of else " and ").join(guard.wanted)
    return " and ".join(filter(None, (wanted, *(f"no {name}" for name in guard.unwanted))))


def _attributes(subject: Subject, rules: DerivationRecord) -> Iterator[DerivedLine]:
    for file in subject.changes.files:
        if not file.path.endswith(".c") or file.path.startswith("tools/"):
            continue
        names = [set(re.findall(rules.attributes, text or "")) for text in (file.before, file.after)]
        for name in sorted(names[1] - names[0]):
            reason = f"the series adds the attribute in {file.path}; not watched: a claim can name its file"
            yield DerivedLine("sysfs", name, False, reason)
