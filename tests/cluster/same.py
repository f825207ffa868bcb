# SPDX-License-Identifier: GPL-2.0-only
"""What two runs of one plan have in common: results.json but for times, names and what varies by boot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TIMES = {"id", "started", "seconds", "command", "run_dir", "cached"}
"""Times, what has the run's folder or its arguments in it, and whether a kernel was there already; commands
of boots are compared apart.
"""
VARYING = {"nr_page_table_pages", "meminfo.PageTables", "lines"}
"""Two runs on one machine differ in these: what happens to be mapped when a test begins, and where in the
log it stands, since a kernel says more or less of its clocks.
"""


def essence(run_dir: Path) -> Any:
    """results.json of a run without what no two runs have in common."""
    document = json.loads((run_dir / "results.json").read_text())
    return _stripped(document, str(run_dir))


def commands(run_dir: Path) -> dict[str, list[str]]:
    """The command of each boot, with the run's folder left open."""
    document = json.loads((run_dir / "results.json").read_text())
    boots = [boot for cell in document["cells"] for boot in cell["boots"]]
    return {boot["id"]: [word.replace(str(run_dir), "RUN") for word in boot["command"]] for boot in boots}


def _stripped(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in TIMES | VARYING}
        return {key: _stripped(each, folder) for key, each in kept.items()}
    if isinstance(value, list):
        return [_stripped(each, folder) for each in value]
    return value.replace(folder, "RUN") if isinstance(value, str) else value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two of these are not the same, for people."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{path}[{number}]")]
    return [] if one == other else [f"{path}: {str(one)[:80]} | {str(other)[:80]}"]
