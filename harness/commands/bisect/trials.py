# SPDX-License-Identifier: GPL-2.0-only
"""Builds and boots the commits of a bisection, and counts their votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from harness.engine.arch_runner import ArchRunner
from harness.plan.prepare import Checkout
from harness.sources.git.worktree import is_untouched
from results.bisect.predicate import Predicate, WarningSeen, is_booted, tests_for
from results.bisect.vote import trial, trial_number, vote, votes_of
from results.model.bisect import Vote
from results.model.run import Cell


class TrialRunner:
    """The trials on one architecture, for `results.bisect.search`.

    Recorded boots count, so that a bisection can be resumed. Of several commits with the same image, the
    first one is booted for all.
    """

    def __init__(
        self,
        work: ArchRunner,
        predicate: Predicate,
        checkouts: Callable[[str], Sequence[Checkout]],
        good: str,
        *,
        all_tests: bool = False,
    ) -> None:
        """Use the checkouts that `checkouts` returns for a commit; `good` has the reference warnings."""
        self._work = work
        self._predicate = predicate
        self._checkouts = checkouts
        self._good = good
        self._tests = tests_for(predicate, work.session.planned)
        self._run = work.session.planned if all_tests else self._tests
        self._variants: dict[str, str] = {}
        self._kernels: dict[str, Path | None] = {}
        self._booted_as: dict[str, str] = {}
        """Commit → the variant whose boots count for it."""

    def meet(self, commit: str) -> tuple[str, Sequence[Vote]]:
        """Build a commit, unless its build has failed before."""
        if isinstance(self._predicate, WarningSeen) and commit != self._good:
            self._build(self._good)
        self._build(commit)
        cell = self._cell(commit)
        if not is_booted(self._predicate) or not cell.build or not cell.build.ok:
            return commit, self._votes(cell)
        self._booted_as[commit] = self._work.booted_as(cell.variant)
        return cell.build.image_sha256, self._votes(self._work.cell(self._booted_as[commit]))

    def boot(self, commits: Sequence[str]) -> Sequence[Vote]:
        """Run one trial of each commit, all concurrently."""
        trials: list[tuple[str, str, int]] = []
        for commit in commits:
            variant = self._booted_as.get(commit, self._variants[commit])
            earlier = [trial_number(boot.purpose) for boot in self._work.cell(variant).boots]
            earlier += [number for other, _, number in trials if other == variant]
            trials.append((variant, commit, max(earlier, default=0) + 1))
        cpus = max(1, self._work.session.jobserver.tokens // len(trials))
        with ThreadPoolExecutor(len(trials), thread_name_prefix="trial") as pool:
            return list(pool.map(lambda each: self._boot(each[0], each[1], each[2], cpus), trials))

    def _boot(self, variant: str, commit: str, number: int, cpus: int) -> Vote:
        kernel = self._kernels.get(commit) or self._build(commit)
        if kernel is None or not is_booted(self._predicate):
            return self._votes(self._cell(commit))[-1]
        self._work.boot_trial(variant, kernel, number, self._run, cpus)
        cell = self._work.cell(variant)
        boots = tuple(boot for boot in cell.boots if boot.purpose == trial(number))
        return vote(self._predicate, self._tests, Cell(cell.arch, variant, cell.build, boots))

    def _build(self, commit: str) -> Path | None:
        if kernel := self._kernels.get(commit):
            return kernel
        choice = self._checkouts(commit)
        checkout = next(filter(self._work.is_built, choice), choice[0]) if len(choice) > 1 else choice[0]
        self._variants[commit] = checkout.variant
        known = self._work.cell(checkout.variant).build
        if known and not known.ok and not known.error_is_infrastructure:
            return None
        self._kernels[commit] = self._work.build(checkout)
        self._excuse(checkout)
        self._work.session.progress.forget(self._work.label(checkout.variant))
        return self._kernels[commit]

    def _excuse(self, checkout: Checkout) -> None:
        """Record a build failure as infrastructure if the worktree was changed from outside."""
        session, build = self._work.session, self._work.cell(checkout.variant).build
        if build is None or build.ok or build.error_is_infrastructure:
            return
        name = session.worktree_name(self._work.arch)
        if not is_untouched(session.workspace.cache, name, checkout.commit):
            why = f"the worktree {name} was changed during the build"
            session.progress.log(f"{self._work.label(checkout.variant)}: {why}")
            session.record_build(replace(build, error=why, error_is_infrastructure=True))

    def _cell(self, commit: str) -> Cell:
        return self._work.cell(self._variants[commit])

    def _votes(self, cell: Cell) -> Sequence[Vote]:
        good = self._variants.get(self._good)
        reference = self._work.cell(good).build if good else None
        return votes_of(self._predicate, self._tests, cell, reference)
