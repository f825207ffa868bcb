# SPDX-License-Identifier: GPL-2.0-only
"""A cell of an earlier run, from its folder and the cache."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.build.build_cache import BuildCache
from harness.config.arch import ArchRecord, find_mode
from harness.core.errors import InfrastructureError, UsageError, did_you_mean
from harness.machines.host.boot import HOST
from results.files import open_plain
from results.journal.assemble import read_cells, read_plan
from results.journal.journal import Event, JournalError, PlanFact, contradictions_told, read_events
from results.model.run import Boot, Build, Cell, PlannedTest

_MOST_INITRAMFS_BYTES = 1 << 30
_ID = re.compile(r"[0-9a-f]{8,128}")


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """One kernel of an earlier run, and its boots."""

    run_dir: Path
    plan: PlanFact
    arch: ArchRecord
    cell: Cell
    build: Build
    host: str = ""
    """The physical host that boots the run's kernels; empty for emulators."""

    @property
    def label(self) -> str:
        """The name of the cell: `x86_64/base`."""
        return f"{self.cell.arch}/{self.cell.variant}"

    @property
    def file_name(self) -> str:
        """The name of the cell as part of a file name."""
        return self.label.replace("/", "-")

    @property
    def run_again(self) -> str:
        """The hint to run the run again."""
        return f"Run it again: {shlex.join(self.plan.command)}"

    def require_built(self) -> None:
        """Refuse a kernel that does not build.

        Raises:
            UsageError: with the first line of the error.
        """
        if not self.build.ok:
            said = (self.build.error.splitlines() or ["no reason is known"])[0]
            raise UsageError(
                f"{self.label} did not build in the run {self.run_dir.name}: {said}",
                hint=f"thp-harness repro {self.label} prints how to build it.",
            )

    def kernel(self, cache: Path) -> Path:
        """Return the folder of the kernel in the cache.

        Raises:
            UsageError: if it did not build.
            InfrastructureError: if it is missing or damaged.
        """
        self.require_built()
        builds, damage = BuildCache(cache), ["no longer there"]
        found = builds.lookup(self.build.key, lambda files: damage.insert(0, f"damaged: {files}"))
        if found and found[0].image_sha256 != self.build.image_sha256:
            found, damage = None, ["another image now"]
        if found is None:
            raise InfrastructureError(
                f"the kernel of {self.label} in the cache is {damage[0]} ({builds.folder / self.build.key})",
                hint=f"{self.run_again}; or build it by hand: thp-harness repro {self.label}",
            )
        return found[1]

    def initramfs(self, boot: Boot) -> Path:
        """Return the initramfs of a boot of the run; it may not exist."""
        return self.run_dir / "boots" / f"{boot.id}.cpio"

    def has_initramfs(self, boot: Boot) -> bool:
        """Tell whether the run folder has the initramfs of a boot, as a plain file of its own."""
        try:
            open_plain(self.initramfs(boot), _MOST_INITRAMFS_BYTES, below=self.run_dir).close()
        except OSError:
            return False
        return True

    def programs(self) -> Path:
        """Return an initramfs with all test programs of the run.

        Raises:
            InfrastructureError: if the run folder has none.
        """
        for boot in self.cell.boots:
            if self.has_initramfs(boot):
                return self.initramfs(boot)
        raise InfrastructureError(
            f"{self.run_dir / 'boots'} has no initramfs of {self.label}, so its test programs are gone",
            hint=self.run_again,
        )


def find_cells(run_dir: Path, name: str) -> tuple[RecordedCell, ...]:
    """Return the cells that `ARCH/VARIANT`, or `ARCH` for all variants, names in a run or a walk.

    Raises:
        UsageError: if the folder is no run, or has no such cell, or has not built it.
    """
    try:
        with contradictions_told(run_dir):
            return _find(run_dir, name)
    except JournalError as error:
        raise UsageError(str(error), hint="Name another run with --run.") from None


