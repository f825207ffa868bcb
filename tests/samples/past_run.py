# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a run that never was, on a tree of a few files: for what works on earlier runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.build.build_cache import IMAGE, KEPT_FILES, LOG, VMLINUX, BuildCache, sha256_of
from harness.build.kernel.kernel import build_key
from harness.build.kernel.request import KernelRequest
from harness.build.toolchain import Compiler
from harness.config.arch import ArchRecord
from harness.machines.base import BootFiles
from harness.machines.qemu.machine import command_line
from harness.plan.plan import Plan, PlanRequest, make_plan
from harness.plan.prepare import Checkouts, prepare
from results.journal.journal import BootFact, Journal, PlanFact
from results.model.run import BootEnd, Build, PlannedTest
from tests.program import Program
from tests.samples.guestlog import NONCE, GuestLog, planned
from tests.samples.tiny_kernel import git, make_kernel, make_series

TESTS = planned("pmd_split.munmap", "pmd_split.mremap")
NAME = "20260101-000000-past"
_HOME = TemporaryDirectory(prefix="past-runs-")


@dataclass(frozen=True)
class PastRun:
    """A run, and how more facts are added to it."""

    run_dir: Path
    cache: Path
    plan: Plan
    checkouts: Checkouts

    @property
    def arch(self) -> ArchRecord:
        return self.plan.arches[0]

    def request(self, variant: str) -> KernelRequest:
        checkout = self.checkouts.checkout(variant)
        return KernelRequest(
            arch=self.arch,
            variant=variant,
            commit=checkout.commit,
            tree=checkout.tree,
            compiler=Compiler(self.arch.compiler.prefix, "gcc (made up) 99"),
            recipe=self.plan.recipes[self.arch.name],
        )

    def build(self, variant: str, **changes: Any) -> Build:
        """Record a build; it succeeded, if `changes` don't say otherwise, and its kernel is in the cache."""
        request = self.request(variant)
        build = Build(
            arch=self.arch.name,
            variant=variant,
            ok=True,
            key=build_key(request),
            cached=False,
            seconds=1.0,
            commit=request.commit,
            compiler=request.compiler.version,
            configuration=request.recipe.title,
        )
        build = replace(build, **changes)
        if build.ok:
            build = self._store(build)
        Journal(self.run_dir).append("build", build)
        return build

    def _store(self, build: Build) -> Build:
        def fill(entry: Path) -> None:
            for name in (VMLINUX, LOG, *KEPT_FILES):
                (entry / name).write_text("CONFIG_SMP=y\n")
            image.replace(entry / IMAGE)

        image = self.run_dir / IMAGE
        image.write_text(f"kernel of {build.variant}")
        build = replace(build, image_sha256=sha256_of(image))
        BuildCache(self.cache).store(build, fill)
        return build

    def boot(self, variant: str, number: int = 1, **changes: Any) -> BootFact:
        """Record a boot in which all tests passed; its initramfs has four bytes."""
        name = f"{self.arch.name}-{variant}-{number}"
        paths = BootFiles(Path("/cache/image"), Path(f"/run/{name}.cpio"), ("console=ttyS0", "panic=-1"))
        fact = BootFact(
            id=name,
            arch=self.arch.name,
            variant=variant,
            purpose="first",
            nonce=NONCE,
            tests=tuple(test.name for test in TESTS),
            machine="qemu",
            accelerator="tcg",
            end=BootEnd.DONE,
            detail="all tests ran",
            seconds=3.0,
            log=f"logs/{name}.log",
            command=command_line(self.arch.qemu, paths, "tcg"),
        )
        log = GuestLog().begin(len(TESTS))
        for index, test in enumerate(TESTS, 1):
            log.test(index, test.name, ["ok 1"])
        (self.run_dir / fact.log).write_text("\n".join(log.done(len(TESTS)).lines) + "\n")
        (self.run_dir / "boots" / f"{name}.cpio").write_bytes(b"cpio")
        fact = replace(fact, **changes)
        Journal(self.run_dir).append("boot", fact)
        return fact


@cache
def _prepared() -> tuple[Path, Path]:
    """A tree with the branches base and topic, and a cache that knows them."""
    tree, known = make_kernel(Path(_HOME.name) / "linux"), Path(_HOME.name) / "cache"
    git(tree, "branch", "base")
    make_series(tree)
    git(tree, "branch", "topic")
    request = PlanRequest(arches=("x86_64",), tree=f"{tree}@base", series=f"git:{tree}@base..topic")
    prepare(make_plan(request), known, lambda line: None)
    return tree, known


def _copied(known: Path, tree: Path) -> Path:
    ours, theirs = _prepared()
    shutil.copytree(theirs, known, dirs_exist_ok=True)
    return Path(shutil.copytree(ours, tree))


def make_past_run(
    program: Program,
    folder: Path,
    arch: str = "x86_64",
    tree: Path | None = None,
    tests: tuple[PlannedTest, ...] = TESTS,
    **request: Any,
) -> PastRun:
    """A run of a plan only; with `tree`, its branches are base and topic.

    `request` are further fields of `PlanRequest`, such as another series.
    """
    if tree is None:
        tree = _copied(program.cache, folder / "linux")
    chosen = {"tree": f"{tree}@base", "series": f"git:{tree}@base..topic", **request}
    plan = make_plan(PlanRequest(arches=(arch,), **chosen))
    checkouts = prepare(plan, program.cache, lambda line: None)
    run_dir = program.state / "runs" / NAME
    for name in ("logs", "boots"):
        (run_dir / name).mkdir(parents=True)
    fact = PlanFact(
        id=NAME,
        harness="0.1.0",
        host={},
        command=("thp-harness", "run", "--arch", arch),
        subject=checkouts.subject,
        planned=tests,
        arches=(arch,),
        claims=(),
        allow_unexercised=(),
        digest="d" * 24,
        origin=checkouts.origin,
    )
    Journal(run_dir).append("plan", fact)
    return PastRun(run_dir, program.cache, plan, checkouts)
