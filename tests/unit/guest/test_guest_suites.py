# SPDX-License-Identifier: GPL-2.0-only
"""The suites of our own that measure: records, programs and manual agree."""

from __future__ import annotations

import re
from pathlib import Path

from harness.config.catalogue import find
from harness.config.suite import SuiteRecord
from harness.core.shipped import ROOT, WRAPPERS
from results.compare.measures.fork_storm import FEWEST_STORMS

MANUAL = ROOT / "docs" / "guest-tests.md"
RULE = re.compile(
    r"\{ &sweep_(?P<name>\w+), (?P<success>[^,]+), (?P<failure>[^,]+), \{ (?P<errors>[^}]+) \}, "
    r"\{ (?P<signals>[^}]+) \}, \w+,\s+\"(?P<source>[^\"]+)\" \}"
)
WORDS = {
    "ALL": "all",
    "ALL | EFFECT_PART": "all, or a part by its count",
    "NOTHING": "nothing",
    "SOME": "nothing or a part",
    "ANY": "anything",
}


SUITES = (
    "fault_sweep",
    "fault_sweep_lasting",
    "pgtable_cost",
    "timing",
    "fork_storm",
    "fork_storm_low_reserve",
)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rules() -> dict[str, re.Match[str]]:
    """The rows of the program's table, by operation."""
    return {rule["name"]: rule for rule in RULE.finditer(text(WRAPPERS / "fault_sweep" / "sweep_rules.c"))}


def manual_row(rule: re.Match[str]) -> str:
    ends = [word for word in re.split(r", ", f"{rule['errors']}, {rule['signals']}") if word != "0"]
    cells = (
        f"`{rule['name']}`",
        WORDS[rule["success"]],
        WORDS[rule["failure"]],
        ", ".join(ends) or "none",
        rule["source"],
    )
    return f"| {' | '.join(cells)} |"


def test_every_operation_is_a_case_that_asks_for_itself() -> None:
    for suite, options in (("fault_sweep", ()), ("fault_sweep_lasting", ("--lasting",))):
        cases = find(SuiteRecord, suite).cases
        assert {name: case.args for name, case in cases.items()} == {
            name: (*options, name) for name in rules()
        }


def test_the_manual_has_the_table_of_what_is_allowed() -> None:
    table = [line for line in text(MANUAL).splitlines() if line.startswith("| `")]
    assert [row for row in map(manual_row, rules().values()) if row not in table] == []


def test_no_operation_passes_without_evidence() -> None:
    for name in SUITES:
        suite = find(SuiteRecord, name)
        for case in suite.cases.values():
            assert suite.evidence if case.evidence is None else case.evidence


def test_every_suite_is_a_program_of_ours() -> None:
    for name in SUITES:
        suite = find(SuiteRecord, name)
        assert suite.program.wrapper
        assert (WRAPPERS / suite.program.name).is_dir()


def test_storms_of_the_records_prove_that_half_of_the_pmds_were_split() -> None:
    for case in (suite := find(SuiteRecord, "fork_storm")).cases.values():
        forks, thps, runs = map(int, case.args)
        wanted = (case.evidence or suite.evidence)["thp_split_pmd"]
        assert wanted == (forks + 1) * thps * runs // 2
        assert runs >= FEWEST_STORMS


def test_the_manual_has_the_sizes_of_the_storms() -> None:
    for name, case in find(SuiteRecord, "fork_storm").cases.items():
        assert f"| `{name}` | {' | '.join(case.args)} |" in text(MANUAL)
