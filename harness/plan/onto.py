# SPDX-License-Identifier: GPL-2.0-only
"""Which of several trees a series applies to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.config.catalogue import Folders, load_all
from harness.config.record import is_path
from harness.config.series import TreeRecord
from harness.core.errors import HarnessError
from harness.plan.plan import NamedTree, Plan, choose_tree
from harness.plan.prepare import prepare
from harness.sources.trees.remote import is_url
from harness.sources.trees.tree import GitRemote, GitRevision, LocalTree
from results.text import abbrev, first_line

SCHEMA = "thp-harness/onto/1"


@dataclass(frozen=True, slots=True)
class BaseTrial:
    """A series tried on one tree."""

    tree: str
    """As it was named."""
    version: str
    """Of the kernel; empty if the tree could not be had."""
    commit: str
    """Of the tree, with its fixes and the prerequisites."""
    applies: bool
    notes: tuple[str, ...]
    """How tree and series were read."""
    problem: str
    """Why it does not apply; empty if it does."""


def try_bases(
    plan: Plan, names: Sequence[str], cache: Path, log: Callable[[str], None], folders: Folders = None
) -> Iterator[BaseTrial]:
    """Apply a plan's series to each of some trees; one that can't be had does not stop the others.

    A name is that of a tree as for `--tree`, or else a branch, tag or commit of the plan's own tree.
    """
    for name in names:
        try:
            checkouts = prepare(replace(plan, tree=_named(plan, name, folders)), cache, log)
        except HarnessError as error:
            yield BaseTrial(name, "", "", False, (), str(error))
            continue
        subject = checkouts.subject
        yield BaseTrial(name, subject.tree_version, subject.base_commit, True, subject.notes, "")


def _named(plan: Plan, name: str, folders: Folders) -> NamedTree:
    is_other = is_url(name) or Path(name.partition("@")[0]).exists() or is_path(name)
    if is_other or name in load_all(TreeRecord, folders):
        return choose_tree(name, folders)
    match plan.tree.source:
        case LocalTree(path):
            return NamedTree(plan.tree.name, LocalTree(path, name), plan.tree.fixes)
        case GitRemote(url) | GitRevision(url):
            return NamedTree(plan.tree.name, GitRevision(url, name), plan.tree.fixes)
        case _:
            return choose_tree(name, folders)


def as_document(trials: Sequence[BaseTrial]) -> dict[str, Any]:
    """For JSON; see docs/onto.schema.json."""
    return {"schema": SCHEMA, "bases": [asdict(trial) for trial in trials]}


def rows(trials: Sequence[BaseTrial]) -> Iterator[tuple[str, str, str, str]]:
    """Tree, kernel version, commit, and what came of it; for a table."""
    for trial in trials:
        outcome = "applies" if trial.applies else first_line(trial.problem)
        merged = sum("was merged" in note for note in trial.notes)
        outcome += f", {merged} of its patches by a merge" if merged else ""
        yield trial.tree, trial.version or "-", abbrev(trial.commit) or "-", outcome
