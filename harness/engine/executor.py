# SPDX-License-Identifier: GPL-2.0-only
"""Where the steps of a run are carried out: on this machine, or on others.

A step is one build, the guest's programs, or one boot. Its purpose, its record and what follows from it do
not depend on the machine: see `arch_runner.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness.build.guest.selftests import Selftests
from harness.build.kernel.kernel import build_kernel
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import Compiler, find_compiler
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.core.workspace import Workspace
from harness.engine.boot import Bootable, BootRequest, boot, choose_accelerator
from harness.machines import emulator
from harness.machines.host.lease import HostLease
from harness.machines.kinds import MachineKind, hercules_kind, host_kind, lab_kind, qemu_kind
from harness.machines.lava.lab import Lab
from harness.machines.qemu.accel import Accelerator
from harness.plan.plan import Plan
from results.journal.journal import BootFact
from results.model.run import ICOUNT, Build

ToolsByArch = tuple[Mapping[str, "Tools"], Mapping[str, HarnessError]]
"""Tools by architecture, and the errors of the architectures without tools."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The compiler and the emulators of one architecture."""

    compiler: Compiler
    qemu_version: str
    hercules_missing: str = ""
    """Why an architecture that could use Hercules boots without it."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What an executor needs to know about the run."""

    plan: Plan
    workspace: Workspace
    run_dir: Path
    children: Children
    jobserver: Jobserver
    host: HostLease | None
    lab: Lab | None


class Executor(Protocol):
    """Carries out the steps of one run; all methods are thread-safe."""

    shares_cpus: bool
    """Whether builds share the same CPUs, so that a single build ends earlier."""

    def width(self) -> int:
        """Return the useful number of concurrent tasks; it may change."""

    def build(
        self, request: KernelRequest, worktree: str, context: BuildContext
    ) -> tuple[Build, Path | None]:
        """Build as `build_kernel` does; returns the record, and the folder of the files in our cache."""

    def programs(self, tools: Tools, arch: ArchRecord, selftests: Selftests) -> Path:
        """Build the initramfs of all boots of an architecture, as `Selftests.programs` does."""

    def machine_kinds(self, bootable: Bootable, tools: Tools) -> tuple[MachineKind, ...]:
        """Return the machines that can boot this architecture."""

    def cpu_slots(self, cpus: int) -> AbstractContextManager[Any]:
        """Return a context that holds CPU tokens for a guest."""

    def boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> BootFact:
        """Boot as `harness.engine.boot.boot` does, with log and initramfs in the run folder."""

    def stop(self) -> None:
        """Make all running steps end soon."""

    def close(self) -> None:
        """Release all resources; no step may be running."""


class Site(Protocol):
    """A place where plans are carried out."""

    def find_tools(self, plan: Plan) -> ToolsByArch:
        """Return the tools of each architecture.

        Raises:
            HarnessError: if no architecture has its tools.
        """

    def begin(self, run: RunContext) -> Executor:
        """Return an executor for the steps of a run."""


class ThisMachine:
    """This machine as a site."""

    def find_tools(self, plan: Plan) -> ToolsByArch:
        """Return the tools that are installed here."""
        return sort_tools(plan, lambda arch: _tools(arch, emulated=plan.emulated))

    def begin(self, run: RunContext) -> Executor:
        """Return an executor in this process."""
        return _Local(run)


def sort_tools(plan: Plan, look: Callable[[ArchRecord], Tools]) -> ToolsByArch:
    """Ask `look` for the tools of every architecture of a plan.

    Raises:
        HarnessError: if no architecture has its tools.
    """
    tools: dict[str, Tools] = {}
    lacking: dict[str, HarnessError] = {}
    for arch in plan.arches:
        try:
            tools[arch.name] = look(arch)
        except HarnessError as error:
            lacking[arch.name] = error
    if not tools:
        raise next(iter(lacking.values()))
    return tools, lacking


def _tools(arch: ArchRecord, *, emulated: bool) -> Tools:
    compiler = find_compiler(arch)
    if not emulated:
        return Tools(compiler, qemu_version="")
    return Tools(compiler, emulator.require(arch.qemu), hercules_missing(arch))


def hercules_missing(arch: ArchRecord) -> str:
    """Return why Hercules can't be used; empty if it can, or if the architecture does not need it."""
    try:
        if arch.hercules:
            emulator.require(arch.hercules)
    except HarnessError as error:
        return f"{error}, so only QEMU boots {arch.name} ({error.hint})"
    return ""


def emulators(arch: ArchRecord, qemu: MachineKind, missing: str) -> tuple[MachineKind, ...]:
    """Return QEMU, Hercules unless `missing` says why not, and QEMU that counts instructions."""
    hercules = None if missing else hercules_kind(arch)
    qemu = replace(qemu, notes=(*qemu.notes, missing)) if missing else qemu
    counting = qemu_kind(arch, Accelerator(ICOUNT))
    return (qemu, hercules, counting) if hercules else (qemu, counting)


def emulators_here(
    bootable: Bootable, qemu_version: str, missing: str, cache: Path, children: Children
) -> tuple[MachineKind, ...]:
    """Return the emulators of this machine; QEMU uses KVM if a guest has booted with it here."""
    accelerator = choose_accelerator(bootable, qemu_version, cache, children)
    return emulators(bootable.arch, qemu_kind(bootable.arch, accelerator), missing)


class _Local:
    """Carries out steps in this process, with one pool of CPU tokens."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self.shares_cpus = True

    def width(self) -> int:
        return self._run.jobserver.tokens

    def build(
        self, request: KernelRequest, worktree: str, context: BuildContext
    ) -> tuple[Build, Path | None]:
        return build_kernel(request, context)

    def programs(self, tools: Tools, arch: ArchRecord, selftests: Selftests) -> Path:
        return selftests.programs(tools.compiler, self._run.workspace.cache)

    def machine_kinds(self, bootable: Bootable, tools: Tools) -> tuple[MachineKind, ...]:
        """Return the host or the lab of the run; else QEMU, and Hercules if it is installed."""
        run = self._run
        if run.host:
            return (host_kind(run.host),)
        if run.lab:
            return (lab_kind(run.lab, bootable.arch),)
        missing, cache = tools.hercules_missing, run.workspace.cache
        return emulators_here(bootable, tools.qemu_version, missing, cache, run.children)

    def cpu_slots(self, cpus: int) -> AbstractContextManager[Any]:
        return self._run.jobserver.hold(cpus)

    def boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> BootFact:
        return boot(bootable, kind, request, self._run.run_dir, self._run.children)

    def stop(self) -> None:
        """Do nothing: the session ends its own children."""

    def close(self) -> None:
        """Do nothing: there are no own resources."""
