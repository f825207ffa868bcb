# SPDX-License-Identifier: GPL-2.0-only
"""Runs kbuild: configuration and make, in the sandbox, on objects that can be trusted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.build.ccache import find_ccache
from harness.build.kernel import diagnostics, kconfig
from harness.build.kernel.confine import sandbox_of, way_out
from harness.build.kernel.kconfig_inputs import kconfig_inputs
from harness.build.kernel.objects import Objects, empty_objects
from harness.build.kernel.profile import profile_variables
from harness.build.kernel.request import BuildContext, BuildRequest
from harness.core.errors import InfrastructureError
from harness.core.process import (
    BoundsError,
    OutputBoundError,
    ProcessBoundError,
    clean_environment,
    run_logged,
)
from harness.core.sandbox import Sandbox
from results.model.run import CompilerWarning
from results.text import first_line

REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "thp-harness",
    "KBUILD_BUILD_HOST": "thp-harness",
    "KBUILD_BUILD_VERSION": "1",
}
"""Documentation/kbuild/reproducible-builds.rst: equal sources give equal images."""
AGAIN = "building again from nothing, since only that counts"


class BuildError(Exception):
    """The kernel did not build.

    `error` is the first error and its context, `failed` the object that was not made, if it is one.
    """

    def __init__(self, error: str, failed: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.failed = failed


class DroppedError(BuildError):
    """kconfig dropped symbols that a fragment asks for; `lost` has a line for each."""

    def __init__(self, lost: Sequence[str]) -> None:
        super().__init__("kconfig dropped what a fragment asks for: " + "\n".join(lost))
        self.lost = tuple(lost)


class ClockSkewError(InfrastructureError):
    """make saw files from the future."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a make has come to."""

    symbols: Mapping[str, str]
    """Of the final .config."""
    warnings: tuple[CompilerWarning, ...]
    """Of all objects, also of those that earlier builds made."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of single objects."""

    warnings: Mapping[str, Sequence[CompilerWarning]]
    """By object, also of those that an earlier make compiled."""
    errors: Mapping[str, Sequence[CompilerWarning]]
    """By object, which is one that was asked for, or one that all others need."""
    crashed: tuple[str, ...] = ()
    """Objects under which the compiler itself failed: nothing is known of them."""
    first_error: str = ""
    """With its context; empty if there was none."""


