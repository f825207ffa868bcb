# SPDX-License-Identifier: GPL-2.0-only
"""Predicts a run: cached kernels, and the expected duration of builds and boots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

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
from harness.plan.patches import changed_code
from harness.plan.plan import Plan, claims, planned_tests
from harness.plan.prepare import Checkout, Checkouts, prepare
from harness.sources.series.changed_code import ChangedCode
from results.journal.journal import REACHED, VARIANTS
from results.model.run import Claim
from results.text import amount, printable

_NO_WIDTH = 10_000
"""Columns of what is no terminal: nothing is folded, and nothing cut."""
_CASES_SHOWN = 4
"""Tests of a suite that a plan names."""


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
    code = changed_code(subject, workspace.cache) if plan.reached else ChangedCode()
    return Forecast(
        tree=subject.tree,
        tree_version=subject.tree_version,
        series=subject.series,
        series_title=subject.series_title,
        stand_in=subject.stand_in,
        patches=tuple(patch.subject for patch in subject.patches),
        tests=tuple(test.name for test in planned),
        cells=tuple(cell for arch in plan.arches for cell in _cells(plan, arch, checkouts, code, workspace)),
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
    plan: Plan, arch: ArchRecord, checkouts: Checkouts, code: ChangedCode, workspace: Workspace
) -> Iterator[CellForecast]:
    history = DurationHistory(workspace.state)
    recipe = plan.recipes[arch.name]
    for variant in (*VARIANTS, REACHED) if code.objects else VARIANTS:
        cached, problem = _look_up(arch, recipe, checkouts.checkout(variant), code, workspace, plan.emulated)
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
    arch: ArchRecord,
    recipe: Recipe,
    checkout: Checkout,
    code: ChangedCode,
    workspace: Workspace,
    emulated: bool,
) -> tuple[bool, str]:
    try:
        compiler = find_compiler(arch)
        if emulated:
            emulator.require(arch.qemu)
    except UsageError as error:
        return False, f"{error} ({error.hint})"
    request = KernelRequest(
        arch=arch,
        variant=checkout.variant,
        commit=checkout.commit,
        tree=checkout.tree,
        compiler=compiler,
        recipe=recipe,
    )
    if checkout.variant == REACHED:
        request = request.with_counters(code.objects)
    return BuildCache(workspace.cache).lookup(build_key(request)) is not None, ""


def print_forecast(cast: Forecast, console: Console) -> None:
    """Print a forecast as a tree: what is tested, by which tests, on which kernels, and how long it takes."""
    tree = Tree(_text(f"{cast.tree} ({cast.tree_version})"), guide_style="dim")
    mark = "  [stand-in]" if cast.stand_in else ""
    series = tree.add(_text(f"{cast.series}{mark}: {cast.series_title}", "bold"))
    _branch(series, amount(len(cast.patches), "patch", "patches"), _numbered(cast.patches))
    _branch(series, "claims", map(str, cast.claims))
    _branch(series, "notes", cast.notes)
    _branch(
        series, "from the diff, for the series has no record (`thp-harness series init` writes one)",
        (line.text for line in cast.derived),
    )  # fmt: skip
    _branch(tree, f"{amount(len(cast.tests), 'test')} on each kernel", _suites(cast.tests))
    place = f" on host {cast.host}" if cast.host else f" on the boards of lab {cast.lab}" if cast.lab else ""
    kernels = tree.add(_text(f"{amount(len(cast.cells), 'kernel')}{place}", "bold"))
    for (arch, configuration), cells in groupby(cast.cells, key=lambda cell: (cell.arch, cell.configuration)):
        _branch(kernels, f"{arch}: {configuration}", map(_work, cells))
    _branch(tree, "options that two fragments set", cast.overrides)
    if not console.is_terminal:
        console.width = _NO_WIDTH
    console.print(tree, highlight=False)
    console.print(_text(f"About {clock(cast.seconds)} in all."))


def _branch(tree: Tree, title: str, lines: Iterable[str]) -> None:
    """Add a branch with its leaves; none without leaves."""
    leaves = list(lines)
    branch = tree.add(_text(title, "bold")) if leaves else tree
    for leaf in leaves:
        branch.add(_text(leaf))


def _numbered(patches: Sequence[str]) -> Iterator[str]:
    return (f"{number}. {subject}" for number, subject in enumerate(patches, 1))


def _suites(tests: Sequence[str]) -> Iterator[str]:
    for suite, group in groupby(tests, key=lambda name: name.rpartition(".")[0]):
        cases = [name.rpartition(".")[2] for name in group]
        more = f" and {len(cases) - _CASES_SHOWN} more" if len(cases) > _CASES_SHOWN else ""
        yield f"{suite} ({len(cases)}): {', '.join(cases[:_CASES_SHOWN])}{more}"


def _work(cell: CellForecast) -> str:
    build = cell.problem or ("cached" if cell.cached else f"build {clock(cell.build_seconds)}")
    return f"{cell.variant}: {build}, boot {clock(cell.boot_seconds)}"


def _text(words: str, style: str = "") -> Text:
    """Show words as they are: a patch may have any subject."""
    return Text(printable(words), style=style)
