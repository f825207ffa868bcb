# SPDX-License-Identifier: GPL-2.0-only
"""What decides on a .config: kconfig is asked again only if one of these has changed.

From patch to patch it nearly always is, and to ask kconfig takes longer than to compile a file.
"""

from __future__ import annotations

from pathlib import Path

from harness.build.build_cache import digest
from harness.build.kernel.recipe import Recipe
from harness.build.toolchain import Compiler
from harness.config.arch import BuildRecord
from harness.sources.git.repository import GitError, Repository

READ_BY_KCONFIG = (
    "Makefile",
    "scripts",
    "kernel/configs",
    *(f":(glob)arch/*/{part}" for part in ("Makefile*", "configs/**", "tools/**", "scripts/**")),
    ":(glob)**/Kconfig*",
)
"""Git pathspecs: what decides on symbols, defaults and what the compiler is asked
(Documentation/kbuild/kconfig-language.rst and kconfig-macro-language.rst)."""


def kconfig_inputs(tree: Path, arch: BuildRecord, recipe: Recipe, compiler: Compiler) -> str:
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
