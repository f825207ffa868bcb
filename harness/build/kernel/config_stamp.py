# SPDX-License-Identifier: GPL-2.0-only
"""Whether the .config in an O= folder is still what kconfig would make of the sources.

From patch to patch it nearly always is, and to ask kconfig takes longer than to compile a file.
"""

from __future__ import annotations

from pathlib import Path

from harness.build.build_cache import digest, sha256_of
from harness.build.kernel.recipe import Recipe
from harness.build.toolchain import Compiler
from harness.config.arch import ArchRecord
from harness.sources.git.repository import GitError, Repository

RECORD = "harness-config"
READ_BY_KCONFIG = (
    "Makefile",
    "scripts",
    "kernel/configs",
    *(f":(glob)arch/*/{part}" for part in ("Makefile*", "configs/**", "tools/**", "scripts/**")),
    ":(glob)**/Kconfig*",
)
"""Git pathspecs: what decides on symbols, defaults and what the compiler is asked
(Documentation/kbuild/kconfig-language.rst and kconfig-macro-language.rst)."""


def inputs(tree: Path, arch: ArchRecord, recipe: Recipe, compiler: Compiler) -> str:
    """Content address of all that a .config is made from; empty if the sources are no git worktree."""
    try:
        files = Repository(tree).run("ls-files", "--stage", "--", *READ_BY_KCONFIG)
    except GitError:
        return ""
    return digest(
        {
            "files": files,
            "base": recipe.base,
            "symbols": recipe.symbols,
            "compiler": [compiler.prefix, compiler.version],
            "arch": arch.kernel.arch,
        }
    )


def remember(objects: Path, made_from: str) -> None:
    """Note what the .config that is there now was made from."""
    (objects / RECORD).write_text(_mark(objects, made_from))


def is_current(objects: Path, made_from: str) -> bool:
    """Tell whether the .config was made from these inputs and is unchanged."""
    try:
        return bool(made_from) and (objects / RECORD).read_text() == _mark(objects, made_from)
    except OSError:
        return False


def _mark(objects: Path, made_from: str) -> str:
    return f"{made_from} {sha256_of(objects / '.config')}\n"
