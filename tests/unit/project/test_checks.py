# SPDX-License-Identifier: GPL-2.0-only
"""The checks that no test runs: `make check`, and the same as hooks of pre-commit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SCRIPTS = [
    path
    for folder in ("ci", ".ci", "tests/lab")
    for path in sorted((ROOT / folder).iterdir())
    if path.is_file() and re.match(rb"#!.*\b(ba)?sh\n", path.read_bytes())
]


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed (ci/test-packages)")
def test_shellcheck_accepts_every_script() -> None:
    assert {"run", "check-free-space", "install-packages", "test-packages", "netboot.sh"} <= {
        s.name for s in SCRIPTS
    }
    answer = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, check=False)
    assert answer.stdout == ""


def test_pre_commit_runs_what_make_check_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].replace(" --force-exclude", "") for hook in repository["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck: ")[2].partition("\n\n")[0]
    checks = [line.replace("\t$(BIN)/", ".venv/bin/").removesuffix(" .") for line in recipe.splitlines()[1:]]
    assert len(checks) > 4
    assert hooks == [*checks, "shellcheck"]


@pytest.mark.slow
def test_codespell_finds_nothing() -> None:
    codespell = Path(sys.executable).with_name("codespell")
    answer = subprocess.run([codespell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout == ""
