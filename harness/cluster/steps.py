# SPDX-License-Identifier: GPL-2.0-only
"""The steps of real runs: a build, the guest's programs, a first guest with KVM, a boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.build.build_cache import IMAGE, BuildCache
from harness.build.guest.programs import ARCHIVE
from harness.build.guest.selftests import Selftests
from harness.build.kernel.kernel import BuildContext, KernelRequest, build_kernel, build_key
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


def _require(station: WorkerContext, arch: ArchRecord, compiler: Compiler) -> None:
    found = find_compiler(arch).version
    if found != compiler.version:
        raise InfrastructureError(
            f"{station.ability.machine} has compiler {found} now, not {compiler.version}",
            hint="Start its worker again.",
        )


def _need_commit(station: WorkerContext, commit: str) -> None:
    if not station.exchange.take_commit(commit, station.cache):
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

    def carry_out(self, station: WorkerContext) -> BuildDone:
        """Build, or take from the cache or the exchange; what is new is offered to the others."""
        request, steps = self.request, 0
        _require(station, request.arch, request.compiler)
        if not station.exchange.take(BUILDS, build_key(request), station.cache):
            _need_commit(station, request.commit)

        def count(number: int) -> None:
            nonlocal steps
            steps = number

        log = station.out / self.log
        log.parent.mkdir(parents=True)
        shop = BuildContext(
            cache=station.cache,
            log=log,
            say=station.say,
            step=count,
            children=station.children,
            jobserver=station.jobserver,
            sources=lambda: station.worktrees.at(
                self.worktree, request.commit, station.children.raise_if_stopping
            ),
        )
        build, folder = build_kernel(request, shop)
        station.children.raise_if_stopping()
        if build.error_is_infrastructure:
            raise InfrastructureError(f"{station.ability.machine}: {build.error}")
        if folder:
            station.exchange.offer(BUILDS, folder)
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

    def carry_out(self, station: WorkerContext) -> str:
        """Compile them; returns their key."""
        _require(station, self.arch, self.compiler)
        _need_commit(station, self.selftests.commit)
        archive = self.selftests.programs(self.compiler, station.cache)
        station.exchange.offer(PROGRAMS, archive.parent)
        return archive.parent.name


@dataclass(frozen=True, slots=True)
class Guest:
    """A kernel and its programs, wherever they are."""

    arch: ArchRecord
    build: str
    """Key of the build."""
    programs: str
    """Key of the programs."""

    def bring(self, station: WorkerContext) -> Bootable:
        """Have both in the worker's cache.

        Raises:
            InfrastructureError: if the exchange has not got them.
        """
        kernel = station.exchange.take(BUILDS, self.build, station.cache)
        programs = station.exchange.take(PROGRAMS, self.programs, station.cache)
        if not kernel or not programs or not BuildCache(station.cache).lookup(self.build):
            lacking = self.programs if kernel else self.build
            raise InfrastructureError(f"{station.exchange.folder} has no whole {lacking}")
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

    def carry_out(self, station: WorkerContext) -> accel.Accelerator:
        """Boot it, unless the answer is remembered."""
        bootable = self.guest.bring(station)
        found = choose_accelerator(bootable, self.qemu_version, station.cache, station.children)
        if found.name == "kvm":
            station.announce(kvm_tag(self.guest.arch.name))
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

    def carry_out(self, station: WorkerContext) -> BootDone:
        """Boot; log and initramfs go to the controller."""
        bootable = self.guest.bring(station)
        arch = self.guest.arch
        kind = qemu_kind(arch, self.accelerator) if self.kind == "qemu" else hercules_kind(arch)
        assert kind, "tags have seen to it"
        for name in ("boots", "logs"):
            (station.out / name).mkdir()
        with station.jobserver.hold(kind.cpus):
            kind = replace(kind, notes=self.notes)
            fact = boot(bootable, kind, self.request, station.out, station.children)
        station.children.raise_if_stopping()
        return BootDone(fact, {str(station.out): "out", str(bootable.kernel): "kernel"})
