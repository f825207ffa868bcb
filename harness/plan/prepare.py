# SPDX-License-Identifier: GPL-2.0-only
"""Gets the sources of a plan: the tree's commit, the series on top of it, and what to call them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.kernel.recipe import TINY
from harness.config.arch import ArchRecord
from harness.core.shipped import CONFIGS
from harness.plan.plan import NamedTree, Plan
from harness.sources.git.mirror import tree_hash
from harness.sources.series.commits import CommitRange
from harness.sources.series.find import RANGE, find_source, needs_tree, split_range
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.series.series import AppliedSeries, prepare_series
from harness.sources.trees.defconfigs import require_defconfigs
from harness.sources.trees.remote import local_commit, open_local
from harness.sources.trees.tree import (
    DebianSource,
    GitRemote,
    GitRevision,
    LocalTree,
    TreeCommit,
    TreeSource,
    prepare_tree,
)
from results.journal.journal import REACHED, Origin, patch_number
from results.model.run import Patch, Subject
from results.text import abbrev, amount

_MOST_NAMES = 4
_NOT_IN_A_FOLDER_NAME = re.compile(r"[^A-Za-z0-9._-]+")


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
        """The commit of a variant: base, series, with counters or without, or that of a patch."""
        match "series" if variant == REACHED else variant:
            case "base":
                return self.subject.base_commit
            case "series":
                return self.subject.series_commit
            case _:
                return patch_commit(self.subject, patch_number(variant))

    def checkout(self, variant: str) -> Checkout:
        """What is built for a variant."""
        sources = "series" if variant == REACHED else variant
        return Checkout(variant, self.commit(variant), self.trees[sources])


def patch_commit(subject: Subject, number: int) -> str:
    """The commit of a series up to a patch; base is number 0."""
    return subject.patches[number - 1].commit if number else subject.base_commit


def worktree_name(tree: NamedTree, arch: ArchRecord) -> str:
    """The folder in which all commits of a tree are built for an architecture, each on top of the last one.

    What no commit between has touched keeps its time stamp, so make compiles only what a patch reaches.
    """
    return f"{folder_name(tree.name)}-{arch.kernel_name}"


def code_origin(plan: Plan, subject: Subject, commit: str) -> str:
    """Whose code a commit has; empty for the tree's own, and for series that ship with this program.

    All ranges of one repository have one origin, so that a developer's next version is built on top of the
    last one. Each other series has its own: a file of the same name may be another stranger's.
    """
    if plan.prerequisites:
        return subject.series_commit
    if commit == subject.base_commit or Path(plan.series_source).is_relative_to(CONFIGS):
        return ""
    if plan.series_source.startswith(RANGE):
        return str(split_range(plan.series_source)[0] or plan.tree.name)
    return subject.series_commit


def folder_name(name: str) -> str:
    """A tree's name with nothing that make or a shell may stumble over; names that differ stay different."""
    plain = _NOT_IN_A_FOLDER_NAME.sub("-", name).lstrip("-._")
    if plain == name:
        return name
    return f"{plain or 'tree'}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"


def checkout_of(variant: str, commit: str, cache: Path) -> Checkout:
    """A commit of the mirror that is no variant of a run."""
    return Checkout(variant, commit, tree_hash(cache, commit))


def prepare(plan: Plan, cache: Path, log: Callable[[str], None]) -> Checkouts:
    """Fetch the tree and apply the series; nothing is checked out yet.

    Raises:
        HarnessError: whatever is wrong with the tree or the series, in words.
    """
    _look_first(plan, cache, log)
    tree_source, notes = _without_series(plan, cache, log)
    tree = prepare_tree(tree_source, cache, log, reference=plan.reference)
    notes += tree.notes
    bases = {recipe.base for recipe in plan.recipes.values()} - {TINY}
    require_defconfigs(cache, tree.commit, bases)
    below = _below(plan, tree.commit, cache, log)
    applied = prepare_series(
        plan.series_source,
        below.commit,
        cache,
        plan.allow_fuzz,
        log,
        repository=_repository(plan),
        choice=plan.choice,
        three_way=plan.three_way,
    )
    notes += (*below.notes, *_about_base(applied, tree.commit, below), *applied.notes)
    for note in notes:
        log(note)
    subject = Subject(
        tree=plan.tree.name,
        tree_version=tree.version,
        tree_fixes=below.patches,
        base_commit=below.commit,
        series=plan.series.name,
        series_title=plan.series.title or applied.title,
        series_commit=applied.commit,
        stand_in=plan.series.stand_in,
        patches=applied.patches,
        fuzzed=applied.fuzzed,
        letter=applied.letter,
        notes=notes,
    )
    trees = {"base": tree_hash(cache, below.commit), "series": applied.tree}
    return Checkouts(subject, trees, _origin(plan.tree, tree))


