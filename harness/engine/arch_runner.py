# SPDX-License-Identifier: GPL-2.0-only
"""What is done with one kernel on one architecture: it is built, then booted until nothing is left to learn.

What fails is recorded, not raised: the other kernels go on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.build.build_cache import BuildCache
from harness.build.kernel.kernel import BuildContext, KernelRequest, build_kernel, build_key
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError
from harness.engine.boot import Bootable, BootRequest
from harness.engine.durations import Duration, build_kind
from harness.engine.executor import Tools
from harness.engine.next_boot import next_boot
from harness.engine.session import Session
from harness.machines.kinds import MachineKind, share_out
from harness.plan.prepare import Checkout
from results.bisect.vote import trial
from results.journal.journal import TwinFact
from results.model.run import Build, Capabilities, Cell, PlannedTest


def give_up(session: Session, arch: ArchRecord, reason: HarnessError) -> None:
    """Record that an architecture can't be built or booted here; the others go on."""
    said = "; ".join(filter(None, (str(reason), reason.hint)))
    session.progress.log(f"{arch.name}: {said}")
    for variant in session.fact.variants:
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


class ArchRunner:
    """One architecture's builds and boots, and what its kernels share."""

    def __init__(self, session: Session, arch: ArchRecord, tools: Tools) -> None:
        self.session = session
        self.arch = arch
        self._recipe = session.plan.recipes[arch.name]
        self._tools = tools
        self._sharing = threading.Lock()
        self._kinds: tuple[MachineKind, ...] = ()
        self._programs: Path | None = None
        self._booted_images = self._images_booted_earlier()

    def try_out(self, checkout: Checkout) -> Cell:
        """Build one commit and boot it; returns all that is known of it then."""
        if kernel := self.build(checkout):
            self.boot(checkout.variant, kernel)
        return self.cell(checkout.variant)

    def cell(self, variant: str) -> Cell:
        """What is known of a variant so far."""
        return self.session.cell(self.arch.name, variant)

    def label(self, variant: str) -> str:
        """What to call a cell in messages."""
        return f"{self.arch.name} {variant}"

    def expect_build(self, variant: str) -> Duration:
        """What the build of a variant is expected to take."""
        return self.session.history.expect("build", self.arch.name, build_kind(self._recipe, variant))

    def expect_boot(self) -> Duration:
        """What one boot is expected to take."""
        return self.session.history.expect("boot", self.arch.name, self._recipe.config_id)

    def is_built(self, checkout: Checkout) -> bool:
        """Whether its kernel is in the cache."""
        cache = BuildCache(self.session.workspace.cache)
        return cache.lookup(build_key(self._request(checkout))) is not None

    def _request(self, checkout: Checkout) -> KernelRequest:
        return KernelRequest(
            arch=self.arch,
            variant=checkout.variant,
            commit=checkout.commit,
            tree=checkout.tree,
            compiler=self._tools.compiler,
            recipe=self._recipe,
        )

    def build(self, checkout: Checkout) -> Path | None:
        """Build one kernel and record it; returns the folder of its files."""
        session = self.session
        expected = self.expect_build(checkout.variant)
        with session.progress.activity(
            self.label(checkout.variant), "build", expected.seconds, expected.steps
        ) as doing:
            shop = self._shop(checkout, _file_name(checkout.variant), session.workspace.cache)
            name = session.worktree_name(self.arch)
            build, kernel = session.executor.build(
                self._request(checkout), name, replace(shop, step=doing.step)
            )
            session.children.raise_if_stopping()
            doing.outcome = _build_outcome(build)
        if build.ok and not build.cached:
            how = build_kind(self._recipe, checkout.variant)
            session.history.learn("build", self.arch.name, build.seconds, doing.steps, how)
        session.record_build(self._with_log(build, shop.log))
        return kernel

    def build_anew(self, checkout: Checkout, cache: Path) -> Build:
        """Build one kernel in an empty cache of its own; it becomes no part of any cell."""
        session = self.session
        expected = session.history.expect("build", self.arch.name, self._recipe.config_id)
        with session.progress.activity(
            self.label(checkout.variant), "build from nothing", expected.seconds, expected.steps
        ) as doing:
            shop = self._shop(checkout, f"{_file_name(checkout.variant)}-anew", cache)
            build, _ = build_kernel(self._request(checkout), replace(shop, step=doing.step))
            session.children.raise_if_stopping()
            doing.outcome = _build_outcome(build)
        return self._with_log(build, shop.log)

    def _shop(self, checkout: Checkout, name: str, cache: Path) -> BuildContext:
        session = self.session
        return BuildContext(
            cache=cache,
            log=session.run_dir / "logs" / f"{self.arch.name}-{name}-build.log",
            say=session.progress.log,
            step=lambda steps: None,
            children=session.children,
            jobserver=session.jobserver,
            sources=lambda: session.sources(self.arch, checkout),
        )

    def _with_log(self, build: Build, log: Path) -> Build:
        return replace(build, log=str(log.relative_to(self.session.run_dir))) if log.exists() else build

    def _images_booted_earlier(self) -> dict[str, str]:
        """Image hash → the variant whose boots speak for it, from a run that is taken up again."""
        cells = [self.cell(variant) for variant in self.session.fact.variants]
        own = [cell for cell in cells if cell.build and cell.boots and not cell.boots_of]
        return {cell.build.image_sha256: cell.variant for cell in own if cell.build}

    def boot(self, variant: str, kernel: Path) -> None:
        """Boot a kernel until there is nothing more to learn of it."""
        session = self.session
        try:
            with self._sharing:
                if twin := self._booted_twin(variant):
                    session.progress.log(f"{self.label(variant)}: the same image as {twin}, booted once")
                    session.record_twin(TwinFact(self.arch.name, variant, twin))
                    return
                bootable = Bootable(self.arch, kernel / "image", self._initramfs())
                kinds = self._machine_kinds(bootable)
        except HarnessError as error:
            session.progress.log(f"{self.label(variant)}: {error}")
            session.record_build(_unbuilt(session, self.arch, variant, str(error)))
            return
        for kind, tests in share_out(session.planned, kinds):
            while wanted := next_boot(tests, self.cell(variant).on(kind.name)):
                number = len(self.cell(variant).boots) + 1
                name = f"{self.arch.name}-{_file_name(variant)}-{number}"
                request = BootRequest(name, variant, wanted.purpose, wanted.tests)
                self._boot_once(bootable, kind, request)

    def boot_trial(
        self, variant: str, kernel: Path, number: int, tests: Sequence[PlannedTest], most_cpus: int
    ) -> None:
        """Boot a kernel once on each kind of machine that these tests are spread over.

        No boot waits for, or keeps from others, more than `most_cpus` of the CPUs here.
        """
        with self._sharing:
            bootable = Bootable(self.arch, kernel / "image", self._initramfs())
            kinds = self._machine_kinds(bootable)
        for kind, share in share_out(tests, kinds):
            place = f"-{kind.name}" if len(kinds) > 1 else ""
            name = f"{self.arch.name}-{_file_name(variant)}{place}-{number}"
            self._boot_once(bootable, kind, BootRequest(name, variant, trial(number), share), most_cpus)

    def _booted_twin(self, variant: str) -> str:
        """Another variant, if its kernel is the same bytes and it was here first; else we are."""
        build = self.cell(variant).build
        if build is None or self.session.plan.always_boot:
            return ""
        first = self._booted_images.setdefault(build.image_sha256, variant)
        return "" if first == variant else first

    def _boot_once(
        self, bootable: Bootable, kind: MachineKind, request: BootRequest, most_cpus: int = 0
    ) -> None:
        session = self.session
        expected = self.expect_boot()
        number = request.id.rpartition("-")[2]
        what = f"boot {number} on {kind.name}, {len(request.tests)} tests ({request.purpose})"
        with (
            kind.alone,
            session.executor.room(min(kind.cpus, most_cpus or kind.cpus)),
            session.progress.activity(self.label(request.variant), what, expected.seconds) as doing,
        ):
            fact = session.executor.boot(bootable, kind, request)
            session.children.raise_if_stopping()
            doing.outcome = f"{fact.end}, {fact.detail}"
        seen = session.record_boot(fact)
        if request.purpose == "first" and seen.capabilities:
            session.history.learn("boot", self.arch.name, fact.seconds, 0, self._recipe.config_id)
            session.history.learn_machine(
                self.arch.name, kind.name, _huge_pages(seen.capabilities, fact.accelerator)
            )

    def _initramfs(self) -> Path:
        """What all kernels boot with."""
        if self._programs is None:
            session = self.session
            self._programs = session.executor.programs(self._tools, self.arch, session.selftests)
        return self._programs

    def _machine_kinds(self, bootable: Bootable) -> tuple[MachineKind, ...]:
        """What can boot this architecture."""
        if not self._kinds:
            self._kinds = self.session.executor.machine_kinds(bootable, self._tools)
        return self._kinds


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
