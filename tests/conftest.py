# SPDX-License-Identifier: GPL-2.0-only
"""What all tests share: how many processes run them, and which are left to the night."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401  hooks

# The programs that tests start write bytecode anyway, and without it each worker compiles all modules again.
sys.dont_write_bytecode = False

# An example that takes longer than others, or drawing it, tells of the machine and not of what is tested.
# CI draws as many examples as Hypothesis does by default; a developer's runs are many, and each draws others.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=100 if os.environ.get("CI") == "true" else 30,
)
settings.load_profile("any machine")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `--numprocesses auto`; 0 for none, since a kernel's build takes all CPUs by itself."""
    return len(os.sched_getaffinity(0)) if config.option.markexpr == "not slow" else 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m "not slow"`, do not import modules that are slow as a whole."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return True if re.search(r"^pytestmark = .*pytest\.mark\.slow\b", text, re.MULTILINE) else None


def pytest_collection_finish() -> None:
    """Keep modules and collected tests out of each garbage collection: they live until the end."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out those marked `nightly` here: a developer's own `-m` would replace one in addopts."""
    if "nightly" in (config.option.markexpr or ""):
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in nightly]
