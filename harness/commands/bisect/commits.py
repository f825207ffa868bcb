# SPDX-License-Identifier: GPL-2.0-only
"""The commits of a bisection: the patches of a series, or the history of a local tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import UsageError
from harness.plan.patches import find_kernels
from harness.plan.plan import Plan
from harness.plan.prepare import Checkout, Checkouts, checkout_of, patch_commit, prepare
from harness.sources.git.bisect_state import History
from harness.sources.git.mirror import kernel_version, open_mirror, tree_hash
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.trees.remote import fetch_local, local_commit, open_local
from harness.sources.trees.tree import LocalTree
from results.journal.journal import Origin, patch_variant
from results.model.bisect import CommitNote
from results.model.run import Subject
from results.text import abbrev, amount

_PATCH = re.compile(r"(?:patch/)?([0-9]{1,4})")

Log = Callable[[str], None]


@dataclass(frozen=True)
class CommitRange:
    """The commits of a bisection, and how they are fetched into the mirror."""

    checkouts: Checkouts
    history: History
    names: Mapping[str, str]
    """Commit → variant; commits that are missing here are named by their ids."""
    fetch: Callable[[str], None]
    """Fetches a commit into the mirror."""
    alike: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Commit → all commits with the same kernel sources, itself included; commits that are missing here are
    unique."""

    def note(self, commit: str) -> CommitNote:
        """Return a commit with its name, subject and author."""
        told = self.history.tell(commit)
        name = self.names.get(commit) or commit_variant(commit)
        return CommitNote(commit, name, told.subject, told.author)

    def choices(self, commit: str, cache: Path) -> Sequence[Checkout]:
        """Return the checkouts that give the kernel of a commit."""
        variant = self.names.get(commit) or commit_variant(commit)
        self.fetch(commit)
        return [checkout_of(variant, each, cache) for each in self.alike.get(commit, (commit,))]


def commit_variant(commit: str) -> str:
    """Return the variant of a commit that is no patch of a series."""
    return f"commit/{abbrev(commit)}"


def is_patch(name: str) -> bool:
    """Return whether `--good` or `--bad` is a patch number instead of a revision."""
    return name == "base" or _PATCH.fullmatch(name) is not None


def series_range(plan: Plan, good: str, bad: str, cache: Path, log: Log) -> CommitRange:
    """Return the patches of a series; `good` and `bad` are patch numbers, or empty for the two ends.

    Raises:
        HarnessError: for an error of the tree or the series, or a patch number that does not exist.
    """
    checkouts = prepare(plan, cache, log)
    subject = checkouts.subject
    count = len(subject.patches)
    if not count:
        raise SeriesError(f"{subject.series} has no patch", hint="A bisection needs at least one.")
    first = _patch_number(good or "0", "--good", count)
    last = _patch_number(bad or str(count), "--bad", count)
    if first >= last:
        swapped = "are they the wrong way round?" if first > last else "name two patches"
        raise UsageError(
            f"good is patch {first}, and bad is patch {last}: {swapped}",
            hint="--good is the older one; 0 is the tree without any patch.",
        )
    names = {patch_commit(subject, number): patch_variant(number) for number in range(count + 1)}
    mirror = open_mirror(cache)
    history = History(mirror, patch_commit(subject, first), patch_commit(subject, last))
    return CommitRange(checkouts, history, names, lambda commit: None, _alike(subject, cache))


def _alike(subject: Subject, cache: Path) -> dict[str, list[str]]:
    numbers = range(len(subject.patches) + 1)
    commits = [patch_commit(subject, number) for number in numbers]
    kernels = find_kernels(numbers, subject, cache)
    return {
        commits[number]: [commits[each] for each in numbers if kernels[each] == kernels[number]]
        for number in numbers
    }


def _patch_number(name: str, option: str, count: int) -> int:
    match = _PATCH.fullmatch("0" if name == "base" else name)
    if match is None or int(match[1]) > count:
        raise UsageError(
            f"{option} {name}: the series has {amount(count, 'patch', 'patches')}",
            hint="Name a patch by its number, 0 for the tree without any; "
            "for revisions of a tree: --tree PATH without --series.",
        )
    return int(match[1])


def history_range(plan: Plan, good: str, bad: str, cache: Path, log: Log) -> CommitRange:
    """Return the history of a local git repository, which is not modified.

    Raises:
        UsageError: if the tree is no local repository, or has no such revisions.
    """
    tree = plan.tree.source
    if not isinstance(tree, LocalTree):
        raise UsageError(
            f"the tree {plan.tree.name} is kept without its history",
            hint="Clone it and name the checkout: --tree PATH --good REV --bad REV.",
        )
    repository = open_local(tree.path)
    ends = {}
    for option, revision in (("--good", good), ("--bad", bad or tree.revision)):
        if not revision:
            raise UsageError(f"{option} is missing", hint="Name a known-good revision.")
        ends[option] = local_commit(repository, revision)
    history = History(repository, ends["--good"], ends["--bad"])
    for commit in ends.values():
        fetch_local(tree.path, commit, cache, log)
    subject = Subject(
        tree=plan.tree.name,
        tree_version=kernel_version(cache, history.bad),
        base_commit=history.good,
        series=f"{good}..{bad or tree.revision}",
        series_title=f"history of {plan.tree.name}",
        series_commit=history.bad,
        stand_in=False,
    )
    trees = {"base": tree_hash(cache, history.good), "series": tree_hash(cache, history.bad)}
    origin = Origin(history.bad, path=str(tree.path.expanduser().absolute()))

    def fetch(commit: str) -> None:
        fetch_local(tree.path, commit, cache, log)

    return CommitRange(Checkouts(subject, trees, origin), history, {}, fetch)
