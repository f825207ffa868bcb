# SPDX-License-Identifier: GPL-2.0-only
"""The layout: each room imports only those below it (the contracts are in pyproject.toml)."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[3]


def test_imports_go_in_one_direction(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_every_source_file_names_its_licence() -> None:
    folders = ("harness", "results", "kselftest_wrappers", "ci", "configs/kconfig", "tests/unit")
    sources = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".c", ".h", ".css", ".js", ".config", ".yml"} and path.stat().st_size
    ]
    assert len(sources) > 300
    assert [path for path in sources if "SPDX-License-Identifier" not in path.read_text()[:200]] == []
