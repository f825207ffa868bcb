# SPDX-License-Identifier: GPL-2.0-only
"""Rebuilds kernels of a walk from scratch, and compares them with the incremental builds.

An incremental build is only as good as the dependencies that make knows; this checks them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.build.build_cache import BuildCache, delete, discard
from harness.build.kernel.objects import SEAL
from harness.core.errors import InfrastructureError
from harness.core.locks import locked
from harness.engine.arch_runner import ArchRunner
from harness.engine.schedule import Kind, Task
from harness.plan.prepare import checkout_of
from results.compare.bringup import new_warnings
from results.journal.journal import patch_variant
from results.model.run import Build
from results.model.walk import RebuildCheck
from results.text import abbrev, first_line

ANEW = "anew"


def check_tasks(work: ArchRunner, numbers: Sequence[int]) -> list[Task]:
    """Return the task that rebuilds a kernel and records the result; it returns the next one."""
    if not numbers:
        return []
    number, *others = numbers

    def action() -> Sequence[Task]:
        started = time.monotonic()
        check = _check(work, number)
        work.session.record_check(replace(check, seconds=time.monotonic() - started))
        work.session.progress.forget(work.label(patch_variant(number)))
        return check_tasks(work, others)

    expected = work.session.history.expect("build", work.arch.name).seconds
    return [Task(work.arch.name, Kind.BUILD, expected, action)]


def _check(work: ArchRunner, number: int) -> RebuildCheck:
    blank = RebuildCheck(work.arch.name, number, None, "was not built, so there is no comparison", 0.0, "")
    incremental = work.cell(patch_variant(number)).build
    if incremental is None or incremental.error_is_infrastructure:
        return blank
    session, cache = work.session, work.session.workspace.cache
    checkout = checkout_of(incremental.variant, incremental.commit, cache)
    folder = cache / "objects" / f"{work.arch.kernel_name}-{ANEW}"
    busy = f"{work.arch.name}: waiting for another walk that rebuilds a kernel"
    lock = folder.with_suffix(".lock")
    with locked(lock, lambda: session.progress.log(busy), session.children.raise_if_stopping):
        try:
            delete(folder)
            folder.mkdir()
            rebuilt = work.rebuild(checkout, folder)
            ok, words = compare(incremental, rebuilt)
            if ok:
                delete(folder)
                folder.mkdir()
        except OSError as error:
            raise InfrastructureError(f"{error.filename or folder}: {error.strerror}") from None
    if ok is False:
        _distrust(work, incremental)
        words = f"{words}; the build from scratch is kept in {folder}"
    session.progress.log(f"{work.label(incremental.variant)}: {words}")
    return replace(blank, ok=ok, words=words, log=rebuilt.log)


def compare(incremental: Build, rebuilt: Build) -> tuple[bool | None, str]:
    """Return whether both builds are equal, or None if one is missing, and the words for it."""
    if rebuilt.error_is_infrastructure:
        return None, f"could not be rebuilt from scratch: {first_line(rebuilt.error)}"
    if incremental.ok != rebuilt.ok:
        said = "builds incrementally, but not from scratch" if incremental.ok else "builds only from scratch"
        return False, f"{said}: {first_line(incremental.error or rebuilt.error)}"
    if incremental.image_sha256 != rebuilt.image_sha256:
        sums = f"{abbrev(incremental.image_sha256)}, not {abbrev(rebuilt.image_sha256)}"
        return False, f"differs from the build from scratch (SHA-256 {sums})"
    if new_warnings(incremental, rebuilt) or new_warnings(rebuilt, incremental):
        return False, "has other warnings than the build from scratch"
    return True, "is equal to the build from scratch"


def _distrust(work: ArchRunner, incremental: Build) -> None:
    """Discard the kernel and the objects that it was built from."""
    cache = work.session.workspace.cache
    entry: Path = BuildCache(cache).folder / incremental.key
    if incremental.ok and entry.exists():
        discard(entry)
    for pattern in (work.arch.kernel_name, f"{work.arch.kernel_name}[+.]*"):
        for objects in (cache / "objects").glob(pattern):
            if objects.is_dir():
                (objects / SEAL).unlink(missing_ok=True)
