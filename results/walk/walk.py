# SPDX-License-Identifier: GPL-2.0-only
"""Assembles a walk: each patch on each architecture, compared with base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from results.compare.bringup import new_warnings
from results.compare.tally import reached_tests
from results.compare.verdict import EXIT_CLEAN, is_exercised, run_verdict
from results.journal.assemble import assemble_by, compare_cells, head, same_image
from results.journal.journal import (
    Event,
    JournalError,
    PlanFact,
    WalkScope,
    decode,
    is_complete,
    patch_number,
    patch_variant,
)
from results.model.run import ArchComparison, Boot, Build, Cell, Verdict
from results.model.walk import (
    ArchColumn,
    BootNote,
    BuildNote,
    Fault,
    FaultKind,
    PatchResult,
    PatchState,
    RebuildCheck,
    Same,
    SizeChange,
    Walk,
)
from results.walk.faults import Observation, of_patch, trace
from results.walk.verdict import column_of, rows_of, walk_verdict

_OF_FAULT: Mapping[FaultKind, PatchState] = {
    FaultKind.BUILD: PatchState.DOES_NOT_BUILD,
    FaultKind.BOOT: PatchState.DOES_NOT_BOOT,
    FaultKind.SPLAT: PatchState.NEW_SPLAT,
    FaultKind.WARNING: PatchState.NEW_WARNINGS,
}
_OF_VERDICT: Mapping[Verdict, PatchState] = {
    Verdict.INFRASTRUCTURE: PatchState.INFRASTRUCTURE,
    Verdict.FLAKY: PatchState.FLAKY,
    Verdict.FAILS_ON_BOTH: PatchState.FAILS_ON_BASE,
}


def assemble_walk(folder: Path) -> Walk:
    """Read and judge the folder of a walk.

    Raises:
        JournalError: if the folder is no walk, or one of another version.
    """
    return assemble_by(conclude_walk, folder)


def conclude_walk(plan: PlanFact, events: Sequence[Event], cells: Sequence[Cell]) -> Walk:
    """Compare every cell with base, and with the patch before.

    Raises:
        JournalError: if the plan is not that of a walk.
    """
    if plan.walk is None:
        raise JournalError(f"{plan.id} is a run of base against series, not a walk")
    known = {(cell.arch, cell.variant): cell for cell in cells}
    columns = tuple(_walk_down(plan, plan.walk, arch, known) for arch in plan.arches)
    checks = tuple(decode(RebuildCheck, event) for event in events if event.name == "check")
    rows = rows_of(plan.subject, plan.walk.numbers, columns, checks)
    complete = is_complete(events)
    verdict = walk_verdict(rows, columns, checks, plan.walk.boots, complete)
    return Walk(
        **head(plan, events),
        boots=plan.walk.boots,
        rows=rows,
        columns=columns,
        checks=checks,
        seed=plan.walk.seed,
        safe=verdict.safe,
        headline=verdict.headline,
        exit_code=verdict.exit_code,
        complete=complete,
    )


def _walk_down(
    plan: PlanFact, scope: WalkScope, arch: str, cells: Mapping[tuple[str, str], Cell]
) -> ArchColumn:
    """Return the results of all patches on one architecture."""
    own = {number: cells[arch, patch_variant(number)] for number in scope.own}
    base = own[0]
    compared = {number: compare_cells(plan, base, cell) for number, cell in own.items()}
    seen = [
        Observation(number, base, own[kernel], compared[kernel])
        for number, kernel in zip(scope.numbers, scope.kernels, strict=True)
    ]
    steps = []
    before: Build | None = None
    for now, kernel, faults in zip(seen, scope.kernels, trace(seen), strict=True):
        steps.append(_step(now, kernel, faults, before, scope.boots, _same_image(kernel, own)))
        before = now.cell.build if now.cell.build and now.cell.build.ok else before
    return column_of(arch, tuple(steps))


def _same_image(number: int, own: Mapping[int, Cell]) -> int | None:
    """Return the first patch with the same image, if it is an earlier one."""
    build = own[number].build
    if build is None or not build.ok:
        return None
    first = next(same_image(own.values(), build.image_sha256))
    return patch_number(first.variant) if first is not own[number] else None


def _step(
    now: Observation,
    kernel: int,
    faults: tuple[Fault, ...],
    before: Build | None,
    boots: bool,
    same_image: int | None,
) -> PatchResult:
    shared = kernel != now.number
    state, words = _state(now, faults, boots)
    build = now.cell.build
    return PatchResult(
        number=now.number,
        state=state,
        words=words,
        inherited=bool(faults) and all(fault.since < now.number for fault in faults),
        faults=faults,
        reasons=tuple(map(of_patch, now.comparison.reasons)),
        same=Same.SOURCES if shared else Same.IMAGE if same_image is not None else None,
        same_as=kernel if shared else same_image,
        exercised=sum(map(is_exercised, now.comparison.tests)),
        build=build_note(build) if build else None,
        boots=() if shared or now.cell.boots_of else tuple(map(boot_note, now.cell.boots)),
        size=None if shared else _size_change(before, build),
        new_warnings=() if shared else new_warnings(before, build),
    )


def _state(now: Observation, faults: Sequence[Fault], boots: bool) -> tuple[PatchState, str]:
    """Return the state of a patch: its own faults first, then inherited ones, then what is unknown."""
    if faults:
        lead = [fault for fault in faults if fault.since == now.number] or list(faults)
        state = _OF_FAULT.get(lead[0].kind, PatchState.REGRESSION)
        if state is PatchState.DOES_NOT_BOOT and any(reached_tests(boot) for boot in now.cell.boots):
            state = PatchState.REGRESSION
        more = f"; and {len(lead) - 1} more" if len(lead) > 1 else ""
        return state, f"{lead[0].text}{more}"
    words = of_patch(now.comparison.reasons[0]) if now.comparison.reasons else ""
    if run_verdict((now.comparison,)).exit_code == EXIT_CLEAN:
        return PatchState.OK, words
    if not boots and _both_built(now):
        return PatchState.BUILDS, "builds without new warnings; nothing was booted"
    return _of_open(now.comparison), words


def _both_built(now: Observation) -> bool:
    return all(cell.build is not None and cell.build.ok for cell in (now.base, now.cell))


def _of_open(comparison: ArchComparison) -> PatchState:
    return _OF_VERDICT.get(comparison.verdict, PatchState.NOT_EXERCISED)


def build_note(build: Build) -> BuildNote:
    """Return a build as reports of many kernels list it."""
    return BuildNote(
        ok=build.ok,
        cached=build.cached,
        seconds=build.seconds,
        commit=build.commit,
        image_sha256=build.image_sha256,
        text_bytes=build.text_bytes,
        warnings=len(build.warnings),
        error=build.error,
        log=build.log,
        commands=build.commands,
    )


def boot_note(boot: Boot) -> BootNote:
    """Return a boot as reports of many kernels list it."""
    return BootNote(
        id=boot.id,
        purpose=boot.purpose,
        machine=boot.machine,
        end=boot.end,
        detail=boot.detail,
        seconds=boot.seconds,
        log=boot.log,
        command=boot.command,
    )


def _size_change(before: Build | None, now: Build | None) -> SizeChange | None:
    if before is None or now is None or not now.ok:
        return None
    return SizeChange(
        text=now.text_bytes - before.text_bytes,
        data=now.data_bytes - before.data_bytes,
        bss=now.bss_bytes - before.bss_bytes,
        image=now.image_bytes - before.image_bytes,
        symbols=now.symbol_bytes - before.symbol_bytes if now.symbol_bytes and before.symbol_bytes else None,
    )
