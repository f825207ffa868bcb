# SPDX-License-Identifier: GPL-2.0-only
"""Predicts a run: cached kernels, and the expected duration of builds and boots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.build.build_cache import BuildCache
from harness.build.kernel import kconfig
from harness.build.kernel.kernel import build_key
from harness.build.kernel.recipe import Recipe
from harness.build.kernel.request import KernelRequest
from harness.build.toolchain import find_compiler
from harness.config.arch import ArchRecord
from harness.core.errors import UsageError
from harness.core.progress import clock
from harness.core.workspace import Workspace
from harness.engine.durations import DurationHistory, build_kind
from harness.machines import emulator
from harness.plan.claims import check_claims
from harness.plan.derive.derive import derive, with_derivation
from harness.plan.derive.line import DerivedLine
from harness.plan.plan import Plan, claims, planned_tests
from harness.plan.prepare import Checkouts, prepare
from results.journal.journal import VARIANTS
from results.model.run import Claim


@dataclass(frozen=True, slots=True)
class CellForecast:
    """One build and its first boot."""

    arch: str
    variant: str
    cached: bool
    problem: str
    """What this machine lacks; empty if nothing."""
    build_seconds: float
    """0 for a cached build."""
    boot_seconds: float
    configuration: str = ""
    """As `Build.configuration`."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The prediction of a run."""

    tree: str
    tree_version: str
    series: str
    series_title: str
    stand_in: bool
    patches: tuple[str, ...]
    tests: tuple[str, ...]
    cells: tuple[CellForecast, ...]
    overrides: tuple[str, ...] = ()
    """Conflicts between configuration fragments, and the value that counts."""
    host: str = ""
    """The physical host that boots the kernels; empty for emulators."""
    lab: str = ""
    """The lab whose boards boot the kernels; empty for emulators."""
    notes: tuple[str, ...] = ()
    """How tree and series were read; as `Subject.notes`."""
    derived: tuple[DerivedLine, ...] = ()
    """What the diff of a series without a record asks for."""
    claims: tuple[Claim, ...] = ()
    """What the record, or the diff, says of counters."""

    @property
    def seconds(self) -> float:
        """Seconds of all builds and first boots, one after another."""
        return sum(cell.build_seconds + cell.boot_seconds for cell in self.cells)

    def as_document(self) -> dict[str, Any]:
        """Return the JSON document; see docs/plan.schema.json."""
        return {"schema": "thp-harness/plan/1", **asdict(self), "seconds": self.seconds}


def forecast(plan: Plan, workspace: Workspace) -> Forecast:
    """Prepare the sources of a plan, and look up which kernels are cached.

    Raises:
        HarnessError: if a run could not prepare the tree or the series.
    """
    workspace.create()
    checkouts = prepare(plan, workspace.cache, lambda line: None)
    subject = checkouts.subject
    found = derive(plan, checkouts, workspace.cache)
    plan = with_derivation(plan, found) if found.lines else plan
    claimed, planned = claims(plan.series), planned_tests(plan.suites)
    check_claims(claimed, planned, checkouts, workspace.cache)
    return Forecast(
        tree=subject.tree,
        tree_version=subject.tree_version,
        series=subject.series,
        series_title=subject.series_title,
        stand_in=subject.stand_in,
        patches=tuple(patch.subject for patch in subject.patches),
        tests=tuple(test.name for test in planned),
        cells=tuple(cell for arch in plan.arches for cell in _cells(plan, arch, checkouts, workspace)),
        overrides=_overrides(plan),
        host=plan.host.name if plan.host else "",
        lab=plan.lab.name if plan.lab else "",
        notes=subject.notes,
        derived=found.lines,
        claims=claimed,
    )


def _overrides(plan: Plan) -> tuple[str, ...]:
    """Return each conflict once, for all architectures."""
    said = (line for recipe in plan.recipes.values() for line in kconfig.overrides(recipe.fragments))
    return tuple(dict.fromkeys(said))


def _cells(
    plan: Plan, arch: ArchRecord, checkouts: Checkouts, workspace: Workspace
) -> Iterator[CellForecast]:
    history = DurationHistory(workspace.state)
    recipe = plan.recipes[arch.name]
    for variant in VARIANTS:
        cached, problem = _look_up(arch, recipe, variant, checkouts, workspace, plan.emulated)
        yield CellForecast(
            arch=arch.name,
            variant=variant,
            cached=cached,
            problem=problem,
            build_seconds=0.0
            if cached
            else history.expect("build", arch.name, build_kind(recipe, variant)).seconds,
            boot_seconds=history.expect("boot", arch.name, recipe.config_id).seconds,
            configuration=recipe.title,
        )


def _look_up(
    arch: ArchRecord, recipe: Recipe, variant: str, checkouts: Checkouts, workspace: Workspace, emulated: bool
) -> tuple[bool, str]:
    try:
        compiler = find_compiler(arch)
        if emulated:
            emulator.require(arch.qemu)
    except UsageError as error:
        return False, f"{error} ({error.hint})"
    request = KernelRequest(
        arch=arch,
        variant=variant,
        commit=checkouts.commit(variant),
        tree=checkouts.trees[variant],
        compiler=compiler,
        recipe=recipe,
    )
    return BuildCache(workspace.cache).lookup(build_key(request)) is not None, ""


def print_forecast(cast: Forecast, console: Console) -> None:
    """Print a forecast as a table."""
    mark = "  [stand-in]" if cast.stand_in else ""
    log = _plain(console)
    log(f"Tree    {cast.tree} ({cast.tree_version})")
    log(f"Series  {cast.series}{mark}: {cast.series_title}")
    for number, subject in enumerate(cast.patches, 1):
        log(f"        {number}. {subject}")
    for note in cast.notes:
        log(f"Note    {note}")
    if cast.host:
        log(f"Host    {cast.host}")
    if cast.lab:
        log(f"Lab     {cast.lab}")
    log(f"Tests   {len(cast.tests)} on each kernel")
    for text in _derived(cast):
        log(text)
    for arch, configuration in {cell.arch: cell.configuration for cell in cast.cells}.items():
        log(f"Config  {arch}: {configuration}")
    for line in cast.overrides:
        log(f"        {line}")
    table = Table(box=None, pad_edge=False)
    for column in ("arch", "variant", "build", "boot"):
        table.add_column(column)
    for cell in cast.cells:
        build = cell.problem or ("cached" if cell.cached else clock(cell.build_seconds))
        table.add_row(cell.arch, cell.variant, build, clock(cell.boot_seconds))
    console.print(table)
    log(f"About {clock(cast.seconds)} in all.")


def _derived(cast: Forecast) -> Iterator[str]:
    for claim in cast.claims:
        yield f"Claim   {claim}"
    if cast.derived:
        yield "Diff    the series has no record; `thp-harness series init` writes one from these lines:"
    for line in cast.derived:
        yield f"        {line.text}"


def _plain(console: Console) -> Any:
    def log(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return log