def _look_first(plan: Plan, cache: Path, log: Callable[[str], None]) -> None:
    """Look at all that the plan names, so that a mistake is told before a tree is downloaded."""
    if plan.reference:
        open_local(plan.reference)
    if isinstance(plan.tree.source, LocalTree):
        local_commit(open_local(plan.tree.source.path), plan.tree.source.revision)
    for source in plan.prerequisites:
        if not needs_tree(source, _repository(plan)):
            find_source(source, cache, log, repository=_repository(plan))


def _repository(plan: Plan) -> Path | None:
    return plan.tree.source.path if isinstance(plan.tree.source, LocalTree) else None


def _without_series(
    plan: Plan, cache: Path, log: Callable[[str], None]
) -> tuple[TreeSource, tuple[str, ...]]:
    """The tree below the series, and a note if that is not what was named.

    The HEAD of a checkout holds a range of its own already. The series, which is small, is looked for before
    the tree is downloaded.
    """
    source = plan.tree.source
    if needs_tree(plan.series_source, _repository(plan)):
        return source, ()
    found = find_source(plan.series_source, cache, log, repository=_repository(plan))
    if not isinstance(source, LocalTree) or source.revision != "HEAD" or not isinstance(found, CommitRange):
        return source, ()
    head = local_commit(open_local(source.path), "HEAD")
    if not found.owner.succeeds("merge-base", "--is-ancestor", found.tip, head):
        return source, ()
    base = f"base is {abbrev(found.base)}, where the range begins"
    note = f"HEAD of {source.path} holds the series already: {base}"
    return replace(source, revision=found.base), (note,)


def _origin(named: NamedTree, tree: TreeCommit) -> Origin:
    match named.source:
        case DebianSource():
            package, version = tree.description.split()
            return Origin(tree.commit, package=package, version=version)
        case GitRemote(url) | GitRevision(url):
            return Origin(tree.commit, url=url)
        case LocalTree(path):
            return Origin(tree.commit, path=str(path.expanduser().absolute()))


@dataclass(frozen=True, slots=True)
class _Below:
    """What is below the series: the tree with its own fixes and the prerequisites."""

    commit: str
    patches: tuple[Patch, ...]
    notes: tuple[str, ...]


def _below(plan: Plan, commit: str, cache: Path, log: Callable[[str], None]) -> _Below:
    """Apply the tree's own fixes and what the series needs.

    A fix that does not fit is left out, for a newer tree may have it; a prerequisite has to fit.
    """
    patches: list[Patch] = []
    notes: list[str] = []
    for file in sorted(plan.tree.fixes.glob("*.patch")) if plan.tree.fixes else ():
        try:
            fixed = prepare_series(file, commit, cache, False, log)
        except SeriesError as error:
            notes.append(f"{plan.tree.name}: the fix {file.name} is left out: {error} ({error.hint})")
            continue
        commit = fixed.commit
        patches += fixed.patches
    for source in plan.prerequisites:
        added = prepare_series(source, commit, cache, False, log, repository=_repository(plan))
        commit = added.commit
        patches += added.patches
        notes += (f"base holds the prerequisite “{added.title}”", *added.notes)
    numbered = tuple(replace(patch, number=number) for number, patch in enumerate(patches, start=1))
    return _Below(commit, numbered, tuple(notes))


def _about_base(applied: AppliedSeries, tree: str, below: _Below) -> tuple[str, ...]:
    """Notes about a tree that is not the one that the series was written on."""
    notes: list[str] = []
    if applied.written_on and not applied.replayed and applied.written_on not in (tree, below.commit):
        notes.append(f"the series names the base-commit {applied.written_on}, but the tree is {tree}")
    there = {patch.patch_id for patch in below.patches}
    if lacking := [needed for needed in applied.prerequisites if needed not in there]:
        named = ", ".join(abbrev(needed) for needed in lacking[:_MOST_NAMES])
        count = amount(len(lacking), "patch", "patches")
        notes.append(f"the series names {count} below it (prerequisite-patch-id {named}): see --prerequisite")
    return tuple(notes)
