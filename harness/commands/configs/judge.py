# SPDX-License-Identifier: GPL-2.0-only
"""Base against series: what is new, and the patch that brings it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath

from harness.build.kernel.make import BuildError
from harness.commands.configs.compiling import Said, Workshop, plain_commands, said_by
from harness.commands.configs.compiling import asked_words as words_of
from harness.commands.configs.sweep import Suspect
from harness.plan.prepare import Checkout, checkout_of, patch_commit
from harness.sources.git.mirror import path_hash
from results.journal.journal import patch_variant
from results.model.configs import Check, NewDiagnostic, Place, Severity

_MOST_SAID = 6


@dataclass(slots=True)
class Judge:
    """Compiles suspects again without the series, and with only its first patches."""

    workshop: Workshop
    base_fails: dict[Place, list[str]] = field(default_factory=dict)
    """Objects of which nothing can be said, since base does not compile them either."""
    _known: dict[tuple[Place, str, int], frozenset[tuple[str, ...]]] = field(default_factory=dict)

    def new(self, suspects: Sequence[Suspect]) -> Iterator[NewDiagnostic]:
        """Yield what base does not say, each once, with all places."""
        by_identity: dict[tuple[str, ...], list[Suspect]] = {}
        for place, group in groupby(sorted(suspects, key=_order), key=place_of):
            alike = list(group)
            for suspect in self._not_on_base(place, alike):
                by_identity.setdefault(suspect.said.identity[1:], []).append(suspect)
        for same in _first_errors(by_identity.values()):
            yield self._diagnostic(same, by_identity)

    def _not_on_base(self, place: Place, suspects: Sequence[Suspect]) -> Iterator[Suspect]:
        base = self._say(suspects[0], sorted({each.said.object for each in suspects}), 0)
        failing = {said[0] for said in base if said[1] == Severity.ERROR}
        if told := sorted({each.said.object for each in suspects} & failing):
            self.base_fails[place] = told
        yield from (
            each for each in suspects if each.said.object not in failing and each.said.identity not in base
        )

    def _say(self, suspect: Suspect, objects: Sequence[str], patch: int) -> frozenset[tuple[str, ...]]:
        """Return what the compiler says of objects with the first patches, as far as they are there."""
        session = self.workshop.session
        commit = patch_commit(session.checkouts.subject, patch)
        checkout = checkout_of(patch_variant(patch), commit, session.workspace.cache)
        there = [made for made in objects if self._exists(checkout, made)]
        if not there:
            return frozenset()
        log = suspect.log.removesuffix(".log") + f"-patch-{patch}.log"
        try:
            found = self.workshop.compile(suspect.target, suspect.recipe, checkout, lambda _: there, log)
        except BuildError:
            # Nothing compiles at all, so nothing is said of the series.
            return frozenset((made, str(Severity.ERROR), "", "", "") for made in there)
        crashed = ((made, str(Severity.ERROR), "", "", "") for made in found.compiled.crashed)
        return frozenset((*(said.identity for said in said_by(found)), *crashed))

    def _exists(self, checkout: Checkout, made: str) -> bool:
        """Tell whether a commit has the source of an object; those that are generated are there."""
        place, cache = PurePosixPath(made), self.workshop.session.workspace.cache
        series = self.workshop.session.checkouts.commit("series")
        sources = [str(place.with_suffix(suffix)) for suffix in (".c", ".S")]
        had = [path for path in sources if path_hash(cache, series, path)]
        return not had or any(path_hash(cache, checkout.commit, path) for path in had)

    def _diagnostic(
        self, same: Sequence[Suspect], found: Mapping[tuple[str, ...], Sequence[Suspect]]
    ) -> NewDiagnostic:
        first, said = same[0], same[0].said
        others = (
            each.said
            for alike in found.values()
            for each in alike
            if place_of(each) == place_of(first) and each.said.object == said.object and each.said != said
        )
        further = (other for other in others if other.severity is Severity.ERROR is said.severity)
        return NewDiagnostic(
            check=Check.BUILD,
            severity=said.severity,
            diagnostic=said.diagnostic,
            object=said.object,
            places=tuple(dict.fromkeys(map(place_of, same))),
            patch=self._patch(first),
            asked=words_of(first.recipe),
            commands=plain_commands(first.target, first.recipe, said.object),
            log=first.log,
            said=tuple(map(_line, further))[:_MOST_SAID],
        )

    def _patch(self, suspect: Suspect) -> int | None:
        """Halve the patches until one is left that has what the one before has not."""
        patches = len(self.workshop.session.checkouts.subject.patches)
        good, bad = 0, patches
        if not patches:
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            self.workshop.session.progress.log(
                f"{suspect.target.label} {suspect.configuration}: {suspect.said.object} with {middle} of "
                f"{patches} patches"
            )
            good, bad = (good, middle) if self._has(suspect, middle) else (middle, bad)
        return bad

    def _has(self, suspect: Suspect, patch: int) -> bool:
        key = place_of(suspect), suspect.said.object, patch
        if key not in self._known:
            self._known[key] = self._say(suspect, [suspect.said.object], patch)
        return suspect.said.identity in self._known[key]


def _order(suspect: Suspect) -> tuple[str, str, str]:
    place = place_of(suspect)
    return place.toolchain, place.arch, place.configuration


def place_of(suspect: Suspect) -> Place:
    """Return where something was said."""
    return Place(suspect.target.arch.name, suspect.target.toolchain, suspect.configuration)


def _first_errors(found: Iterable[Sequence[Suspect]]) -> Iterator[Sequence[Suspect]]:
    """Of the errors that one object has in one place only the first: the others mostly follow from it."""
    told: set[tuple[Place, str]] = set()
    for same in found:
        places = {(place_of(each), each.said.object) for each in same}
        if same[0].said.severity is Severity.ERROR:
            if places <= told:
                continue
            told |= places
        yield same


def _line(said: Said) -> str:
    found = said.diagnostic
    return f"{found.file}:{found.line}: {found.text}"
