# SPDX-License-Identifier: GPL-2.0-only
"""A cluster as a place where plans are carried out: which of its tools are used, and the steps of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.build.guest.programs import ARCHIVE
from harness.build.guest.selftests import Selftests
from harness.build.kernel.kernel import blank_build, build_key
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import Compiler, compiler_packages
from harness.cluster.controller import StepDispatcher, StepFailedError, WorkerInfo, WorkerList
from harness.cluster.exchange import BUILDS, PROGRAMS, Exchange
from harness.cluster.steps import BootDone, BootStep, BuildDone, BuildStep, Guest, KvmStep, ProgramsStep
from harness.cluster.tags import harness_tag, kvm_tag, qemu_tag
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError, InfrastructureError, UsageError
from harness.core.version import program_version
from harness.engine.boot import Bootable, BootRequest
from harness.engine.executor import Executor, RunContext, Tools, ToolsByArch, emulators, sort_tools
from harness.machines.kinds import MachineKind, qemu_kind
from harness.machines.qemu.accel import Accelerator
from harness.machines.qemu.machine import Qemu
from harness.plan.plan import Plan
from results.journal.journal import BootFact
from results.model.run import ICOUNT, BootEnd, Build


@dataclass(frozen=True, slots=True)
class _Versions:
    """Of the tools that all steps of one architecture use, wherever they are carried out."""

    compiler: str
    qemu: str
    hercules: str
    """Empty where there is none."""


class Cluster:
    """Workers that a scheduler knows."""

    def __init__(self, client: Any, exchange: Exchange, log: Callable[[str], None]) -> None:
        self._client = client
        self._exchange = exchange
        self._log = log
        self._versions: dict[str, _Versions] = {}

    def find_tools(self, plan: Plan) -> ToolsByArch:
        """Settle on one version of each tool, so that what is compared was made with the same ones.

        Raises:
            HarnessError: if no architecture has its tools; the missing tag is named.
        """
        if plan.host:
            raise UsageError(
                f"the host {plan.host.name} boots from this machine only",
                hint="Leave out --host, or --scheduler and --cluster.",
            )
        if plan.lab:
            raise UsageError(
                f"the lab {plan.lab.name} is asked from this machine only",
                hint="Leave out --lab, or --scheduler and --cluster.",
            )
        members = self._of_our_version()
        return sort_tools(plan, lambda arch: self._tools(arch, members))

    def _of_our_version(self) -> list[WorkerInfo]:
        ours, members = program_version(), WorkerList(self._client).members()
        if not members:
            raise InfrastructureError(
                f"no worker has joined {self._client.scheduler.address}",
                hint="Start one on each machine: thp-harness cluster worker ADDRESS",
            )
        for each in members:
            if each.ability.harness != ours:
                self._log(
                    f"worker {each.ability.worker} is left out: its program version is "
                    f"{each.ability.harness}, ours is {ours}"
                )
        same = [each for each in members if harness_tag(ours) in each.tags]
        if not same:
            versions = ", ".join(sorted({each.ability.harness for each in members}))
            raise UsageError(
                f"no worker has our program version {ours}; they have {versions}",
                hint="Install the same version everywhere, then start the workers again.",
            )
        return same

    def _tools(self, arch: ArchRecord, members: list[WorkerInfo]) -> Tools:
        compiler = _most_common(each.ability.compilers.get(arch.name) for each in members)
        qemu = _most_common(each.ability.qemu.get(arch.name) for each in members)
        for tag, found, packages in (
            ("toolchain", compiler, compiler_packages(arch)),
            ("qemu", qemu, (arch.qemu.package,)),
        ):
            if not found:
                raise UsageError(
                    f"no worker has {tag}-{arch.name}",
                    hint=f"On one of them: apt-get install {' '.join(packages)}; then start it again.",
                )
        hercules = _most_common(each.ability.hercules.get(arch.name) for each in members)
        missing = ""
        if arch.hercules and not hercules:
            missing = f"no worker has hercules-{arch.name}, so only QEMU boots {arch.name}"
        self._versions[arch.name] = _Versions(compiler, qemu, hercules)
        return Tools(Compiler(arch.compiler.prefix, compiler), qemu, missing)

    def begin(self, run: RunContext) -> Executor:
        """Be ready for the steps of a run."""
        dispatcher = StepDispatcher(self._client, run.run_dir, self._exchange, run.workspace.cache, self._log)
        return _Remote(run, dispatcher, self._exchange, self._versions)


def _most_common(versions: Iterable[str | None]) -> str:
    """Return the version that most workers have, the last in order of equally many; empty without any."""
    counted = Counter(filter(None, versions))
    return max(counted, key=lambda version: (counted[version], version), default="")


class _Remote:
    """Carries out the steps of one run on workers."""

    def __init__(
        self, run: RunContext, dispatcher: StepDispatcher, exchange: Exchange, versions: dict[str, _Versions]
    ) -> None:
        self._run = run
        self._dispatcher = dispatcher
        self._exchange = exchange
        self._versions = versions
        self._accelerators: dict[str, Accelerator] = {}
        self._builders: dict[str, str] = {}
        """Architecture's kernel → the worker that has its objects."""
        self.shares_cpus = False

    def width(self) -> int:
        """Workers may come and go."""
        return self._dispatcher.width()

    def build(
        self, request: KernelRequest, worktree: str, context: BuildContext
    ) -> tuple[Build, Path | None]:
        run, key = self._run, build_key(request)
        log = str(context.log_file.relative_to(run.run_dir))
        step = BuildStep(request, worktree, log, run.plan.jobs)
        lane = request.arch.kernel_name
        try:
            delivery = self._dispatcher.do(step, run.run_dir, prefer=self._builders.get(lane, ""))
            self._builders[lane] = delivery.worker
            done: BuildDone = delivery.value
            _require_same(done.build.key, key)
            _require_same((done.build.arch, done.build.variant), (request.arch.name, request.variant))
            context.step(done.steps)
            if not done.build.ok:
                return done.build, None
            return done.build, self._take(BUILDS, key)
        except HarnessError as error:
            failed = replace(blank_build(request, key), error=str(error), error_is_infrastructure=True)
            return failed, None

    def _take(self, kind: str, key: str) -> Path:
        entry = self._exchange.take(kind, key, self._run.workspace.cache)
        if entry is None:
            raise InfrastructureError(f"{self._exchange.folder} has no whole {key}")
        return entry

    def programs(self, tools: Tools, arch: ArchRecord, selftests: Selftests) -> Path:
        step = ProgramsStep(arch, tools.compiler, selftests)
        return self._take(PROGRAMS, self._dispatcher.do(step, self._run.run_dir).value) / ARCHIVE

    def machine_kinds(self, bootable: Bootable, tools: Tools) -> tuple[MachineKind, ...]:
        """QEMU with KVM if any worker can, else with emulation; Hercules if any worker has it."""
        arch = bootable.arch
        accelerator = self._accelerators[arch.name] = self._accelerator(bootable, tools)
        qemu = qemu_kind(arch, accelerator)
        return emulators(arch, qemu, tools.hercules_missing)

    def _accelerator(self, bootable: Bootable, tools: Tools) -> Accelerator:
        """The same for all boots of an architecture: base and series are compared."""
        name = bootable.arch.name
        tags = {qemu_tag(name, tools.qemu_version), harness_tag(program_version())}
        members = [each for each in self._dispatcher.roster.members() if tags <= each.tags]
        known = [each for each in members if kvm_tag(name) in each.tags]
        notes = {each.ability.notes.get(name, "") for each in members}
        if not known:
            untried = [each for each in members if name in each.ability.kvm_untried]
            answers = self._try_kvm(bootable, tools, untried)
            notes = (notes if len(untried) < len(members) else set()) | {each.note for each in answers}
            known = [each for each in untried if any(answer.name == "kvm" for answer in answers)]
        if known:
            return Accelerator("kvm")
        return Accelerator("tcg", notes.pop() if len(notes) == 1 else "KVM works on no worker")

    def _try_kvm(self, bootable: Bootable, tools: Tools, untried: list[WorkerInfo]) -> list[Accelerator]:
        def ask(member: WorkerInfo) -> Accelerator:
            step = KvmStep(_guest(bootable), tools.qemu_version, member.ability.worker)
            try:
                answer: Accelerator = self._dispatcher.do(
                    step, self._run.run_dir, only=member.ability.worker
                ).value
                return answer
            except StepFailedError as error:
                return Accelerator("tcg", str(error))

        with ThreadPoolExecutor(max(len(untried), 1), thread_name_prefix="kvm") as pool:
            return list(pool.map(ask, untried))

    def cpu_slots(self, cpus: int) -> AbstractContextManager[Any]:
        """The worker has it; its memory is known to the scheduler, it manages its CPUs itself."""
        return nullcontext()

    def boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> BootFact:
        versions = self._versions[bootable.arch.name]
        step = BootStep(
            guest=_guest(bootable),
            request=request,
            kind=kind.name,
            version=versions.qemu if kind.name == Qemu.name else versions.hercules,
            accelerator=Accelerator(ICOUNT) if kind.counts else self._accelerators[bootable.arch.name],
            notes=kind.notes,
        )
        try:
            done: BootDone = self._dispatcher.do(step, self._run.run_dir).value
            _require_same(done.fact.id, request.id)
            _require_same((done.fact.arch, done.fact.variant), (bootable.arch.name, request.variant))
            _require_same(done.fact.log, f"logs/{request.id}.log")
        except StepFailedError as error:
            return self._no_boot(bootable, kind, request, str(error))
        here = {"out": str(self._run.run_dir), "kernel": str(bootable.kernel)}
        command = done.fact.command
        for path, meaning in done.paths.items():
            command = tuple(word.replace(path, here[meaning]) for word in command)
        return replace(done.fact, command=command)

    def _no_boot(self, bootable: Bootable, kind: MachineKind, request: BootRequest, why: str) -> BootFact:
        """A boot that no machine could do: the machine's failure, as on one machine."""
        log = self._run.run_dir / "logs" / f"{request.id}.log"
        log.write_bytes(b"")
        return BootFact(
            id=request.id,
            arch=bootable.arch.name,
            variant=request.variant,
            purpose=request.purpose,
            nonce="",
            tests=tuple(test.name for test in request.tests),
            machine=kind.name,
            accelerator="",
            end=BootEnd.MACHINE,
            detail=why,
            seconds=0.0,
            log=str(log.relative_to(self._run.run_dir)),
            command=(),
        )

    def stop(self) -> None:
        """Cancel every step; the workers end what they have started for it."""
        self._dispatcher.stop()

    def close(self) -> None:
        """Leave nothing in the exchange that only this run needs."""
        self._dispatcher.close()


def _require_same(told: object, asked: object) -> None:
    """Refuse a worker's answer to another question.

    Raises:
        StepFailedError: naming both.
    """
    if told != asked:
        raise StepFailedError(f"a worker delivered {told}, and was asked for {asked}")


def _guest(bootable: Bootable) -> Guest:
    return Guest(bootable.arch, bootable.kernel.parent.name, bootable.programs.parent.name)
