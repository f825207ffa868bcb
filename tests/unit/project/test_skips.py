# SPDX-License-Identifier: GPL-2.0-only
"""A test that CI skips without a listed reason is a failure there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLE = """
import pytest

def test_listed():
    pytest.skip("mounting takes root and a machine that allows it")

@pytest.mark.skipif(True, reason="the compiler is gone")
def test_unlisted():
    pass

@pytest.mark.xfail(reason="known")
def test_known():
    assert False
"""


SKIPPED_MODULE = 'import pytest\npytest.importorskip("no_such_module")\n'


def run(folder: Path, ci: str) -> str:
    (folder / "test_sample.py").write_text(SAMPLE)
    (folder / "test_module.py").write_text(SKIPPED_MODULE)
    plugins = ("-p", "tests.skips", "-p", "no:cacheprovider", "--continue-on-collection-errors")
    command = [sys.executable, "-m", "pytest", *plugins, str(folder)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return answer.stdout


@pytest.mark.parametrize(
    ("ci", "summary"),
    [("true", "1 skipped, 1 xfailed, 2 errors"), ("", "3 skipped, 1 xfailed")],
)
def test_an_unlisted_skip_fails_in_ci_only(tmp_path: Path, ci: str, summary: str) -> None:
    printed = run(tmp_path, ci)
    assert summary in printed
    for reason in ("the compiler is gone", "could not import 'no_such_module'"):
        assert (f"does not list the reason: {reason}" in printed) == (ci == "true")
