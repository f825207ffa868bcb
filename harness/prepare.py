"""Gets the sources of a plan: the tree's commit, the series on top of it, and what to call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.checkout.series import prepare_series
from harness.checkout.tree import LocalTree, prepare_tree, tree_hash
from harness.plan import Plan
from results.model import Subject


@dataclass(frozen=True, slots=True)
class Checkouts:
    """Both variants as commits of the mirror."""

    subject: Subject
    trees: dict[str, str]
    """Variant → git tree id."""

    def commit(self, variant: str) -> str:
        """The commit of a variant."""
        return self.subject.base_commit if variant == "base" else self.subject.series_commit


def prepare(plan: Plan, cache: Path, say: Callable[[str], None]) -> Checkouts:
    """Fetch the tree and apply the series; nothing is checked out yet.

    Raises:
        HarnessError: whatever is wrong with the tree or the series, in words.
    """
    base = prepare_tree(plan.tree.source, cache, say)
    local = plan.tree.source.path if isinstance(plan.tree.source, LocalTree) else None
    applied = prepare_series(
        plan.series_source,
        base.commit,
        cache,
        allow_fuzz=plan.allow_fuzz,
        progress=say,
        repository=local,
    )
    for note in (*base.notes, *applied.notes):
        say(note)
    subject = Subject(
        tree=plan.tree.name,
        tree_version=base.version,
        base_commit=base.commit,
        series=plan.series.name,
        series_title=plan.series.title or applied.title,
        series_commit=applied.commit,
        stand_in=plan.series.stand_in,
        patches=applied.patches,
        fuzzed=applied.fuzzed,
    )
    return Checkouts(subject, {"base": tree_hash(cache, base.commit), "series": applied.tree})
