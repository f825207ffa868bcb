# SPDX-License-Identifier: GPL-2.0-only
"""The steps of real runs: a build, the guest's programs, a first guest with KVM, a boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.build.build_cache import IMAGE, BuildCache
from harness.build.guest.programs import ARCHIVE
from harness.build.guest.selftests import Selftests
from harness.build.kernel.kernel import build_kernel, build_key
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import Compiler, find_compiler
from harness.cluster.exchange import BUILDS, PROGRAMS
from harness.cluster.step_messages import MissingCommit, WorkerContext
from harness.cluster.tags import hercules_tag, kvm_tag, qemu_tag, toolchain_tag
from harness.config.arch import ArchRecord
from harness.core.errors import InfrastructureError
from harness.engine.boot import Bootable, BootRequest, boot, choose_accelerator
from harness.machines.kinds import hercules_kind, qemu_kind
from harness.machines.qemu import accel
from results.journal.journal import BootFact
from results.model.run import Build


def _require(context: WorkerContext, arch: ArchRecord, compiler: Compiler) -> None:
    found = find_compiler(arch).version
    if found != compiler.version:
        raise InfrastructureError(
            f"{context.ability.machine} has compiler {found} now, not {compiler.version}",
            hint="Start its worker again.",
        )


def _need_commit(context: WorkerContext, commit: str) -> None:
    if not context.exchange.take_commit(commit, context.cache):
        raise MissingCommit(commit)


@dataclass(frozen=True, slots=True)
class BuildDone:
    """A build, and the worker's path of its files."""

    build: Build
    steps: int
    folder: str


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One kernel."""

    request: KernelRequest
    worktree: str
    log: str
    """Path of the build's log in the run folder."""
    jobs: int
    """What the record's commands say of make's jobs."""

    @property
    def name(self) -> str:
        """Of the step."""
        return f"build-{self.request.arch.name}-{self.request.variant.replace('/', '-')}"

    @property
    def tags(self) -> frozenset[str]:
        """This very compiler."""
        return frozenset({toolchain_tag(self.request.arch.name, self.request.compiler.version)})

    @property
    def memory_mb(self) -> int:
        """No guest."""
        return 0

    @property
    def answer(self) -> Any:
        """A build."""
        return BuildDone

    @property
    def leaves(self) -> tuple[str, ...]:
        """Its log."""
        return (self.log,)

    def carry_out(self, context: WorkerContext) -> BuildDone:
        """Build, or take from the cache or the exchange; what is new is offered to the others."""
        request, steps = self.request, 0
        _require(context, request.arch, request.compiler)
        if not context.exchange.take(BUILDS, build_key(request), context.cache):
            _need_commit(context, request.commit)

        def count(number: int) -> None:
            nonlocal steps
            steps = number

        log = context.out / self.log
        log.parent.mkdir(parents=True)
        build_context = BuildContext(
            cache=context.cache,
            log_file=log,
            log=context.log,
            step=count,
            children=context.children,
            jobserver=context.jobserver,
            sources=lambda: context.worktrees.at(
                self.worktree, request.commit, context.children.raise_if_stopping
            ),
        )
        build, folder = build_kernel(request, build_context)
        context.children.raise_if_stopping()
        if build.error_is_infrastructure:
            raise InfrastructureError(f"{context.ability.machine}: {build.error}")
        if folder:
            context.exchange.offer(BUILDS, folder)
        commands = tuple(re.sub(r" -j\d+ ", f" -j{self.jobs} ", command) for command in build.commands)
        return BuildDone(replace(build, commands=commands), steps, str(folder or ""))


