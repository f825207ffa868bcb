# SPDX-License-Identifier: GPL-2.0-only
"""The layout: each room imports only those below it, and docs/architecture.md has a map of all rooms."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[3]
MOST_ENTRIES = 14
STILL_FULL: set[str] = set()
PACKAGES = sorted(
    str(init.parent.relative_to(ROOT))
    for room in ("harness", "results")
    for init in ROOT.glob(f"{room}/**/__init__.py")
)


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


def mapped() -> list[str]:
    """Read the first cells of the map of rooms, from top to bottom."""
    section = (
        (ROOT / "docs" / "architecture.md").read_text().partition("\n### Rooms\n")[2].partition("\n## ")[0]
    )
    return [cell.removesuffix("/") for cell in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)]


def test_the_map_has_each_package_once() -> None:
    folders = [name for name in mapped() if not name.endswith(".py")]
    assert len(PACKAGES) > 30
    assert sorted(folders) == [name for name in PACKAGES if "/" in name], "docs/architecture.md, Rooms"


def test_the_map_has_the_order_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = contracts[0]["layers"]
    rooms = [name.removesuffix(".py").replace("/", ".") for name in mapped() if name.count("/") == 1]
    assert rooms == layers, "docs/architecture.md, Rooms"


# harness/cli has a module for each command, by its name: it grows with them and is a list already.
@pytest.mark.parametrize("package", [package for package in PACKAGES if package != "harness/cli"])
def test_a_room_can_be_taken_in_at_a_glance(package: str) -> None:
    entries = [path.name for path in (ROOT / package).iterdir() if not path.name.startswith("__")]
    assert (len(entries) > MOST_ENTRIES) == (package in STILL_FULL), sorted(entries)
