# SPDX-License-Identifier: GPL-2.0-only
"""Builds one kernel, or takes it from the cache, without a run around it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.build.build_cache import IMAGE
from harness.build.kernel.kernel import build_kernel
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import find_compiler
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from harness.plan.plan import PlanRequest, make_plan
from harness.plan.prepare import prepare, worktree_name
from harness.sources.git.worktree import worktree


def build_base(cache: Path, log: Path, series: str, *kconfig: str) -> Path:
    """The image of x86_64's base kernel with more configuration fragments."""
    plan = make_plan(PlanRequest(arches=("x86_64",), series=series, kconfig=kconfig))
    checkouts = prepare(plan, cache, print)
    base = checkouts.checkout("base")
    (arch,) = plan.arches
    request = KernelRequest(
        arch, "base", base.commit, base.tree, find_compiler(arch), plan.recipes[arch.name]
    )
    name = worktree_name(plan.tree, arch)
    with contextlib.closing(Jobserver(os.cpu_count() or 1)) as jobserver:
        context = BuildContext(
            cache=cache,
            log_file=log,
            log=print,
            step=lambda steps: None,
            children=Children(),
            jobserver=jobserver,
            sources=lambda: worktree(cache, name, base.commit, print, lambda: None),
        )
        build, kernel = build_kernel(request, context)
    assert kernel, build.error
    return kernel / IMAGE