@dataclass(frozen=True, slots=True)
class Kbuild:
    """The makes of one kernel."""

    request: BuildRequest
    context: BuildContext
    tree: Path
    """The sources."""
    command: tuple[str, ...]
    """make, with all arguments but the target."""
    environment: Mapping[str, str]
    sandbox: Sandbox

    def make(self, objects: Objects, target: str) -> Made:
        """Configure and make the kernel, or what else `target` names.

        A failure counts only if the build started from nothing: else it may come from the objects.

        Raises:
            BuildError: if the kernel does not build.
            InfrastructureError: if the machine is to blame.
        """
        from_nothing = objects.is_empty
        failed = ""
        try:
            return self._once(objects, target)
        except (BuildError, ClockSkewError) as failure:
            self.context.children.raise_if_stopping()
            if isinstance(failure, BuildError):
                if from_nothing:
                    raise
                failed = failure.failed
            cell = f"{self.request.arch.name} {self.request.variant}"
            self.context.log(f"{cell}: {first_line(str(failure))}; {AGAIN}")
        with self.context.log_file.open("ab") as log:
            log.write(f"# {AGAIN}\n".encode())
        return self._from_nothing(empty_objects(objects.folder), target, failed)

    def _from_nothing(self, objects: Objects, target: str, failed: str) -> Made:
        """Make the object that failed, since that takes seconds; if it compiles now, make everything."""
        if failed:
            try:
                self._once(objects, failed)
            except BuildError as failure:
                if failure.failed == failed:
                    raise
        return self._once(objects, target)

    def configure(self, objects: Objects) -> Mapping[str, str]:
        """Write the final .config, unless the one that is there still holds, and return its symbols.

        Raises:
            DroppedError: if kconfig drops a symbol that was asked for.
            BuildError: if kconfig fails.
            InfrastructureError: if the machine is to blame.
        """
        with self.context.log_file.open("ab") as log:
            return self._configure(objects, log)

    def compile(self, objects: Objects, targets: Sequence[str]) -> Compiled:
        """Make some objects, as many as there can be; the folder is configured.

        Raises:
            BuildError: if make fails, and names no object that it could not make.
            InfrastructureError: if the machine is to blame.
        """
        lines: list[str] = []
        with self.context.log_file.open("ab") as log:
            options = ("--keep-going", "--output-sync=target")
            status = self._run(objects, (*options, *targets), log, lines.append)
        objects.note_warnings(self.tree, lines)
        if diagnostics.has_clock_skew(lines):
            raise ClockSkewError("make saw files that are newer than the clock, which was set back")
        if status != -signal.SIGKILL:
            objects.seal(self.request.tree)
        errors = diagnostics.errors_by_object(lines, self.tree)
        crashed = diagnostics.crashed_objects(lines)
        if (not errors and not crashed) or diagnostics.is_machines_fault(lines):
            self._raise_for(status, lines)
        own = {made: found for made, found in objects.warnings.items() if made in targets}
        broken = {made: found for made, found in errors.items() if made not in crashed}
        return Compiled(own, broken, crashed, diagnostics.first_error(lines, self.tree) if status else "")

    def _once(self, objects: Objects, target: str) -> Made:
        lines: list[str] = []
        steps = 0

        def follow(line: str) -> None:
            nonlocal steps
            lines.append(line)
            if diagnostics.step_of(line):
                steps += 1
                self.context.step(steps)

        with self.context.log_file.open("ab") as log:
            symbols = self._configure(objects, log)
            status = self._run(objects, ("--output-sync=target", target), log, follow)
        warnings = objects.note_warnings(self.tree, lines)
        if diagnostics.has_clock_skew(lines):
            raise ClockSkewError("make saw files that are newer than the clock, which was set back")
        stopped_at = self.context.children.stopped_at
        if status >= 0 or (stopped_at and status != -signal.SIGKILL):
            objects.seal(self.request.tree, stopped_at)
        self._raise_for(status, lines)
        return Made(symbols, warnings)

    def _configure(self, objects: Objects, log: BinaryIO) -> Mapping[str, str]:
        """Write the final .config, unless the one that is there still holds, and return it.

        Raises:
            BuildError: if kconfig fails, or drops a symbol that was asked for.
        """
        recipe = self.request.recipe
        config = objects.folder / ".config"
        made_from = kconfig_inputs(self.tree, self.request.arch, recipe, self.request.compiler)
        if made_from and made_from == objects.configured_from and config.is_file():
            log.write(b"# .config is left as it is: nothing that kconfig reads has changed\n")
            return kconfig.read_symbols(config.read_text().splitlines(), str(config))
        objects.configured_from = ""
        self._run_kconfig(objects, recipe.base_words, log)
        with config.open("a") as file:
            file.write(kconfig.as_config(recipe.symbols))
        self._run_kconfig(objects, ("olddefconfig",), log)
        final = kconfig.read_symbols(config.read_text().splitlines(), str(config))
        if lost := kconfig.dropped(recipe.fragments if recipe.firm is None else recipe.firm, final):
            raise DroppedError(lost)
        objects.configured_from = made_from
        return final

    def _run_kconfig(self, objects: Objects, words: Sequence[str], log: BinaryIO) -> None:
        lines: list[str] = []
        self._raise_for(self._run(objects, words, log, lines.append), lines)

    def _run(
        self, objects: Objects, arguments: Sequence[str], log: BinaryIO, on_line: Callable[[str], None]
    ) -> int:
        """Run make in its sandbox; its exit status, or the negative number of the signal that ended it.

        Raises:
            BuildError: if it prints or starts processes without end, or leaves what must not be opened
                outside of the sandbox.
            InfrastructureError: if it takes too long, or too much memory.
        """
        jobserver = self.context.jobserver
        try:
            status = run_logged(
                (*self.command, *arguments),
                cwd=self.tree,
                log=log,
                on_line=on_line,
                environment=clean_environment(**self.environment, MAKEFLAGS=jobserver.makeflags),
                children=self.context.children,
                inherit=jobserver.descriptors,
                sandbox=self.sandbox,
            )
        except (OutputBoundError, ProcessBoundError) as error:
            raise BuildError(f"make was ended: {error}") from None
        except BoundsError as error:
            raise InfrastructureError(f"make was ended: {error}") from None
        if place := way_out(objects.folder, self.tree):
            raise BuildError(f"make left {place}, which is no file, or a link to one outside of its folders")
        return status

    def _raise_for(self, status: int, lines: Sequence[str]) -> None:
        """Raise for a make that failed.

        Raises:
            BuildError: if the sources are to blame.
            InfrastructureError: if a signal ended make, or the machine had no room for the compiler.
        """
        if status < 0:
            raise InfrastructureError(f"make was ended by {signal.Signals(-status).name}")
        if status:
            error = diagnostics.first_error(lines, self.tree)
            if diagnostics.is_machines_fault(lines):
                raise InfrastructureError(error)
            raise BuildError(error, diagnostics.failed_object(lines))


def kbuild(request: BuildRequest, context: BuildContext, tree: Path, objects: Path) -> Kbuild:
    """Return the makes of a kernel with O=`objects`.

    Raises:
        InfrastructureError: if ccache is there, but can't be trusted.
    """
    compiler = request.compiler
    prefix = compiler.prefix
    ccache = None if compiler.llvm else find_ccache(context.cache)
    if ccache:
        ccache.prove(prefix)
    command = (
        *("make", "-C", str(tree), f"O={objects}"),
        *(f"ARCH={request.arch.kernel.arch}", *compiler.variables),
        *(ccache.variables(prefix) if ccache else ()),
        *profile_variables(request.profiled),
    )
    trusted = not request.origin
    variables = (ccache.environment if trusted else ccache.read_only) if ccache else {}
    sandbox = sandbox_of(compiler.program, tree, objects, ccache, trusted=trusted)
    return Kbuild(request, context, tree, command, {**REPRODUCIBLE, **variables}, sandbox)
