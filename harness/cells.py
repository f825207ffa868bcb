"""What is done for one architecture: two kernels are built, then booted until nothing is left to learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.boot import Bootable, BootRequest, boot, choose_accelerator
from harness.build.kernel import KernelRequest, Workshop, build_kernel
from harness.build.programs import GuestPrograms, build_programs
from harness.build.toolchain import Compiler
from harness.checkout.mirror import path_hash
from harness.config import ArchRecord
from harness.errors import HarnessError, UsageError
from harness.next_boot import next_boot
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


def run_arch(session: Session, arch: ArchRecord, tools: Tools) -> None:
    """Build base and series, then boot each; what fails is recorded, not raised.

    Raises:
        InfrastructureError: if the run folder or the cache can't be written.
    """
    kernels = {variant: _build_cell(session, arch, variant, tools) for variant in VARIANTS}
    if not any(kernels.values()):
        return
    try:
        programs = _build_programs(session, tools)
    except HarnessError as error:
        session.progress.say(f"{arch.name}: {error}")
        for variant in VARIANTS:
            session.record_build(_unbuilt(session, arch, variant, str(error)))
        return
    for variant, kernel in kernels.items():
        if kernel:
            bootable = Bootable(arch, kernel / "image", programs.initramfs)
            _boot_cell(session, bootable, variant, tools)


def _build_programs(session: Session, tools: Tools) -> GuestPrograms:
    cache = session.workspace.cache
    tools_id = path_hash(cache, session.checkouts.commit("series"), "tools") or ""
    return build_programs(tools.compiler, session.suites, lambda: session.sources("series"), tools_id, cache)


def _build_cell(session: Session, arch: ArchRecord, variant: str, tools: Tools) -> Path | None:
    """Build one kernel and record it; returns the folder of its files."""
    log = session.run_dir / "logs" / f"{arch.name}-{variant}-build.log"
    request = KernelRequest(
        arch=arch,
        variant=variant,
        commit=session.checkouts.commit(variant),
        tree=session.checkouts.trees[variant],
        compiler=tools.compiler,
        jobs=session.plan.jobs,
    )
    expected = session.history.expect("build", arch.name)
    title = f"{arch.name} {variant}: build"
    with session.progress.activity(title, expected.seconds, expected.steps) as doing:
        shop = Workshop(
            cache=session.workspace.cache,
            log=log,
            say=session.progress.say,
            step=doing.step,
            sources=lambda: session.sources(variant),
        )
        build, kernel = build_kernel(request, shop)
        doing.outcome = _build_outcome(build)
    if build.ok and not build.cached:
        session.history.learn("build", arch.name, build.seconds, doing.steps)
    if log.exists():
        build = replace(build, log=str(log.relative_to(session.run_dir)))
    session.record_build(build)
    return kernel


def _build_outcome(build: Build) -> str:
    if not build.ok:
        return "FAILED: " + build.error.splitlines()[0] if build.error else "FAILED"
    return "from the cache" if build.cached else "done"


def _boot_cell(session: Session, bootable: Bootable, variant: str, tools: Tools) -> None:
    """Boot a cell until there is nothing more to learn of it."""
    arch = bootable.arch.name
    accelerator = choose_accelerator(bootable, tools.qemu_version, session.workspace.cache)
    while wanted := next_boot(session.planned, session.cell(arch, variant)):
        number = len(session.cell(arch, variant).boots) + 1
        request = BootRequest(f"{arch}-{variant}-{number}", variant, wanted.purpose, wanted.tests)
        expected = session.history.expect("boot", arch)
        title = f"{arch} {variant}: boot {number}, {len(wanted.tests)} tests ({wanted.purpose})"
        with session.progress.activity(title, expected.seconds) as doing:
            fact = boot(bootable, accelerator, request, session.run_dir)
            doing.outcome = f"{fact.end}, {fact.detail}"
        seen = session.record_boot(fact)
        if wanted.purpose == "first" and seen.capabilities:
            session.history.learn("boot", arch, fact.seconds)
            session.history.learn_machine(arch, _huge_pages(seen.capabilities, fact))


def _huge_pages(found: Capabilities, fact: BootFact) -> str:
    where = f"on {fact.machine} ({fact.accelerator})"
    if found.thp and found.pmd_size:
        return f"{found.pmd_size >> 20} MiB {where}"
    return f"none {where}: {found.missing(('thp',))}"
