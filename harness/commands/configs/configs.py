# SPDX-License-Identifier: GPL-2.0-only
"""Compiles what a series reaches in many configurations, and compares with base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.toolchain import find_compiler, find_llvm
from harness.commands.cache.collect import trim
from harness.commands.cache.size import size_limit
from harness.commands.configs.compiling import Target, Workshop
from harness.commands.configs.judge import Judge
from harness.commands.configs.reach import Reach, arch_of, find_reach
from harness.commands.configs.sweep import UNREACHED, Sweep
from harness.commands.study import OBJECTS_BYTES, WORKTREE_BYTES, cache_in_use
from harness.config.arch import ArchRecord, BuildRecord
from harness.config.catalogue import load
from harness.config.derivation import DerivationRecord
from harness.config.neighbourhood import Configuration, Neighbourhood
from harness.core import sandbox
from harness.core.errors import HarnessError, UsageError, did_you_mean
from harness.core.progress import Progress
from harness.core.shipped import CONFIGS
from harness.core.workspace import Workspace
from harness.engine.schedule import Kind, Task, work_off
from harness.engine.session import Session, open_session
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, prepare
from harness.sources.git.mirror import open_mirror
from results.configs.conclude import conclude_configs
from results.model.configs import (
    ConfigResult,
    Configs,
    ConfigScope,
    ConfigState,
    DiagnosticsFact,
    Place,
    Toolchain,
    UnreachedLine,
)
from results.text import amount, join


@dataclass(frozen=True, slots=True)
class ConfigsRequest:
    """The options of a study of configurations beyond its plan."""

    arches: tuple[BuildRecord, ...]
    toolchains: tuple[Toolchain, ...] = (Toolchain.GCC,)
    only: tuple[str, ...] = ()
    """Names of configurations; all if empty."""
    files: tuple[str, ...] = ()
    """Sources; all that the series reaches if empty."""
    randconfigs: int | None = None
    """On each architecture; None for what the records say."""
    seed: int = 1
    """Of the first randconfig."""


def study_configs(
    plan: Plan,
    request: ConfigsRequest,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
) -> tuple[Configs, Path]:
    """Compile the objects of a series in the neighbourhood of configurations; returns results and folder.

    Raises:
        UsageError: for a configuration or file that there is not.
        HarnessError: if there is no compiler at all, no tree, no disk space, …
    """
    rules = load(CONFIGS / "neighbourhood.yaml", Neighbourhood)
    configurations = _configurations(request, rules)
    targets, lacking = _targets(request)
    limit = size_limit()
    with cache_in_use(workspace, progress, OBJECTS_BYTES + WORKTREE_BYTES):
        checkouts = _with_note(prepare(plan, workspace.cache, progress.log), progress)
        mirror = open_mirror(workspace.cache)
        progress.log("reading what the series reaches")
        reach = find_reach(mirror, checkouts.commit("base"), checkouts.commit("series"), rules)
        reach = _chosen(reach, request.files)
        scope = ConfigScope(
            arches=tuple(arch.name for arch in request.arches),
            toolchains=request.toolchains,
            configurations=tuple(each.name for each in configurations),
            randconfigs=rules.randconfigs if request.randconfigs is None else request.randconfigs,
            seed=request.seed,
            files=request.files,
        )
        session = open_session(plan, workspace, progress, checkouts, command, scope)
        _carry_out(session, rules, reach, configurations, targets, lacking)
    trim(workspace.cache, limit, progress.log)
    return session.concluded_by(conclude_configs)


def _carry_out(
    session: Session,
    rules: Neighbourhood,
    reach: Reach,
    configurations: Sequence[Configuration],
    targets: Sequence[Target],
    lacking: Sequence[ConfigResult],
) -> None:
    workshop = Workshop(session, rules)
    sweeps = [
        Sweep(workshop, reach, target, _of_target(configurations, target, targets[0]))
        for target in (targets if reach.candidates else ())
    ]
    for result in lacking:
        session.record_configuration(result)
    with session.carried_out(), session.progress:
        tasks = [task for sweep in sweeps for task in sweep.tasks()]
        work_off(tasks, lambda: session.jobserver.tokens, session.stop)
        judging = Task("", Kind.BUILD, 0.0, lambda: _judge(session, workshop, reach, sweeps))
        work_off([judging], lambda: 1, session.stop)


def _judge(session: Session, workshop: Workshop, reach: Reach, sweeps: Sequence[Sweep]) -> Sequence[Task]:
    judge = Judge(workshop)
    suspects = [suspect for sweep in sweeps for suspect in sweep.suspects]
    found = tuple(judge.new(suspects))
    for sweep in sweeps:
        for result in sweep.results:
            place = Place(result.arch, result.toolchain, result.name)
            session.record_configuration(_with_base(result, judge.base_fails.get(place, ())))
    unreached = tuple(_unreached(reach, sweeps))
    lines = sum(map(len, reach.lines.values()))
    session.record_diagnostics(DiagnosticsFact(found, lines, unreached, reach.about))
    return []


def _with_base(result: ConfigResult, failing: Sequence[str]) -> ConfigResult:
    """Say of which objects nothing can be said."""
    if not failing:
        return result
    reason = f"{join(failing)} {'do' if len(failing) > 1 else 'does'} not compile without the series either"
    return replace(result, state=ConfigState.BASE_FAILS, reason=reason)


def _unreached(reach: Reach, sweeps: Sequence[Sweep]) -> Iterator[UnreachedLine]:
    folders = {sweep.target.folder for sweep in sweeps}
    makes = {each.source: each.guards for each in reach.candidates}
    for path, lines in reach.lines.items():
        met = set().union(*(sweep.compiled.get(path, ()) for sweep in sweeps))
        for number, guards in lines:
            if number in met:
                continue
            arch = arch_of(path)
            wanted = dict.fromkeys(
                f"{symbol}={value}"
                for guard in (*makes.get(path, ()), *guards)
                for symbols, value in ((guard.wanted, "y"), (guard.unwanted, "n"))
                for symbol in symbols
            )
            reason = (
                f"no configuration has {' '.join(wanted)}" if wanted else "no object with it was compiled"
            )
            if arch and arch not in folders:
                reason = f"no architecture of this study is built from arch/{arch}"
            yield UnreachedLine(path, number, reason)


def _configurations(request: ConfigsRequest, rules: Neighbourhood) -> tuple[Configuration, ...]:
    """Return the chosen configurations, the random ones last.

    Raises:
        UsageError: for a name that none of them has.
    """
    number = rules.randconfigs if request.randconfigs is None else request.randconfigs
    random = tuple(
        Configuration(name=f"randconfig-{seed}", why="what nobody thinks of",
                      base=f"KCONFIG_SEED={seed} randconfig")
        for seed in range(request.seed, request.seed + number)
    )  # fmt: skip
    known = {each.name: each for each in (*rules.configurations, *random)}
    for name in request.only:
        if name not in known and name != UNREACHED:
            raise UsageError(
                f"unknown configuration '{name}'.{did_you_mean(name, known)}",
                hint=f"Known: {', '.join(known)}.",
            )
    return tuple(each for name, each in known.items() if not request.only or name in request.only)


def _of_target(
    configurations: Sequence[Configuration], target: Target, first: Target
) -> tuple[Configuration, ...]:
    everything = target.arch.name == first.arch.name or not isinstance(target.arch, ArchRecord)
    return tuple(each for each in configurations if everything or each.on == "all")


def _targets(request: ConfigsRequest) -> tuple[list[Target], list[ConfigResult]]:
    """Find the compilers; returns a result for each that lacks.

    Raises:
        HarnessError: if all lack.
    """
    folders = load(CONFIGS / "derivation.yaml", DerivationRecord).arch_folders
    targets: list[Target] = []
    lacking: list[ConfigResult] = []
    errors: list[HarnessError] = []
    for toolchain in request.toolchains:
        for arch in request.arches:
            try:
                compiler = find_llvm(arch) if toolchain is Toolchain.LLVM else find_compiler(arch)
            except HarnessError as error:
                errors.append(error)
                reason = "; ".join(filter(None, (str(error), error.hint)))
                lacking.append(
                    ConfigResult(
                        arch.name, toolchain, "all", (), ConfigState.INFRASTRUCTURE, reason, (), 0, 0.0, ""
                    )
                )
            else:
                folder = folders.get(arch.kernel.arch, arch.kernel.arch)
                targets.append(Target(arch, folder, toolchain, compiler))
    if not targets:
        raise errors[0]
    return targets, lacking


def _chosen(reach: Reach, files: Sequence[str]) -> Reach:
    """Keep only the named sources.

    Raises:
        UsageError: for a file that the series does not reach.
    """
    known = {each.source for each in reach.candidates}
    if unknown := sorted(set(files) - known):
        raise UsageError(
            f"--file {unknown[0]}: the series reaches no such source.{did_you_mean(unknown[0], known)}",
            hint=f"{amount(len(known), 'source')} can be chosen; leave --file out to compile all of them.",
        )
    if not files:
        return reach
    return replace(reach, candidates=tuple(each for each in reach.candidates if each.source in files))


def _with_note(checkouts: Checkouts, progress: Progress) -> Checkouts:
    """Note in the report that nothing confines what is compiled, where that is so."""
    if not (note := sandbox.note()):
        return checkouts
    progress.log(note)
    subject = checkouts.subject
    return replace(checkouts, subject=replace(subject, notes=(*subject.notes, note)))
