# SPDX-License-Identifier: GPL-2.0-only
"""Joins the shards of a plan, run on several machines, into one run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError
from harness.core.workspace import Workspace
from results.journal.assemble import assemble
from results.journal.journal import JournalError, contradictions_told
from results.journal.shards import PastShard, ShardsError, is_joined_of, missing, read_shards, write_joined
from results.model.run import Run
from results.store.folder import find_folders

STAMP = len("20270331-235959")


def join_shards(places: Sequence[Path], workspace: Workspace, log: Callable[[str], None]) -> tuple[Run, Path]:
    """Join the shards in some folders; returns the run and its folder.

    A later join of the same plan, with more shards, replaces the folder.

    Raises:
        UsageError: if the folders are not shards of one plan, each once.
        InfrastructureError: if the run's folder can't be written.
    """
    if not places:
        raise UsageError("--join which runs?", hint="Give the folders of the shards.")
    try:
        shards = read_shards(find_folders(places))
    except ShardsError as error:
        raise UsageError(
            f"--join: {error}", hint="Give one run folder of each shard of a plan, and nothing else."
        ) from None
    for lost in missing(shards):
        arches = ", ".join(lost.parts[lost.number - 1])
        log(f"shard {lost.number}/{len(lost.parts)} is missing: nothing is known of {arches}")
    run_dir = _place(shards, workspace.runs)
    try:
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir(parents=True)
        write_joined(shards, run_dir)
        with contradictions_told(run_dir):
            return assemble(run_dir), run_dir
    except OSError as error:
        raise InfrastructureError(f"{error.filename or run_dir}: {error.strerror}") from None
    except JournalError as error:
        raise UsageError(f"--join: {error}") from None


def _place(shards: Sequence[PastShard], runs: Path) -> Path:
    """Return the folder of an earlier join of these shards, or a new one."""
    suffix = f"-joined-{shards[0].shard.plan[:8]}"
    before = (path for path in sorted(runs.glob(f"*{suffix}")) if is_joined_of(path, shards))
    latest = max(past.plan.id[:STAMP] for past in shards)
    return next(before, runs / f"{latest}{suffix}")
