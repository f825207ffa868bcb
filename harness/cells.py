"""What is done for one architecture: two kernels are built, then booted until nothing is left to learn.

What fails is recorded, not raised: the other cells go on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boot import Bootable, BootRequest, boot, choose_accelerator
from harness.build.kernel import KernelRequest, Workshop, build_kernel
from harness.build.programs import build_programs
from harness.build.toolchain import Compiler
from harness.checkout.mirror import path_hash
from harness.config import ArchRecord
from harness.errors import HarnessError, UsageError
from harness.machine.accel import Accelerator
from harness.next_boot import next_boot
from harness.schedule import Kind, Task
from harness.session import Session
from results.assemble import VARIANTS
from results.journal import BootFact
from results.model import Build, Capabilities


@dataclass(frozen=True, slots=True)
class Tools:
    """What one architecture is built and booted with."""

    compiler: Compiler
    qemu_version: str


def give_up(session: Session, arch: ArchRecord, reason: UsageError) -> None:
    """Record that an architecture can't be built here; the others go on."""
    session.progress.say(f"{arch.name}: {reason} ({reason.hint})")
    for variant in VARIANTS:
        session.record_build(_unbuilt(session, arch, variant, f"{reason}; {reason.hint}"))


def _unbuilt(session: Session, arch: ArchRecord, variant: str, reason: str) -> Build:
    return Build(
        arch=arch.name,
        variant=variant,
        ok=False,
        key="",
        cached=False,
        seconds=0.0,
        commit=session.checkouts.commit(variant),
        compiler="",
        error=reason,
        error_is_infrastructure=True,
    )


class ArchWork:
    """One architecture's tasks, and what its two cells share."""

    def __init__(self, session: Session, arch: ArchRecord, tools: Tools) -> None:
        self._session = session
        self._arch = arch
        self._tools = tools
        self._sharing = threading.Lock()
        self._accelerator: Accelerator | None = None

    def tasks(self) -> list[Task]:
        """Both builds; each is followed by the boots of its kernel."""
        return [self._build_task(variant) for variant in VARIANTS]

    def _build_task(self, variant: str) -> Task:
        self._session.progress.await_turn(self._label(variant))

        def action() -> Sequence[Task]:
            kernel = self._build(variant)
            return [self._boot_task(variant, kernel)] if kernel else []

        seconds = self._session.history.expect("build", self._arch.name).seconds
        return Task(self._arch.name, Kind.BUILD, seconds, action)

    def _boot_task(self, variant: str, kernel: Path) -> Task:
        def action() -> Sequence[Task]:
            self._boot_all(variant, kernel)
            return []

        seconds = self._session.history.expect("boot", self._arch.name).seconds
        return Task(self._arch.name, Kind.BOOT, seconds, action)

    def _label(self, variant: str) -> str:
        return f"{self._arch.name} {variant}"

    def _build(self, variant: str) -> Path | None:
        """Build one kernel and record it; returns the folder of its files."""
        session, arch = self._session, self._arch
        log = session.run_dir / "logs" / f"{arch.name}-{variant}-build.log"
        request = KernelRequest(
            arch=arch,
            variant=variant,
            commit=session.checkouts.commit(variant),
            tree=session.checkouts.trees[variant],
            compiler=self._tools.compiler,
        )
        expected = session.history.expect("build", arch.name)
        with session.progress.activity(
            self._label(variant), "build", expected.seconds, expected.steps
        ) as doing:
            shop = Workshop(
                cache=session.workspace.cache,
                log=log,
                say=session.progress.say,
                step=doing.step,
                children=session.children,
                jobserver=session.jobserver,
                sources=lambda: session.sources(variant),
            )
            build, kernel = build_kernel(request, shop)
            doing.outcome = _build_outcome(build)
        session.children.raise_if_stopping()
        if build.ok and not build.cached:
            session.history.learn("build", arch.name, build.seconds, doing.steps)
        if log.exists():
            build = replace(build, log=str(log.relative_to(session.run_dir)))
        session.record_build(build)
        return kernel

    def _boot_all(self, variant: str, kernel: Path) -> None:
        """Boot a cell until there is nothing more to learn of it."""
        session = self._session
        try:
            with self._sharing:
                bootable = Bootable(self._arch, kernel / "image", self._initramfs())
                accelerator = self._choose_accelerator(bootable)
        except HarnessError as error:
            session.progress.say(f"{self._label(variant)}: {error}")
            session.record_build(_unbuilt(session, self._arch, variant, str(error)))
            return
        while wanted := next_boot(session.planned, session.cell(self._arch.name, variant)):
            number = len(session.cell(self._arch.name, variant).boots) + 1
            name = f"{self._arch.name}-{variant}-{number}"
            self._boot_once(bootable, accelerator, BootRequest(name, variant, wanted.purpose, wanted.tests))

    def _boot_once(self, bootable: Bootable, accelerator: Accelerator, request: BootRequest) -> None:
        session = self._session
        expected = session.history.expect("boot", self._arch.name)
        what = f"boot {request.id.rpartition('-')[2]}, {len(request.tests)} tests ({request.purpose})"
        with (
            session.jobserver.hold(self._arch.qemu.cpus),
            session.progress.activity(self._label(request.variant), what, expected.seconds) as doing,
        ):
            fact = boot(bootable, accelerator, request, session.run_dir, session.children)
            doing.outcome = f"{fact.end}, {fact.detail}"
        session.children.raise_if_stopping()
        seen = session.record_boot(fact)
        if request.purpose == "first" and seen.capabilities:
            session.history.learn("boot", self._arch.name, fact.seconds)
            session.history.learn_machine(self._arch.name, _huge_pages(seen.capabilities, fact))

    def _initramfs(self) -> Path:
        cache = self._session.workspace.cache
        tools_id = path_hash(cache, self._session.checkouts.commit("series"), "tools") or ""
        return build_programs(
            self._tools.compiler,
            self._session.suites,
            lambda: self._session.sources("series"),
            tools_id,
            cache,
        )

    def _choose_accelerator(self, bootable: Bootable) -> Accelerator:
        if self._accelerator is None:
            cache = self._session.workspace.cache
            self._accelerator = choose_accelerator(
                bootable, self._tools.qemu_version, cache, self._session.children
            )
        return self._accelerator


def _build_outcome(build: Build) -> str:
    if not build.ok:
        return "FAILED: " + build.error.splitlines()[0] if build.error else "FAILED"
    return "from the cache" if build.cached else "done"


def _huge_pages(found: Capabilities, fact: BootFact) -> str:
    where = f"on {fact.machine} ({fact.accelerator})"
    if found.thp and found.pmd_size:
        return f"{found.pmd_size >> 20} MiB {where}"
    return f"none {where}: {found.missing(('thp',))}"
