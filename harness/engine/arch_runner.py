# SPDX-License-Identifier: GPL-2.0-only
"""Builds the kernels of one architecture, and runs the boots that each still needs.

A failure is recorded, not raised: the other kernels go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.build.build_cache import BuildCache
from harness.build.kernel.kernel import build_kernel, build_key
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import find_gcov
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError
from harness.engine.boot import Bootable, BootRequest
from harness.engine.durations import Duration, build_kind
from harness.engine.executor import Tools
from harness.engine.next_boot import apart, next_boot
from harness.engine.reached import CountedKernel, read_reached
from harness.engine.schedule import Kind, Task
from harness.engine.session import Session
from harness.machines.kinds import MachineKind, share_out
from harness.plan.prepare import Checkout, code_origin
from results.bisect.vote import trial
from results.compare.reached.judge import counted_tests
from results.journal.assemble import never_built
from results.journal.journal import REACHED, BootFact, TwinFact
from results.model.reached import ReachedFact
from results.model.run import Build, Capabilities, Cell, PlannedTest


def give_up(session: Session, arch: ArchRecord, reason: HarnessError) -> None:
    """Record that an architecture can't be built or booted here."""
    said = "; ".join(filter(None, (str(reason), reason.hint)))
    session.progress.log(f"{arch.name}: {said}")
    for variant in session.fact.variants:
        session.record_build(_unbuilt(session, arch, variant, said))


def _unbuilt(session: Session, arch: ArchRecord, variant: str, reason: str) -> Build:
    return never_built(arch.name, variant, session.checkouts.commit(variant), reason)


