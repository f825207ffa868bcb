# SPDX-License-Identifier: GPL-2.0-only
"""One cache for all tests of a module, so that the guest's programs are compiled once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program


@pytest.fixture(scope="module")
def programs(new_program: Callable[[], Program]) -> Program:
    """The program with the cache and the runs of the whole module."""
    return new_program()


@pytest.fixture
def program(programs: Program, tmp_path: Path) -> Program:
    """The same cache, but a state folder of the test's own."""
    return Program(programs.cache_home, tmp_path / "state")
