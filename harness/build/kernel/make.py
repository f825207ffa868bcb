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
from harness.build.kernel.request import BuildContext, KernelRequest
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
class Kbuild:
    """The makes of one kernel."""

    request: KernelRequest
    context: BuildContext
    tree: Path
    """The sources."""
    command: tuple[str, ...]
    """make, with all arguments but the target."""
    environment: Mapping[str, str]
    sandbox: Sandbox

    def make(self, objects: Objects) -> Made:
        """Configure and make the kernel.

        A failure counts only if the build started from nothing: else it may come from the objects.

        Raises:
            BuildError: if the kernel does not build.
            InfrastructureError: if the machine is to blame.
        """
        from_nothing = objects.is_empty
        failed = ""
        try:
            return self._once(objects, self.request.arch.kernel.target)
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
        return self._from_nothing(empty_objects(objects.folder), failed)

    def _from_nothing(self, objects: Objects, failed: str) -> Made:
        """Make the object that failed, since that takes seconds; if it compiles now, make everything."""
        if failed:
            try:
                self._once(objects, failed)
            except BuildError as failure:
                if failure.failed == failed:
                    raise
        return self._once(objects, self.request.arch.kernel.target)

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
        self._run_kconfig(objects, recipe.base, log)
        with config.open("a") as file:
            file.write(kconfig.as_config(recipe.symbols))
        self._run_kconfig(objects, "olddefconfig", log)
        final = kconfig.read_symbols(config.read_text().splitlines(), str(config))
        if lost := kconfig.dropped(recipe.fragments, final):
            raise BuildError("kconfig dropped what a fragment asks for: " + "\n".join(lost))
        objects.configured_from = made_from
        return final

    def _run_kconfig(self, objects: Objects, target: str, log: BinaryIO) -> None:
        lines: list[str] = []
        self._raise_for(self._run(objects, (target,), log, lines.append), lines)

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


def kbuild(request: KernelRequest, context: BuildContext, tree: Path, objects: Path) -> Kbuild:
    """Return the makes of a kernel with O=`objects`.

    Raises:
        InfrastructureError: if ccache is there, but can't be trusted.
    """
    prefix = request.compiler.prefix
    ccache = find_ccache(context.cache)
    if ccache:
        ccache.prove(prefix)
    command = (
        *("make", "-C", str(tree), f"O={objects}"),
        *(f"ARCH={request.arch.kernel.arch}", f"CROSS_COMPILE={prefix}"),
        *(ccache.variables(prefix) if ccache else ()),
    )
    trusted = not request.origin
    variables = (ccache.environment if trusted else ccache.read_only) if ccache else {}
    sandbox = sandbox_of(prefix, tree, objects, ccache, trusted=trusted)
    return Kbuild(request, context, tree, command, {**REPRODUCIBLE, **variables}, sandbox)
