# SPDX-License-Identifier: GPL-2.0-only
"""What the sandbox costs a build: the objects of mm/ compiled in it, against the same make without."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.build.kernel.confine import sandbox_of
from harness.build.kernel.make import REPRODUCIBLE
from harness.core.process import Children, clean_environment, run_logged
from harness.core.sandbox import why_not
from tests.bench.bench import Bench, BenchError, run_to_end
from tests.bench.clock import interleaved
from tests.bench.figure import Measured, against

PAIRS = 7
FOLDER = "mm"


def sandbox_cost(bench: Bench) -> Measured:
    """Compile one folder of the last kernel again and again, in a copy of its objects."""
    if reason := why_not():
        raise BenchError(f"there is no sandbox here: {reason}")
    arch = bench.warm_run().plan.arches[0]
    cache = bench.workspace(bench.xdg).cache
    (tree,) = cache.glob(f"worktrees/*-{arch}")
    objects = bench.folder / "confined"
    shutil.rmtree(objects, ignore_errors=True)
    shutil.copytree(cache / "objects" / arch, objects, symlinks=True)
    prefix = bench.plan.arches[0].compiler.prefix
    kernel = bench.plan.arches[0].kernel
    command = (
        *("make", "-s", "-C", str(tree), f"O={objects}", f"-j{bench.cpus}"),
        *(f"ARCH={kernel.arch}", f"CROSS_COMPILE={prefix}", f"{FOLDER}/"),
    )
    variables = clean_environment(**REPRODUCIBLE)

    def plain() -> None:
        _forget(objects / FOLDER)
        run_to_end(command, variables)

    sandbox = sandbox_of(prefix, tree, objects, None, trusted=True)

    def confined() -> None:
        _forget(objects / FOLDER)
        with (objects / "bench.log").open("wb") as log:
            status = run_logged(
                command, cwd=tree, log=log, environment=variables, children=Children(), sandbox=sandbox
            )
        if status:
            raise BenchError(f"{FOLDER}/ does not compile in the sandbox: {objects / 'bench.log'}")

    plain()  # the objects are a copy, whose files kbuild looks at once
    return against(interleaved(PAIRS, plain, confined))


def _forget(folder: Path) -> None:
    for path in folder.rglob("*.o"):
        path.unlink()
