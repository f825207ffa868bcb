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
from harness.errors import HarnessError
from harness.machine.kinds import MachineKind, hercules_kind, qemu_kind, share_out
from harness.next_boot import next_boot
from harness.schedule import Kind, Task
from harness.session import Session
from results.assemble import VARIANTS
from results.journal import TwinFact
from results.model import Build, Capabilities, Cell


@dataclass(frozen=True, slots=True)
class Tools:
    """What one architecture is built and booted with."""

    compiler: Compiler
    qemu_version: str
    hercules_missing: str = ""
    """Why an architecture that could use Hercules boots without it."""


def give_up(session: Session, arch: ArchRecord, reason: HarnessError) -> None:
    """Record that an architecture can't be built or booted here; the others go on."""
    said = "; ".join(filter(None, (str(reason), reason.hint)))
    session.progress.say(f"{arch.name}: {said}")
    for variant in VARIANTS:
        session.record_build(_unbuilt(session, arch, variant, said))


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
        self._recipe = session.plan.recipes[arch.name]
        self._tools = tools
        self._sharing = threading.Lock()
        self._kinds: tuple[MachineKind, ...] = ()
        self._booted_images = self._images_booted_earlier()

    def tasks(self) -> list[Task]:
        """Both builds; each is followed by the boots of its kernel."""
        return [self._build_task(variant) for variant in VARIANTS]

    def _build_task(self, variant: str) -> Task:
        self._session.progress.await_turn(self._label(variant))

        def action() -> Sequence[Task]:
            kernel = self._build(variant)
            return [self._boot_task(variant, kernel)] if kernel else []

        seconds = self._session.history.expect("build", self._arch.name, self._recipe.peculiarity).seconds
        return Task(self._arch.name, Kind.BUILD, seconds, action)

    def _boot_task(self, variant: str, kernel: Path) -> Task:
        def action() -> Sequence[Task]:
            self._boot_all(variant, kernel)
            return []

        seconds = self._session.history.expect("boot", self._arch.name, self._recipe.peculiarity).seconds
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
            recipe=self._recipe,
        )
        expected = session.history.expect("build", arch.name, self._recipe.peculiarity)
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
            session.history.learn("build", arch.name, build.seconds, doing.steps, self._recipe.peculiarity)
        if log.exists():
            build = replace(build, log=str(log.relative_to(session.run_dir)))
        session.record_build(build)
        return kernel

    def _images_booted_earlier(self) -> dict[str, str]:
        """Image hash → the variant whose boots speak for it, from a run that is taken up again."""
        cells = [self._session.cell(self._arch.name, variant) for variant in VARIANTS]
        own = [cell for cell in cells if cell.build and cell.boots and not cell.boots_of]
        return {cell.build.image_sha256: cell.variant for cell in own if cell.build}

    def _boot_all(self, variant: str, kernel: Path) -> None:
        """Boot a cell until there is nothing more to learn of it."""
        session = self._session
        try:
            with self._sharing:
                if twin := self._booted_twin(variant):
                    session.progress.say(f"{self._label(variant)}: the same image as {twin}, booted once")
                    session.record_twin(TwinFact(self._arch.name, variant, twin))
                    return
                bootable = Bootable(self._arch, kernel / "image", self._initramfs())
                kinds = self._machine_kinds(bootable)
        except HarnessError as error:
            session.progress.say(f"{self._label(variant)}: {error}")
            session.record_build(_unbuilt(session, self._arch, variant, str(error)))
            return
        for kind, tests in share_out(session.planned, kinds):
            while wanted := next_boot(tests, self._cell_on(kind, variant)):
                number = len(session.cell(self._arch.name, variant).boots) + 1
                name = f"{self._arch.name}-{variant}-{number}"
                request = BootRequest(name, variant, wanted.purpose, wanted.tests)
                self._boot_once(bootable, kind, request)

    def _booted_twin(self, variant: str) -> str:
        """The other variant, if its kernel is the same bytes and it was here first; else we are."""
        build = self._session.cell(self._arch.name, variant).build
        if build is None or self._session.plan.always_boot:
            return ""
        first = self._booted_images.setdefault(build.image_sha256, variant)
        return "" if first == variant else first

    def _cell_on(self, kind: MachineKind, variant: str) -> Cell:
        """The cell as far as one kind of machine has seen it."""
        cell = self._session.cell(self._arch.name, variant)
        return replace(cell, boots=tuple(boot for boot in cell.boots if boot.machine == kind.name))

    def _boot_once(self, bootable: Bootable, kind: MachineKind, request: BootRequest) -> None:
        session = self._session
        expected = session.history.expect("boot", self._arch.name, self._recipe.peculiarity)
        number = request.id.rpartition("-")[2]
        what = f"boot {number} on {kind.name}, {len(request.tests)} tests ({request.purpose})"
        with (
            session.jobserver.hold(kind.cpus),
            session.progress.activity(self._label(request.variant), what, expected.seconds) as doing,
        ):
            fact = boot(bootable, kind, request, session.run_dir, session.children)
            doing.outcome = f"{fact.end}, {fact.detail}"
        session.children.raise_if_stopping()
        seen = session.record_boot(fact)
        if request.purpose == "first" and seen.capabilities:
            session.history.learn("boot", self._arch.name, fact.seconds, 0, self._recipe.peculiarity)
            session.history.learn_machine(
                self._arch.name, kind.name, _huge_pages(seen.capabilities, fact.accelerator)
            )

    def _initramfs(self) -> Path:
        cache = self._session.workspace.cache
        tools_id = path_hash(cache, self._session.checkouts.commit("series"), "tools") or ""
        return build_programs(
            self._tools.compiler,
            self._session.suites,
            self._session.selftests,
            tools_id,
            cache,
        )

    def _machine_kinds(self, bootable: Bootable) -> tuple[MachineKind, ...]:
        """What can boot this architecture here: QEMU, and Hercules where it is known and installed."""
        if not self._kinds:
            cache, missing = self._session.workspace.cache, self._tools.hercules_missing
            accelerator = choose_accelerator(
                bootable, self._tools.qemu_version, cache, self._session.children
            )
            qemu = qemu_kind(self._arch, accelerator)
            hercules = None if missing else hercules_kind(self._arch)
            qemu = replace(qemu, notes=(*qemu.notes, missing)) if missing else qemu
            self._kinds = (qemu, hercules) if hercules else (qemu,)
        return self._kinds


def _build_outcome(build: Build) -> str:
    if not build.ok:
        return "FAILED: " + build.error.splitlines()[0] if build.error else "FAILED"
    return "from the cache" if build.cached else "done"


def _huge_pages(found: Capabilities, accelerator: str) -> str:
    if found.thp and found.pmd_size:
        return f"{found.pmd_size >> 20} MiB ({accelerator})"
    return f"none ({accelerator}): {found.missing(('thp',))}"
