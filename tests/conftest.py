"""How many processes run the tests: the quick ones use every CPU, kernels are built and booted one by one."""

from __future__ import annotations

import os

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `--numprocesses auto`; 0 for none, since a kernel's build takes all CPUs by itself."""
    return len(os.sched_getaffinity(0)) if config.option.markexpr == "not slow" else 0
