# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the attacks: those of the quick tests."""

from __future__ import annotations

from tests.unit.commands.test_repro import original, past  # noqa: F401  fixtures
from tests.unit.conftest import cache, invoke, program  # noqa: F401  fixtures
