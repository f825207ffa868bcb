# SPDX-License-Identifier: GPL-2.0-only
"""Compiles single objects in one configuration; no kernel comes of it, and nothing is linked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.build.build_cache import digest
from harness.build.kernel.make import Compiled, Kbuild, kbuild
from harness.build.kernel.objects import Objects, empty_objects, open_objects
from harness.build.kernel.origin import claim_objects
from harness.build.kernel.request import BuildContext, BuildRequest
from harness.core.locks import locked

Choice = Callable[[Mapping[str, str]], Sequence[str]]
"""Which objects to compile, by the symbols of the final .config."""
_WAITING = "waiting for another process that compiles in the same configuration"


@dataclass(frozen=True, slots=True)
class CompiledObjects:
    """Objects that were compiled in one configuration."""

    symbols: Mapping[str, str]
    """Of the final .config."""
    chosen: tuple[str, ...]
    compiled: Compiled


def objects_name(request: BuildRequest) -> str:
    """Name of the folder of objects, which is kept for the next series."""
    recipe, compiler = request.recipe, request.compiler
    mark = digest({"base": recipe.base, "symbols": recipe.symbols, "llvm": compiler.llvm, "objects": True})
    return f"{request.arch.kernel_name}+{mark[:8]}"


def compile_objects(request: BuildRequest, context: BuildContext, choose: Choice) -> CompiledObjects:
    """Configure, and compile what `choose` wants of it.

    What fails on objects of earlier makes is made once more from nothing, and only that counts.

    Raises:
        DroppedError: if kconfig drops a symbol that was asked for.
        BuildError: if make fails, and no object is to blame.
        HarnessError: if the machine or a tool is to blame.
    """
    folder = context.cache / "objects" / objects_name(request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    busy = locked(
        folder.with_suffix(".lock"), lambda: context.log(_WAITING), context.children.raise_if_stopping
    )
    with busy, context.jobserver.hold(), context.sources() as tree:
        claim_objects(folder, request.origin)
        makes = kbuild(request, context, tree, folder)
        objects = open_objects(folder, tree, request.tree)
        has_old_ones = not objects.is_empty
        found = _compile(makes, objects, choose)
        if found.compiled.errors and has_old_ones:
            context.log(f"{request.arch.name}: {folder.name} begins from nothing, since only that counts")
            found = _compile(makes, empty_objects(folder), lambda _: found.chosen)
        return found


def _compile(makes: Kbuild, objects: Objects, choose: Choice) -> CompiledObjects:
    symbols = makes.configure(objects)
    makes.context.children.raise_if_stopping()
    chosen = tuple(choose(symbols))
    if not chosen:
        objects.seal(makes.request.tree)
        return CompiledObjects(symbols, (), Compiled({}, {}))
    compiled = makes.compile(objects, chosen)
    makes.context.children.raise_if_stopping()
    return CompiledObjects(symbols, chosen, compiled)
