# SPDX-License-Identifier: GPL-2.0-only
"""Facts about architectures are in `configs/arches/`: no code decides by the name of one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMES = re.compile(
    r"(?<![a-z])(?:sparc|s390|x86|x64|amd64|arm64|aarch64|powerpc|ppc|pseries|riscv)", re.IGNORECASE
)
ALLOWED = {
    "results/splats/machinery.py": "functions of the kernel's entry code; one list serves every kernel",
    "results/splats/frames.py": "prefixes of system calls in call traces; they exclude each other",
}
"""Module → why the names that it holds are no decision."""


def names_in(path: Path) -> Iterator[str]:
    """Give the texts and identifiers that name an architecture; docstrings may, as examples."""
    module = path.read_text(encoding="utf-8")
    if not NAMES.search(module):
        return
    tree = ast.parse(module)
    words = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in words:
                pass
            case (
                ast.Name(id=text) | ast.Attribute(attr=text) | ast.FunctionDef(name=text) | ast.arg(arg=text)
            ):
                pass
            case _:
                continue
        if NAMES.search(text):
            yield text


MODULES = [path for room in ("harness", "results") for path in sorted((ROOT / room).rglob("*.py"))]


def test_no_module_knows_an_architecture() -> None:
    found = {str(path.relative_to(ROOT)): list(names_in(path)) for path in MODULES}
    assert {module: names for module, names in found.items() if names and module not in ALLOWED} == {}


@pytest.mark.parametrize("module", ALLOWED)
def test_what_is_allowed_is_needed(module: str) -> None:
    assert list(names_in(ROOT / module))


def test_a_decision_would_be_found(tmp_path: Path) -> None:
    code = tmp_path / "decides.py"
    code.write_text('"""Example: s390."""\nif arch.name == "s390":\n    pass\nSPARC_SIGNALS = {}\n')
    assert sorted(names_in(code)) == ["SPARC_SIGNALS", "s390"]