@dataclass(frozen=True, slots=True)
class ProgramsStep:
    """The initramfs of all boots of an architecture."""

    arch: ArchRecord
    compiler: Compiler
    selftests: Selftests

    @property
    def name(self) -> str:
        """Of the step."""
        return f"programs-{self.arch.name}"

    @property
    def tags(self) -> frozenset[str]:
        """This very compiler; it brings the libc."""
        return frozenset({toolchain_tag(self.arch.name, self.compiler.version)})

    @property
    def memory_mb(self) -> int:
        """No guest."""
        return 0

    @property
    def answer(self) -> Any:
        """A key."""
        return str

    @property
    def leaves(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def carry_out(self, context: WorkerContext) -> str:
        """Compile them; returns their key."""
        _require(context, self.arch, self.compiler)
        for commit in filter(None, (self.selftests.commit, self.selftests.base)):
            _need_commit(context, commit)
        archive = self.selftests.programs(self.compiler, context.cache)
        context.exchange.offer(PROGRAMS, archive.parent)
        return archive.parent.name


@dataclass(frozen=True, slots=True)
class Guest:
    """A kernel and its programs, wherever they are."""

    arch: ArchRecord
    build: str
    """Key of the build."""
    programs: str
    """Key of the programs."""

    def bring(self, context: WorkerContext) -> Bootable:
        """Have both in the worker's cache.

        Raises:
            InfrastructureError: if the exchange has not got them.
        """
        kernel = context.exchange.take(BUILDS, self.build, context.cache)
        programs = context.exchange.take(PROGRAMS, self.programs, context.cache)
        if not kernel or not programs or not BuildCache(context.cache).lookup(self.build):
            lacking = self.programs if kernel else self.build
            raise InfrastructureError(f"{context.exchange.folder} has no whole {lacking}")
        return Bootable(self.arch, kernel / IMAGE, programs / ARCHIVE)


@dataclass(frozen=True, slots=True)
class KvmStep:
    """Finds out whether a guest boots with KVM on one machine, which remembers it."""

    guest: Guest
    qemu_version: str
    machine: str

    @property
    def name(self) -> str:
        """Of the step."""
        return f"kvm-{self.guest.arch.name}-on-{self.machine}"

    @property
    def tags(self) -> frozenset[str]:
        """This version of QEMU."""
        return frozenset({qemu_tag(self.guest.arch.name, self.qemu_version)})

    @property
    def memory_mb(self) -> int:
        """That of the guest."""
        return self.guest.arch.qemu.memory_mb

    @property
    def answer(self) -> Any:
        """The accelerator."""
        return accel.Accelerator

    @property
    def leaves(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def carry_out(self, context: WorkerContext) -> accel.Accelerator:
        """Boot it, unless the answer is remembered."""
        bootable = self.guest.bring(context)
        found = choose_accelerator(bootable, self.qemu_version, context.cache, context.children)
        if found.name == "kvm":
            context.announce(kvm_tag(self.guest.arch.name))
        return found


@dataclass(frozen=True, slots=True)
class BootDone:
    """A boot, and the worker's paths that its command names."""

    fact: BootFact
    paths: Mapping[str, str]
    """Path on the worker → what it is: `out` or `kernel`."""


@dataclass(frozen=True, slots=True)
class BootStep:
    """One boot."""

    guest: Guest
    request: BootRequest
    kind: str
    """Name of the kind of machine."""
    version: str
    """Of the emulator."""
    accelerator: accel.Accelerator
    notes: tuple[str, ...]
    """Of the kind, as the controller knows it."""

    @property
    def name(self) -> str:
        """Of the step."""
        return f"boot-{self.request.id}"

    @property
    def tags(self) -> frozenset[str]:
        """The emulator, and KVM if that was chosen for all boots of the architecture."""
        arch = self.guest.arch
        if self.kind != "qemu":
            return frozenset({hercules_tag(arch.name, self.version)})
        kvm = {kvm_tag(arch.name)} if self.accelerator.name == "kvm" else set()
        return frozenset({qemu_tag(arch.name, self.version), *kvm})

    @property
    def memory_mb(self) -> int:
        """That of the guest."""
        arch = self.guest.arch
        facts = arch.hercules if self.kind != "qemu" and arch.hercules else arch.qemu
        return facts.memory_mb

    @property
    def answer(self) -> Any:
        """A boot."""
        return BootDone

    @property
    def leaves(self) -> tuple[str, ...]:
        """Its initramfs, its log, and what pstore kept."""
        return (f"boots/{self.request.id}.", f"logs/{self.request.id}.")

    def carry_out(self, context: WorkerContext) -> BootDone:
        """Boot; log and initramfs go to the controller."""
        bootable = self.guest.bring(context)
        arch = self.guest.arch
        kind = qemu_kind(arch, self.accelerator) if self.kind == "qemu" else hercules_kind(arch)
        assert kind, "tags have seen to it"
        for name in ("boots", "logs"):
            (context.out / name).mkdir()
        with context.jobserver.hold(kind.cpus):
            kind = replace(kind, notes=self.notes)
            fact = boot(bootable, kind, self.request, context.out, context.children)
        context.children.raise_if_stopping()
        return BootDone(fact, {str(context.out): "out", str(bootable.kernel): "kernel"})
