# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a study of configurations, in the form of those of a run."""

from __future__ import annotations

import shlex

from results.configs.conclude import counts
from results.model.configs import Check, Configs, NewDiagnostic, Severity, Toolchain
from results.model.run import Verdict
from results.reports.content import wording
from results.reports.content.finding import Finding, FindingKind

_MOST_PLACES = 4
_CHOOSING = {"--arch", "--toolchain", "--only", "--file", "--randconfigs", "--seed"}
_PRINTING = ("--json", "-q", "--quiet")


def config_findings(configs: Configs) -> list[Finding]:
    """What the series brings, errors first; advice on style comes last."""
    found = sorted(configs.found, key=lambda new: (not counts(new), new.severity is not Severity.ERROR))
    return [_finding(configs, new) for new in found]


def _finding(configs: Configs, new: NewDiagnostic) -> Finding:
    said = new.diagnostic
    where = f"{said.file}:{said.line}" if said.line else said.file
    flag = f" [{said.flag}]" if said.flag else ""
    what = str(new.severity) if new.check is Check.BUILD else f"{new.check} {new.severity}"
    first = new.places[0]
    more = len(new.places) - 1
    others = ", ".join(f"{place.arch}/{place.configuration}" for place in new.places[1 : 1 + _MOST_PLACES])
    also = f"; also {others}{' …' if more > _MOST_PLACES else ''}" if more else ""
    return Finding(
        kind=FindingKind.BUILD if new.severity is Severity.ERROR else FindingKind.WARNING,
        verdict=Verdict.REGRESSION if counts(new) else Verdict.UNCHANGED,
        arch=first.arch,
        name=f"{said.file} {said.text}",
        title=f"{what}: {where}: {said.text}{flag}",
        profile=f"{' + '.join(new.asked)}{also}" if new.asked else "",
        introduced=_introduced(configs, new),
        log=new.log,
        said=(f"{where}: {new.severity}: {said.text}{flag}", *new.said),
        command=_command(configs, new),
        patch=new.patch,
    )


def _introduced(configs: Configs, new: NewDiagnostic) -> str:
    patch = next((each for each in configs.subject.patches if each.number == new.patch), None)
    return f"patch {patch.number}, {patch.subject}" if patch else ""


def _command(configs: Configs, new: NewDiagnostic) -> str:
    """The same command, for one object in one configuration only."""
    words: list[str] = []
    rest = iter(configs.command)
    for word in rest:
        if word in _CHOOSING:
            next(rest, None)
        elif word.partition("=")[0] not in _CHOOSING and word not in _PRINTING:
            words.append(word)
    place = new.places[0]
    words += ["--arch", place.arch]
    if place.toolchain is not Toolchain.GCC:
        words += ["--toolchain", str(place.toolchain)]
    if place.configuration:
        words += ["--only", place.configuration]
    if place.configuration.startswith("randconfig"):
        words += ["--seed", str(configs.scope.seed)]
    return shlex.join((*words, "--file", wording.visible(_source(new))))


def _source(new: NewDiagnostic) -> str:
    """The C file of an object."""
    return new.object.removesuffix(".o") + ".c" if new.object.endswith(".o") else new.object