class ArchRunner:
    """Builds and boots the kernels of one architecture, with the programs and machines that they share."""

    def __init__(self, session: Session, arch: ArchRecord, tools: Tools) -> None:
        self.session = session
        self.arch = arch
        self._recipe = session.plan.recipes[arch.name]
        self._tools = tools
        self._sharing = threading.Lock()
        self._kinds: tuple[MachineKind, ...] = ()
        self._programs: Path | None = None
        self._booted_images = self._images_booted_earlier()
        """Image hash → the variant that is booted for it."""

    def cell(self, variant: str) -> Cell:
        """Return the cell of a variant, as far as its builds and boots have come."""
        return self.session.cell(self.arch.name, variant)

    def label(self, variant: str) -> str:
        """Return the name of a cell in messages."""
        return f"{self.arch.name} {variant}"

    def expect_build(self, variant: str) -> Duration:
        """Return the expected duration of the build of a variant."""
        return self.session.history.expect("build", self.arch.name, build_kind(self._recipe, variant))

    def expect_boot(self) -> Duration:
        """Return the expected duration of one boot."""
        return self.session.history.expect("boot", self.arch.name, self._recipe.config_id)

    def build_task(self, variant: str, action: Callable[[], Sequence[Task]]) -> Task:
        """Return the task that builds a variant."""
        return Task(self.arch.name, Kind.BUILD, self.expect_build(variant).seconds, action)

    def boot_task(self, variant: str, kernel: Path, *, forget: bool = False) -> Task:
        """Return the task of all boots of a kernel; `forget` takes its line off the live view."""

        def action() -> Sequence[Task]:
            self.boot(variant, kernel)
            if forget:
                self.session.progress.forget(self.label(variant))
            return []

        return Task(self.arch.name, Kind.BOOT, self.expect_boot().seconds, action)

    def is_built(self, checkout: Checkout) -> bool:
        """Return whether the kernel of a checkout is in the cache."""
        cache = BuildCache(self.session.workspace.cache)
        return cache.lookup(build_key(self._request(checkout))) is not None

    def _request(self, checkout: Checkout) -> KernelRequest:
        request = KernelRequest(
            arch=self.arch,
            variant=checkout.variant,
            commit=checkout.commit,
            tree=checkout.tree,
            compiler=self._tools.compiler,
            recipe=self._recipe,
            origin=code_origin(self.session.plan, self.session.checkouts.subject, checkout.commit),
        )
        counted = checkout.variant == REACHED
        return request.with_counters(self.session.code.objects) if counted else request

    def build(self, checkout: Checkout) -> Path | None:
        """Build one kernel and record it; returns the folder of its files."""
        session = self.session
        expected = self.expect_build(checkout.variant)
        with session.progress.activity(
            self.label(checkout.variant), "build", expected.seconds, expected.steps
        ) as doing:
            context = self._context(checkout, _file_name(checkout.variant), session.workspace.cache)
            name = session.worktree_name(self.arch)
            build, kernel = session.executor.build(
                self._request(checkout), name, replace(context, step=doing.step)
            )
            session.children.raise_if_stopping()
            doing.outcome = _build_outcome(build)
        if build.ok and not build.cached:
            how = build_kind(self._recipe, checkout.variant)
            session.history.learn("build", self.arch.name, build.seconds, doing.steps, how)
        session.record_build(self._with_log(build, context.log_file))
        return kernel

    def rebuild(self, checkout: Checkout, cache: Path) -> Build:
        """Build one kernel from scratch in `cache`; no cell gets the build."""
        session = self.session
        expected = session.history.expect("build", self.arch.name, self._recipe.config_id)
        with session.progress.activity(
            self.label(checkout.variant), "build from scratch", expected.seconds, expected.steps
        ) as doing:
            context = self._context(checkout, f"{_file_name(checkout.variant)}-anew", cache)
            build, _ = build_kernel(self._request(checkout), replace(context, step=doing.step))
            session.children.raise_if_stopping()
            doing.outcome = _build_outcome(build)
        return self._with_log(build, context.log_file)

    def _context(self, checkout: Checkout, name: str, cache: Path) -> BuildContext:
        session = self.session
        return BuildContext(
            cache=cache,
            log_file=session.run_dir / "logs" / f"{self.arch.name}-{name}-build.log",
            log=session.progress.log,
            step=lambda steps: None,
            children=session.children,
            jobserver=session.jobserver,
            sources=lambda: session.sources(self.arch, checkout),
        )

    def _with_log(self, build: Build, log: Path) -> Build:
        return replace(build, log=str(log.relative_to(self.session.run_dir))) if log.exists() else build

    def _images_booted_earlier(self) -> dict[str, str]:
        """Map image hashes to the variants that were booted before the session was resumed."""
        booted: dict[str, str] = {}
        for cell in self.session.cells.cells(self.session.fact):
            if cell.arch == self.arch.name and cell.build and cell.boots and not cell.boots_of:
                booted.setdefault(cell.build.image_sha256, cell.variant)
        return booted

    def booted_as(self, variant: str) -> str:
        """Return the variant whose boots count for this one: the first to be booted with the same image."""
        build = self.cell(variant).build
        if build is None:
            return variant
        with self._sharing:
            first = self._booted_images.setdefault(build.image_sha256, variant)
        if first != variant:
            self.session.progress.log(f"{self.label(variant)}: the same image as {first}, booted once")
        return first

    def boot(self, variant: str, kernel: Path) -> None:
        """Run all boots that a kernel needs."""
        session = self.session
        twin = variant if session.plan.always_boot else self.booted_as(variant)
        if twin != variant:
            session.record_twin(TwinFact(self.arch.name, variant, twin))
            return
        try:
            bootable, kinds = self._bootable(kernel)
        except HarnessError as error:
            session.children.raise_if_stopping()
            session.progress.log(f"{self.label(variant)}: {error}")
            session.record_build(_unbuilt(session, self.arch, variant, str(error)))
            return
        for kind, tests in share_out(session.planned, kinds):
            while wanted := next_boot(tests, self.cell(variant).on(kind.name, kind.counts)):
                number = len(self.cell(variant).boots) + 1
                name = f"{self.arch.name}-{_file_name(variant)}-{number}"
                request = BootRequest(name, variant, wanted.purpose, wanted.tests)
                self._boot_once(bootable, kind, request)

    def reached_tasks(self) -> list[Task]:
        """Return the build of the kernel with counters, which its boots follow; none if there is no such."""
        session = self.session
        if not session.code.objects:
            return []

        def action() -> Sequence[Task]:
            try:
                gcov = find_gcov(self._tools.compiler.prefix)
            except HarnessError as error:
                session.record_build(_unbuilt(session, self.arch, REACHED, f"{error}; {error.hint}"))
                return []
            kernel = self.build(session.checkouts.checkout(REACHED))
            return [self._counted_boots(CountedKernel(kernel, gcov, session.code))] if kernel else []

        return [self.build_task(REACHED, action)]

    def _counted_boots(self, kernel: CountedKernel) -> Task:
        """Return the task of all boots of the kernel with counters; what fails is not run again."""

        def action() -> Sequence[Task]:
            bootable, kinds = self._bootable(kernel.folder)
            for kind, tests in share_out(counted_tests(self.session.planned), kinds):
                while wanted := next_boot(tests, self.cell(REACHED).on(kind.name, kind.counts)):
                    if wanted.purpose == "again":
                        break
                    number = len(self.cell(REACHED).boots) + 1
                    request = BootRequest(
                        f"{self.arch.name}-{REACHED}-{number}", REACHED, wanted.purpose, wanted.tests
                    )
                    self._boot_once(bootable, kind, request, kernel=kernel)
            return []

        return Task(self.arch.name, Kind.BOOT, self.expect_boot().seconds, action)

    def boot_trial(
        self, variant: str, kernel: Path, number: int, tests: Sequence[PlannedTest], most_cpus: int
    ) -> None:
        """Boot a kernel once on each kind of machine, and for each origin, that these tests are spread over.

        Each boot holds at most `most_cpus` CPU tokens of this machine.
        """
        bootable, kinds = self._bootable(kernel)
        for kind, share in share_out(tests, kinds):
            place = f"-{kind.name}" if len(kinds) > 1 else ""
            for group in apart(share):
                place += "-tree" if group[0].of_tree else ""
                name = f"{self.arch.name}-{_file_name(variant)}{place}-{number}"
                self._boot_once(bootable, kind, BootRequest(name, variant, trial(number), group), most_cpus)

    def _boot_once(
        self,
        bootable: Bootable,
        kind: MachineKind,
        request: BootRequest,
        most_cpus: int = 0,
        kernel: CountedKernel | None = None,
    ) -> None:
        """Boot once and record it, with what its counters say if `kernel` has some."""
        session = self.session
        expected = self.expect_boot()
        number = request.id.rpartition("-")[2]
        what = f"boot {number} on {kind.name}, {len(request.tests)} tests ({request.purpose})"
        with (
            kind.alone,
            session.executor.cpu_slots(min(kind.cpus, most_cpus or kind.cpus)),
            session.progress.activity(self.label(request.variant), what, expected.seconds) as doing,
        ):
            fact = session.executor.boot(bootable, kind, request)
            session.children.raise_if_stopping()
            doing.outcome = f"{fact.end}, {fact.detail}"
        if kernel:
            session.record_reached(_reached(fact, session.run_dir, kernel))
        seen = session.record_boot(fact)
        if kernel:
            return
        if request.purpose == "first" and seen.capabilities and not kind.counts:
            session.history.learn("boot", self.arch.name, fact.seconds, 0, self._recipe.config_id)
            session.history.learn_machine(
                self.arch.name, kind.name, _huge_pages(seen.capabilities, fact.accelerator)
            )

    def _bootable(self, kernel: Path) -> tuple[Bootable, tuple[MachineKind, ...]]:
        """Return a kernel with the guest's programs, and the machines that can boot it."""
        session = self.session
        with self._sharing:
            if self._programs is None:
                self._programs = session.executor.programs(self._tools, self.arch, session.selftests)
            bootable = Bootable(self.arch, kernel / "image", self._programs)
            if not self._kinds:
                self._kinds = session.executor.machine_kinds(bootable, self._tools)
            return bootable, self._kinds


def _reached(fact: BootFact, run_dir: Path, kernel: CountedKernel) -> ReachedFact:
    """Return what a boot ran; a gcov that fails is told, and the run goes on."""
    try:
        return read_reached(fact, run_dir, kernel)
    except HarnessError as error:
        return ReachedFact(fact.arch, fact.id, {}, {}, (), (str(error),))


def _file_name(variant: str) -> str:
    return variant.replace("/", "-")


def _build_outcome(build: Build) -> str:
    if not build.ok:
        return "FAILED: " + build.error.splitlines()[0] if build.error else "FAILED"
    return "from the cache" if build.cached else "done"


def _huge_pages(found: Capabilities, accelerator: str) -> str:
    if found.thp and found.pmd_size:
        return f"{found.pmd_size >> 20} MiB ({accelerator})"
    return f"none ({accelerator}): {found.missing(('thp',))}"