def find_cell(run_dir: Path, name: str) -> RecordedCell:
    """Return the one cell of a name.

    Raises:
        UsageError: as `find_cells`, and for several cells.
    """
    found = find_cells(run_dir, name)
    if len(found) > 1:
        labels = " or ".join(past.label for past in found[-2:])
        raise UsageError(
            f"{name} has {len(found)} kernels, but only one can be used", hint=f"Name one: {labels}."
        )
    return found[0]


def _find(run_dir: Path, name: str) -> tuple[RecordedCell, ...]:
    events = list(read_events(run_dir))
    plan = read_plan(events)
    if not plan.variants:
        raise UsageError(
            f"{run_dir.name} is a bisection, and those have no cells",
            hint="A run or a walk of the series has one for the commit that was found.",
        )
    arch, _, variant = name.partition("/")
    _require(arch, plan.arches, f"the run {run_dir.name} has no architecture")
    if variant:
        _require(variant, plan.variants, f"the run {run_dir.name} has no variant")
    record = find_mode(arch)
    of_arch = [event for event in events if event.fact.get("arch", arch) == arch]
    cells = [cell for cell in read_cells(plan, of_arch, run_dir).cells(plan) if cell.arch == arch]
    wanted = [cell for cell in cells if variant in ("", cell.variant)]
    host = next((name for event in events if (name := _host_of(event))), "")
    return tuple(replace(_past_cell(run_dir, plan, record, cell), host=host) for cell in wanted)


def _host_of(event: Event) -> str:
    machine = str(event.fact.get("machine", "")) if event.name == "boot" else ""
    return machine.removeprefix(HOST) if machine.startswith(HOST) else ""


def _require(name: str, known: Sequence[str], message: str) -> None:
    if name not in known:
        shown = ", ".join(known)
        raise UsageError(f"{message} '{name}'.{did_you_mean(name, known)}", hint=f"It has: {shown}.")


def _past_cell(run_dir: Path, plan: PlanFact, arch: ArchRecord, cell: Cell) -> RecordedCell:
    label = f"{cell.arch}/{cell.variant}"
    if cell.build is None:
        raise UsageError(
            f"{label} has not been built in run {run_dir.name} (still running or interrupted)",
            hint=f"Resume it with: {shlex.join(plan.command)}",
        )
    if not cell.build.key:
        raise UsageError(f"the run {run_dir.name} could not build {label} at all: {cell.build.error}")
    _require_ids(plan, cell.build)
    return RecordedCell(run_dir, plan, arch, cell, cell.build)


def _require_ids(plan: PlanFact, build: Build) -> None:
    """Refuse what is no id: a journal may come from elsewhere, and git or a path gets its ids.

    Raises:
        JournalError: naming the first one.
    """
    subject = plan.subject
    patches = (*subject.tree_fixes, *subject.patches)
    commits = (subject.base_commit, subject.series_commit, build.commit, *(each.commit for each in patches))
    origin = (plan.origin.commit,) if plan.origin else ()
    for found in (*commits, *origin, build.key, build.image_sha256):
        if found and not _ID.fullmatch(found):
            raise JournalError(f"the run {plan.id} has {found[:80]!r} where an id belongs")


def choose_tests(planned: Sequence[PlannedTest], patterns: Sequence[str]) -> tuple[PlannedTest, ...]:
    """Return the tests that match any name or shell pattern, in the order of the plan; all without one.

    Raises:
        UsageError: for a pattern that matches no test.
    """
    names = [test.name for test in planned]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            suites = ", ".join(f"{suite}.*" for suite in dict.fromkeys(name.split(".")[0] for name in names))
            raise UsageError(
                f"--test {pattern}: the run has no such test.{did_you_mean(pattern, names)}",
                hint=f"It has: {suites or 'no tests at all'}.",
            )
    return tuple(
        test for test in planned if not patterns or any(fnmatchcase(test.name, each) for each in patterns)
    )
