# SPDX-License-Identifier: GPL-2.0-only
"""Concludes a study of configurations from its journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from results.journal.assemble import assemble_by, head
from results.journal.journal import Event, JournalError, PlanFact, decode, is_complete
from results.model.configs import (
    CONFIGURATION,
    DIAGNOSTICS,
    Check,
    ConfigResult,
    Configs,
    ConfigState,
    DiagnosticsFact,
    NewDiagnostic,
    Severity,
)
from results.model.run import Cell
from results.text import amount, join

_NOTHING_SAID = (ConfigState.INFRASTRUCTURE,)


def assemble_configs(folder: Path) -> Configs:
    """Read and judge the folder of a study of configurations.

    Raises:
        JournalError: if the folder is none, or one of another version.
    """
    return assemble_by(conclude_configs, folder)


def conclude_configs(plan: PlanFact, events: Sequence[Event], cells: Sequence[Cell]) -> Configs:
    """Judge what a journal says.

    Raises:
        JournalError: if the plan is not that of a study of configurations.
    """
    if plan.config is None:
        raise JournalError(f"{plan.id} is no study of configurations")
    results = {}
    told = DiagnosticsFact((), 0, (), ())
    for event in events:
        if event.name == CONFIGURATION:
            result = decode(ConfigResult, event)
            results[result.arch, result.toolchain, result.name] = result  # a resumed study says it again
        elif event.name == DIAGNOSTICS:
            told = decode(DiagnosticsFact, event)
    all_results = tuple(results.values())
    complete = is_complete(events)
    return Configs(
        **head(plan, events),
        scope=plan.config,
        configurations=all_results,
        found=told.found,
        lines=told.lines,
        unreached=told.unreached,
        about=told.about,
        headline=_headline(all_results, told),
        exit_code=_exit_code(all_results, told.found) if complete else 3,
        complete=complete,
    )


def counts(new: NewDiagnostic) -> bool:
    """Tell whether a diagnostic has a part in the verdict; advice on style has none."""
    return new.check is not Check.CHECKPATCH


def _exit_code(results: Sequence[ConfigResult], found: Sequence[NewDiagnostic]) -> int:
    if any(map(counts, found)):
        return 1
    unsaid = any(result.state in _NOTHING_SAID for result in results)
    return 3 if unsaid else 0


def _headline(results: Sequence[ConfigResult], told: DiagnosticsFact) -> str:
    compiled = [result for result in results if result.objects]
    arches = tuple(dict.fromkeys(result.arch for result in compiled))
    objects = sum(len(result.objects) for result in compiled)
    where = f"in {amount(len(compiled), 'configuration')} on {join(arches)}" if arches else ""
    what = f"{amount(objects, 'object')} compiled {where}" if objects else "no object was to be compiled"
    found = [new for new in told.found if counts(new)]
    if not found:
        unsaid = sum(result.state in _NOTHING_SAID for result in results)
        gap = f"; {amount(unsaid, 'configuration')} without a result" if unsaid else ""
        return f"Nothing new: {what}{gap}."
    kinds = [
        (sum(new.check is Check.BUILD and new.severity is Severity.ERROR for new in found), "new error"),
        (
            sum(new.check is Check.BUILD and new.severity is not Severity.ERROR for new in found),
            "new warning",
        ),
        *(
            (sum(new.check is check for new in found), f"new warning of {check}")
            for check in (Check.W1, Check.SPARSE, Check.KERNEL_DOC)
        ),
    ]
    said = ", ".join(
        amount(number, noun, noun.replace("warning", "warnings").replace("error", "errors"))
        for number, noun in kinds
        if number
    )
    return f"{said[0].upper()}{said[1:]}: {what}."
