# SPDX-License-Identifier: GPL-2.0-only
"""Gets the sources of a plan: the tree's commit, the series on top of it, and what to call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.kernel.recipe import TINY
from harness.config.records import ArchRecord
from harness.plan.plan import NamedTree, Plan
from harness.sources.series.mbox import SeriesError
from harness.sources.series.series import prepare_series
from harness.sources.trees.defconfigs import require_defconfigs
from harness.sources.trees.tree import DebianSource, GitRemote, LocalTree, TreeCommit, prepare_tree, tree_hash
from results.journal.journal import Origin, patch_number
from results.model.run import Patch, Subject


@dataclass(frozen=True, slots=True)
class Checkout:
    """One commit under test."""

    variant: str
    commit: str
    tree: str
    """Git tree id."""


@dataclass(frozen=True, slots=True)
class Checkouts:
    """All variants as commits of the mirror."""

    subject: Subject
    trees: dict[str, str]
    """Variant → git tree id."""
    origin: Origin

    def commit(self, variant: str) -> str:
        """The commit of a variant: base, series, or that of a patch."""
        match variant:
            case "base":
                return self.subject.base_commit
            case "series":
                return self.subject.series_commit
            case _:
                return patch_commit(self.subject, patch_number(variant))

    def checkout(self, variant: str) -> Checkout:
        """What is built for a variant."""
        return Checkout(variant, self.commit(variant), self.trees[variant])


def patch_commit(subject: Subject, number: int) -> str:
    """The commit of a series up to a patch; base is number 0."""
    return subject.patches[number - 1].commit if number else subject.base_commit


def worktree_name(tree: NamedTree, arch: ArchRecord) -> str:
    """The folder in which all commits of a tree are built for an architecture, each on top of the last one.

    What no commit between has touched keeps its time stamp, so make compiles only what a patch reaches.
    """
    return f"{tree.name}-{arch.kernel_name}"


def checkout_of(variant: str, commit: str, cache: Path) -> Checkout:
    """A commit of the mirror that is no variant of a run."""
    return Checkout(variant, commit, tree_hash(cache, commit))


def prepare(plan: Plan, cache: Path, say: Callable[[str], None]) -> Checkouts:
    """Fetch the tree and apply the series; nothing is checked out yet.

    Raises:
        HarnessError: whatever is wrong with the tree or the series, in words.
    """
    tree = prepare_tree(plan.tree.source, cache, say)
    bases = {recipe.base for recipe in plan.recipes.values()} - {TINY}
    require_defconfigs(cache, tree.commit, bases)
    base_commit, fixes = _fix(plan.tree, tree.commit, cache, say)
    local = plan.tree.source.path if isinstance(plan.tree.source, LocalTree) else None
    applied = prepare_series(
        plan.series_source,
        base_commit,
        cache,
        allow_fuzz=plan.allow_fuzz,
        progress=say,
        repository=local,
    )
    for note in (*tree.notes, *applied.notes):
        say(note)
    subject = Subject(
        tree=plan.tree.name,
        tree_version=tree.version,
        tree_fixes=fixes,
        base_commit=base_commit,
        series=plan.series.name,
        series_title=plan.series.title or applied.title,
        series_commit=applied.commit,
        stand_in=plan.series.stand_in,
        patches=applied.patches,
        fuzzed=applied.fuzzed,
        letter=applied.letter,
    )
    trees = {"base": tree_hash(cache, base_commit), "series": applied.tree}
    return Checkouts(subject, trees, _origin(plan.tree, tree))


def _origin(named: NamedTree, tree: TreeCommit) -> Origin:
    match named.source:
        case DebianSource(package):
            return Origin(tree.commit, package=package, version=tree.description.split()[-1])
        case GitRemote(url):
            return Origin(tree.commit, url=url)
        case LocalTree(path):
            return Origin(tree.commit, path=str(path.expanduser().absolute()))


def _fix(
    tree: NamedTree, commit: str, cache: Path, say: Callable[[str], None]
) -> tuple[str, tuple[Patch, ...]]:
    """Apply the tree's own fixes; one that does not fit is left out, for a newer tree may have it."""
    applied: list[Patch] = []
    for file in sorted(tree.fixes.glob("*.patch")) if tree.fixes else ():
        try:
            fixed = prepare_series(file, commit, cache, allow_fuzz=False, progress=say)
        except SeriesError as error:
            say(f"{tree.name}: the fix {file.name} is left out: {error} ({error.hint})")
            continue
        commit = fixed.commit
        applied += fixed.patches
    return commit, tuple(replace(patch, number=number) for number, patch in enumerate(applied, start=1))
