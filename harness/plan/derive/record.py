# SPDX-License-Identifier: GPL-2.0-only
"""Writes a derived plan as records to edit: one of the series, and one of its selftests if it has any."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from harness.config.suite import SuiteRecord
from harness.plan.derive.derive import Derivation
from harness.plan.derive.line import DerivedLine
from harness.plan.plan import Plan
from harness.sources.series.find import RANGE, split_range
from harness.sources.trees.tree import LocalTree

SELFTESTS = "-selftests"


def write_records(plan: Plan, found: Derivation, title: str, name: str, suite_file: str) -> dict[str, str]:
    """Return the texts of the record, under the key `series`, and of its suite, under `suite`.

    `name` is that of the record, and `suite_file` how the record refers to the suite.
    """
    collections = [suite for suite in found.suites if suite.is_collection]
    texts = {"series": _series(plan, found, title, name, suite_file)}
    for suite in collections:
        texts["suite"] = _suite(suite, name + SELFTESTS)
    return texts


def _series(plan: Plan, found: Derivation, title: str, name: str, suite_file: str) -> str:
    reasons = {line.name: line.reason for line in found.lines}
    tests = [(suite_file if suite.is_collection else suite.name, suite) for suite in found.suites]
    lines = [
        f"# Written from the diff of the series; edit it. Then: thp-harness run --series {name}",
        f"name: {json.dumps(name)}",
        f"title: {json.dumps(title, ensure_ascii=False)}",
        f"source: {json.dumps(_source(plan), ensure_ascii=False)}",
        f"tree: {json.dumps(_tree(plan), ensure_ascii=False)}",
        "tests:",
        *(f"  - {json.dumps(shown)}   # {_why(suite, reasons)}" for shown, suite in tests),
        "counters:" if found.counters else "counters: {}",
    ]
    for counter, claim in found.counters:
        lines.append(f"  {counter}: {{base: {claim.base}, series: {claim.series}}}   # {reasons[counter]}")
    return "\n".join((*lines, *_remarks(found.lines))) + "\n"


def _why(suite: SuiteRecord, reasons: dict[str, str]) -> str:
    return reasons.get(suite.name) or ", ".join(suite.cases)


def _remarks(lines: Iterable[DerivedLine]) -> Iterator[str]:
    """What the record can't say, as comments."""
    others = [line for line in lines if not line.taken or line.kind in ("config", "architecture")]
    if others:
        yield "# What else the diff asks for (+ the run has it, - it has not):"
    for line in others:
        yield f"#   {line.text}"


def _suite(suite: SuiteRecord, name: str) -> str:
    named = suite.model_copy(update={"name": name, "about": "Selftests that the series adds or changes"})
    return yaml.safe_dump(named.model_dump(mode="json", exclude_defaults=True), sort_keys=False)


def _source(plan: Plan) -> str:
    """The source of the series wherever the record lies."""
    source = plan.series_source
    if not source.startswith(RANGE):
        return source
    path, base, tip = split_range(source)
    if path is None and isinstance(plan.tree.source, LocalTree):
        path = plan.tree.source.path
    return f"{RANGE}{path.expanduser().absolute()}@{base}..{tip}" if path else source


def _tree(plan: Plan) -> str:
    """The tree wherever the record lies."""
    source = plan.tree.source
    if isinstance(source, LocalTree):
        return f"{source.path.expanduser().absolute()}@{source.revision}"
    file = Path(plan.series.tree)
    return str(file.absolute()) if file.suffix in (".yaml", ".yml") else plan.series.tree
