# SPDX-License-Identifier: GPL-2.0-only
"""Compiles objects of one commit in one configuration, and remembers what the compiler said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.build.kernel.compile import Choice, CompiledObjects, compile_objects
from harness.build.kernel.kconfig import Fragment
from harness.build.kernel.recipe import TINY, Recipe, own_fragments
from harness.build.kernel.request import BuildContext, BuildRequest
from harness.build.toolchain import Compiler
from harness.config.arch import ArchRecord, BuildRecord
from harness.config.neighbourhood import DEFCONFIG, TEST_KERNEL, Configuration, Neighbourhood
from harness.engine.session import Session
from harness.plan.prepare import Checkout, code_origin, folder_name
from results.model.configs import Severity, Toolchain
from results.model.run import CompilerWarning

_PREFIX = "CONFIG_"
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Target:
    """An architecture and the compiler for it."""

    arch: BuildRecord
    folder: str
    """Of the architecture, below arch/."""
    toolchain: Toolchain
    compiler: Compiler

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self.arch.name if self.toolchain is Toolchain.GCC else f"{self.arch.name} ({self.toolchain})"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a compiler said of an object."""

    object: str
    severity: Severity
    diagnostic: CompilerWarning

    @property
    def identity(self) -> tuple[str, ...]:
        """The same wherever its lines have moved to."""
        text = _NUMBER.sub("N", self.diagnostic.text)
        return self.object, self.severity, self.diagnostic.file, self.diagnostic.flag, text


@dataclass(slots=True)
class Workshop:
    """Compiles all objects of a study in one worktree, with a folder of objects for each configuration."""

    session: Session
    rules: Neighbourhood

    def recipe(self, target: Target, configuration: Configuration) -> Recipe:
        """Return how a configuration is made on an architecture."""
        own = target.arch if isinstance(target.arch, ArchRecord) else None
        base = configuration.base
        fragments: tuple[Fragment, ...] = ()
        if base == TEST_KERNEL and own:
            base, fragments = TINY, own_fragments(own)
        elif base in (TEST_KERNEL, DEFCONFIG):
            base = target.arch.kernel.defconfig
        asked = Fragment(configuration.name, configuration.name, _named(configuration.symbols))
        always = Fragment("neighbourhood", "configs/neighbourhood.yaml", _named(self.rules.always))
        firm = (asked,) if configuration.is_firm else ()
        return Recipe(base, fragments, (always, asked) if asked.symbols else (always,), firm)

    def compile(
        self, target: Target, recipe: Recipe, checkout: Checkout, choose: Choice, log: str
    ) -> CompiledObjects:
        """Configure and compile.

        Raises:
            DroppedError, BuildError, HarnessError: as `compile_objects`.
        """
        session = self.session
        origin = code_origin(session.plan, session.checkouts.subject, checkout.commit)
        request = BuildRequest(
            target.arch, checkout.variant, checkout.commit, checkout.tree, target.compiler, recipe, origin
        )
        name = f"{folder_name(session.plan.tree.name)}-configs"
        stop = session.children.raise_if_stopping
        context = BuildContext(
            cache=session.workspace.cache,
            log_file=session.run_dir / log,
            log=session.progress.log,
            step=lambda steps: None,
            children=session.children,
            jobserver=session.jobserver,
            sources=lambda: session.worktrees.at(name, checkout.commit, stop),
        )
        return compile_objects(request, context, choose)


def _named(symbols: Mapping[str, str]) -> dict[str, str]:
    return {f"{_PREFIX}{name}": value for name, value in symbols.items()}


def said_by(compiled: CompiledObjects) -> list[Said]:
    """Return errors and warnings; of an object with an error, its errors only."""
    errors = [
        Said(made, Severity.ERROR, error)
        for made, found in compiled.compiled.errors.items()
        for error in found
    ]
    broken = {each.object for each in errors}
    warnings = [
        Said(made, Severity.WARNING, warning)
        for made, found in compiled.compiled.warnings.items()
        if made not in broken
        for warning in found
    ]
    return [*errors, *warnings]


def asked_words(recipe: Recipe) -> tuple[str, ...]:
    """Return the base and the symbols of a configuration, as a person would type them."""
    own = tuple(fragment.name for fragment in recipe.own)
    symbols = recipe.extra[-1].symbols if len(recipe.extra) > 1 else {}
    return (recipe.base, *own, *(f"{name}={value}" for name, value in symbols.items()))


def plain_commands(target: Target, recipe: Recipe, made: str, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the commands that compile one object without this program, in a checkout."""
    make = ("make", f"ARCH={target.arch.kernel.arch}", *target.compiler.variables, "O=build")
    symbols = [f"{name}={value}" for name, value in sorted(recipe.symbols.items())]
    return (
        shlex.join((*make, *recipe.base_words)),
        f"printf '%s\\n' {shlex.join(symbols)} >> build/.config",
        shlex.join((*make, "olddefconfig")),
        shlex.join((*make, *extra, made)),
    )
