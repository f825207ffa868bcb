# SPDX-License-Identifier: GPL-2.0-only
"""Who carries out the steps of a run: this machine, or others.

A step is one build, the guest's programs, or one boot. What a step is for, what follows from it and
what is recorded of it is the same wherever it is carried out, and stands in `arch_work.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness.build.guest.selftests import Selftests
from harness.build.kernel.kernel import BuildContext, KernelRequest, build_kernel
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
from harness.plan.plan import Plan
from results.journal.journal import BootFact
from results.model.run import Build

ToolsByArch = tuple[Mapping[str, "Tools"], Mapping[str, HarnessError]]
"""Tools by architecture, and what is wrong with the others."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What one architecture is built and booted with."""

    compiler: Compiler
    qemu_version: str
    hercules_missing: str = ""
    """Why an architecture that could use Hercules boots without it."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What whoever carries out steps must know of their run."""

    plan: Plan
    workspace: Workspace
    run_dir: Path
    children: Children
    jobserver: Jobserver
    host: HostLease | None
    lab: Lab | None


class Executor(Protocol):
    """Carries out the steps of one run; all of it may be called by several threads."""

    shares_cpus: bool
    """Whether builds take time from each other, so that one which is alone is done earlier."""

    def width(self) -> int:
        """So many tasks at once are enough, now."""

    def build(self, request: KernelRequest, worktree: str, shop: BuildContext) -> tuple[Build, Path | None]:
        """As `build_kernel`: the record, and the folder of the files in our cache."""

    def programs(self, tools: Tools, arch: ArchRecord, selftests: Selftests) -> Path:
        """The initramfs of all boots of an architecture, as `build_programs`."""

    def machine_kinds(self, bootable: Bootable, tools: Tools) -> tuple[MachineKind, ...]:
        """What can boot this architecture."""

    def room(self, cpus: int) -> AbstractContextManager[Any]:
        """Held while a guest with so many CPUs runs."""

    def boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> BootFact:
        """As `harness.engine.boot.boot`: log and initramfs are in the run folder then."""

    def stop(self) -> None:
        """Make everything that is running end soon."""

    def close(self) -> None:
        """Let go of everything; nothing is running any more."""


class Site(Protocol):
    """Where plans are carried out."""

    def find_tools(self, plan: Plan) -> ToolsByArch:
        """What there is for each architecture.

        Raises:
            HarnessError: if no architecture has its tools.
        """

    def begin(self, run: RunContext) -> Executor:
        """Be ready for the steps of a run."""


class ThisMachine:
    """The site that is always there."""

    def find_tools(self, plan: Plan) -> ToolsByArch:
        """What is installed here."""
        return sort_tools(plan, lambda arch: _tools(arch, emulated=plan.emulated))

    def begin(self, run: RunContext) -> Executor:
        """Nothing to prepare."""
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
    """What is wrong with Hercules here; empty where it is there, or no use."""
    try:
        if arch.hercules:
            emulator.require(arch.hercules)
    except HarnessError as error:
        return f"{error}, so only QEMU boots {arch.name} ({error.hint})"
    return ""


def emulators(arch: ArchRecord, qemu: MachineKind, missing: str) -> tuple[MachineKind, ...]:
    """QEMU, and Hercules unless something is missing for it."""
    hercules = None if missing else hercules_kind(arch)
    qemu = replace(qemu, notes=(*qemu.notes, missing)) if missing else qemu
    return (qemu, hercules) if hercules else (qemu,)


def emulators_here(
    bootable: Bootable, qemu_version: str, missing: str, cache: Path, children: Children
) -> tuple[MachineKind, ...]:
    """The emulators of this machine, QEMU with KVM if a guest has really booted with it here."""
    accelerator = choose_accelerator(bootable, qemu_version, cache, children)
    return emulators(bootable.arch, qemu_kind(bootable.arch, accelerator), missing)


class _Local:
    """Carries out the steps in this process, with one pool of CPU tokens."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self.shares_cpus = True

    def width(self) -> int:
        return self._run.jobserver.tokens

    def build(self, request: KernelRequest, worktree: str, shop: BuildContext) -> tuple[Build, Path | None]:
        return build_kernel(request, shop)

    def programs(self, tools: Tools, arch: ArchRecord, selftests: Selftests) -> Path:
        return selftests.programs(tools.compiler, self._run.workspace.cache)

    def machine_kinds(self, bootable: Bootable, tools: Tools) -> tuple[MachineKind, ...]:
        """QEMU, and Hercules where it is installed; or the host, or the lab."""
        run = self._run
        if run.host:
            return (host_kind(run.host),)
        if run.lab:
            return (lab_kind(run.lab, bootable.arch),)
        missing, cache = tools.hercules_missing, run.workspace.cache
        return emulators_here(bootable, tools.qemu_version, missing, cache, run.children)

    def room(self, cpus: int) -> AbstractContextManager[Any]:
        return self._run.jobserver.hold(cpus)

    def boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> BootFact:
        return boot(bootable, kind, request, self._run.run_dir, self._run.children)

    def stop(self) -> None:
        """The run's own children are all there is."""

    def close(self) -> None:
        """Nothing of its own."""
