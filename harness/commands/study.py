# SPDX-License-Identifier: GPL-2.0-only
"""The frame that runs, walks, bisections and judgements share: limits, locks, disk, tools, session, work.

A study gives its sources, and the tasks of each architecture. The outcome of each step is recorded in the
journal before the next step begins. A resumed study skips recorded steps.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from harness.commands.cache.collect import trim
from harness.commands.cache.sharing import in_use
from harness.commands.cache.size import size_limit
from harness.core import sandbox
from harness.core.errors import InfrastructureError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner, give_up
from harness.engine.executor import Site, ThisMachine, ToolsByArch
from harness.engine.schedule import Task, work_off
from harness.engine.session import Session, open_session
from harness.plan.plan import Plan
from harness.plan.prepare import Checkouts, worktree_name
from harness.sources.series.changed_code import ChangedCode
from results.journal.journal import Scope

DISK_FREE_BYTES = 3 << 30
OBJECTS_BYTES = 1 << 30
"""Space for the mirror, and for the objects and kernels of all architectures."""
WORKTREE_BYTES = 2 << 30

ArchTasks = Callable[[ArchRunner], Sequence[Task]]
"""The first tasks of an architecture."""


@dataclass(frozen=True, slots=True)
class Study:
    """The work on a plan whose sources are prepared."""

    checkouts: Checkouts
    tasks: Callable[[Session], ArchTasks]
    scope: Scope | None = None
    """None for a run of base against series."""
    one_arch_first: bool = False
    """Build the kernels of one architecture before any other where builds share CPUs."""
    needs_all_tools: bool = False
    """Refuse to begin if an architecture lacks its tools, instead of leaving it out."""
    code: ChangedCode | None = None
    """The code of the series, if it is to be told which lines ran."""
    plan: Plan | None = None
    """The plan with what the sources ask for; None for the plan as it is."""


def carry_out(
    plan: Plan,
    prepare: Callable[[], Study],
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> Session:
    """Carry out a study, here or at another site, and bring the cache below its limit.

    A build that fails or a guest that dies is part of the results: see `Session.concluded_by`.

    Raises:
        HarnessError: if nothing can be said of any architecture: no tools, no tree, no disk space, …
    """
    limit = size_limit()
    with cache_in_use(workspace, progress, disk_needed(plan, workspace)):
        session = carry_out_in_cache(plan, prepare, workspace, progress, command, site or ThisMachine())
    trim(workspace.cache, limit, progress.log)
    return session


def carry_out_in_cache(
    plan: Plan,
    prepare: Callable[[], Study],
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site,
) -> Session:
    """Carry out a study with the cache in use; the session is closed at the end.

    Raises:
        HarnessError: as `carry_out`.
    """
    found = site.find_tools(plan)
    study = _with_note(prepare(), site, progress)
    if study.needs_all_tools and found[1]:
        raise next(iter(found[1].values()))
    plan = study.plan or plan
    session = open_session(plan, workspace, progress, study.checkouts, command, study.scope, site, study.code)
    with session.carried_out():
        first_alone = study.one_arch_first and session.executor.shares_cpus
        waiting = _first_tasks(session, study, found)
        with progress:
            work_off(waiting, session.executor.width, session.stop, first_alone=first_alone)
    return session


def _with_note(study: Study, site: Site, progress: Progress) -> Study:
    """Note in the report that nothing confines what is built and booted here, where that is so."""
    if not isinstance(site, ThisMachine) or not (note := sandbox.note()):
        return study
    progress.log(note)
    subject = study.checkouts.subject
    noted = replace(subject, notes=(*subject.notes, note))
    return replace(study, checkouts=replace(study.checkouts, subject=noted))


def _first_tasks(session: Session, study: Study, found: ToolsByArch) -> list[Task]:
    tools, lacking = found
    tasks = study.tasks(session)
    waiting: list[Task] = []
    for arch in session.plan.arches:
        if arch.name in tools:
            waiting += tasks(ArchRunner(session, arch, tools[arch.name]))
        else:
            give_up(session, arch, lacking[arch.name])
    return waiting


@contextmanager
def cache_in_use(workspace: Workspace, progress: Progress, cache_bytes: int) -> Iterator[None]:
    """Keep the cache from being trimmed by others; refuse to begin without disk space.

    Raises:
        InfrastructureError: if the folders can't be made, or have no space.
    """
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, cache_bytes)
        yield


def disk_needed(plan: Plan, workspace: Workspace) -> int:
    """Return the bytes that the cache needs: for what is built, and for worktrees that do not exist yet."""
    names = {worktree_name(plan.tree, arch) for arch in plan.arches}
    lacking = sum(not (workspace.cache / "worktrees" / name).exists() for name in names)
    return OBJECTS_BYTES + lacking * WORKTREE_BYTES


def check_disk(workspace: Workspace, cache_bytes: int = DISK_FREE_BYTES) -> None:
    """Check the free disk space of the cache and the state folder.

    Raises:
        InfrastructureError: naming the folder that has too little.
    """
    for folder, needed in ((workspace.cache, cache_bytes), (workspace.state, DISK_FREE_BYTES)):
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise InfrastructureError(
                f"{folder} has {free >> 20} MiB left; at least {needed >> 20} MiB are needed",
                hint="Make room there, or choose another folder with XDG_CACHE_HOME or XDG_STATE_HOME.",
            )
