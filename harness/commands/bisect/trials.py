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
    """One architecture; a `results.bisect.search.Laboratory`.

    Boots that the session knows already count, so that an interrupted bisection goes on. Kernels that are
    the same bytes are booted under the name of the first of them.
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
        """`checkouts` says what may be built for a commit; `good` is the one whose warnings are known."""
        self._work = work
        self._predicate = predicate
        self._checkouts = checkouts
        self._good = good
        self._tests = tests_for(predicate, work.session.planned)
        self._run = work.session.planned if all_tests else self._tests
        self._variants: dict[str, str] = {}
        self._kernels: dict[str, Path | None] = {}
        self._speakers: dict[str, str] = {}

    def meet(self, commit: str) -> tuple[str, Sequence[Vote]]:
        """Build a commit, unless it is known not to build."""
        if isinstance(self._predicate, WarningSeen) and commit != self._good:
            self._build(self._good)
        self._build(commit)
        cell = self._cell(commit)
        if not is_booted(self._predicate) or not cell.build or not cell.build.ok:
            return commit, self._votes(cell)
        image = cell.build.image_sha256
        speaker = self._speakers.setdefault(image, self._speaker(cell))
        if speaker != cell.variant:
            name, other = self._work.label(cell.variant), speaker
            self._work.session.progress.log(f"{name}: the same image as {other}, booted once")
        return image, self._votes(self._work.cell(speaker))

    def boot(self, commits: Sequence[str]) -> Sequence[Vote]:
        """One trial of each commit, all at once."""
        trials: list[tuple[str, str, int]] = []
        for commit in commits:
            variant = self._speaking(commit)
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
        """A build that failed in a worktree that somebody changed says nothing of the commit."""
        session, build = self._work.session, self._work.cell(checkout.variant).build
        if build is None or build.ok or build.error_is_infrastructure:
            return
        name = session.worktree_name(self._work.arch)
        if not is_untouched(session.workspace.cache, name, checkout.commit):
            why = f"somebody changed the worktree {name} while it was built"
            session.progress.log(f"{self._work.label(checkout.variant)}: {why}")
            session.record_build(replace(build, error=why, error_is_infrastructure=True))

    def _cell(self, commit: str) -> Cell:
        return self._work.cell(self._variants[commit])

    def _speaking(self, commit: str) -> str:
        build = self._cell(commit).build
        return self._speakers.get(build.image_sha256 if build else "", self._variants[commit])

    def _speaker(self, cell: Cell) -> str:
        """Who was booted for this image in an earlier life of the session; else the cell itself."""
        image = cell.build.image_sha256 if cell.build else ""
        known = self._work.session.cells.values()
        same = (
            other.variant
            for other in known
            if other.arch == cell.arch and other.boots and other.build and other.build.image_sha256 == image
        )
        return next(same, cell.variant)

    def _votes(self, cell: Cell) -> Sequence[Vote]:
        good = self._variants.get(self._good)
        reference = self._work.cell(good).build if good else None
        return votes_of(self._predicate, self._tests, cell, reference)
