# SPDX-License-Identifier: GPL-2.0-only
"""The pipeline: sources, then for every architecture two builds and their boots, then the verdict.

Every step's outcome is a fact in the run's journal before the next step begins; what a folder
already knows is not done again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.commands.cache.collect import trim
from harness.commands.cache.sharing import in_use
from harness.commands.cache.size import size_limit
from harness.commands.run_tasks import tasks
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.progress import Progress
from harness.core.workspace import Workspace
from harness.engine.arch_runner import ArchRunner, give_up
from harness.engine.executor import Site, ThisMachine, Tools
from harness.engine.schedule import Task, work_off
from harness.engine.session import Session, open_session
from harness.plan.plan import Plan
from harness.plan.prepare import prepare, worktree_name
from results.journal.assemble import assemble
from results.model.run import Run

DISK_FREE_BYTES = 3 << 30
OBJECTS_BYTES = 1 << 30
"""The mirror, and the objects and kernels of every architecture, fit into this."""
WORKTREE_BYTES = 2 << 30


def run(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    command: Sequence[str],
    site: Site | None = None,
) -> tuple[Run, Path]:
    """Do everything that a plan asks for, here or at another site; returns the run and its folder.

    A build that fails or a guest that dies is part of the result. At the end the cache is brought
    below its limit.

    Raises:
        HarnessError: if there is nothing to be said of any architecture (no tools, no tree, …).
    """
    limit = size_limit()
    workspace.create()
    with in_use(workspace.cache, progress.log):
        check_disk(workspace, room(plan, workspace))
        outcome = _run(plan, workspace, progress, command, site or ThisMachine())
    trim(workspace.cache, limit, progress.log)
    return outcome


def _run(
    plan: Plan, workspace: Workspace, progress: Progress, command: Sequence[str], site: Site
) -> tuple[Run, Path]:
    tools, lacking = site.find_tools(plan)
    checkouts = prepare(plan, workspace.cache, progress.log)
    session = open_session(plan, workspace, progress, checkouts, command, site=site)
    carry_out(
        session,
        tools,
        lacking,
        lambda arch, known: tasks(ArchRunner(session, arch, known)),
        first_alone=session.executor.shares_cpus,
    )
    return assemble(session.run_dir), session.run_dir


def carry_out(
    session: Session,
    tools: Mapping[str, Tools],
    lacking: Mapping[str, HarnessError],
    begin: Callable[[ArchRecord, Tools], Sequence[Task]],
    *,
    first_alone: bool = False,
) -> None:
    """Work off what `begin` makes of each architecture that has its tools; closes the session.

    With `first_alone` the others are not built before the first one's kernels.
    """
    waiting: list[Task] = []
    try:
        for arch in session.plan.arches:
            if arch.name in tools:
                waiting += begin(arch, tools[arch.name])
            else:
                give_up(session, arch, lacking[arch.name])
        with session.progress:
            work_off(waiting, session.executor.width, session.stop, first_alone=first_alone)
        session.journal.append("end")
    except KeyboardInterrupt:
        session.journal.append("interrupted")
        raise
    finally:
        session.close()


def room(plan: Plan, workspace: Workspace) -> int:
    """Bytes for what is built, and for the worktrees that are not there yet."""
    names = {worktree_name(plan.tree, arch) for arch in plan.arches}
    lacking = sum(not (workspace.cache / "worktrees" / name).exists() for name in names)
    return OBJECTS_BYTES + lacking * WORKTREE_BYTES


def check_disk(workspace: Workspace, in_cache: int = DISK_FREE_BYTES) -> None:
    """Refuse to begin what the disk has no room for; `in_cache` is in bytes.

    Raises:
        InfrastructureError: naming the folder.
    """
    for folder, needed in ((workspace.cache, in_cache), (workspace.state, DISK_FREE_BYTES)):
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise InfrastructureError(
                f"{folder} has {free >> 20} MiB left; at least {needed >> 20} MiB are needed",
                hint="Make room there, or choose another folder with XDG_CACHE_HOME or XDG_STATE_HOME.",
            )


def command_for_people(arguments: Sequence[str] = tuple(sys.argv)) -> tuple[str, ...]:
    """The command line as it was typed, without the program's path."""
    return ("thp-harness", *arguments[1:])
