# SPDX-License-Identifier: GPL-2.0-only
"""One architecture and compiler, in one configuration after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.build.kernel.make import BuildError, DroppedError
from harness.build.kernel.recipe import Recipe
from harness.commands.configs.compiling import Said, Target, Workshop, asked_words, said_by
from harness.commands.configs.reach import Candidate, Reach, arch_of
from harness.config.neighbourhood import TEST_KERNEL, Configuration
from harness.core.errors import HarnessError
from harness.engine.schedule import Kind, Task
from harness.sources.series.guards import Guard
from results.model.configs import ConfigResult, ConfigState, Severity
from results.model.run import CompilerWarning
from results.text import amount, first_line

UNREACHED = "unreached"
"""The configuration that is made for changed lines that no other one compiles."""
_SECONDS = 20.0
"""A configuration on two cores, as a first guess."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a compiler says with the series; whether base says it too is not known yet."""

    said: Said
    target: Target
    configuration: str
    recipe: Recipe
    log: str


@dataclass(slots=True)
class Sweep:
    """The configurations of one target."""

    workshop: Workshop
    reach: Reach
    target: Target
    configurations: Sequence[Configuration]
    suspects: list[Suspect] = field(default_factory=list)
    results: list[ConfigResult] = field(default_factory=list)
    compiled: dict[str, set[int]] = field(default_factory=dict)
    """Changed lines that were compiled, by file."""
    _seen: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

    def tasks(self) -> list[Task]:
        """Return the first configuration; each returns the next one."""
        return [self._task(0)]

    def _task(self, position: int) -> Task:
        def action() -> Sequence[Task]:
            if position < len(self.configurations):
                self._one(self.configurations[position])
                return [self._task(position + 1)]
            if wanted := self._for_unreached():
                self._one(wanted)
            return []

        return Task(self.target.label, Kind.BUILD, _SECONDS, action)

    def _one(self, configuration: Configuration) -> None:
        """Compile in one configuration, and record what came of it."""
        progress, label = self.workshop.session.progress, f"{self.target.label} {configuration.name}"
        started = time.monotonic()
        with progress.activity(label, "compile", _SECONDS) as doing:
            result = self._result(configuration)
            doing.outcome = _outcome(result)
        progress.forget(label)
        self.results.append(replace(result, seconds=time.monotonic() - started))

    def _result(self, configuration: Configuration) -> ConfigResult:
        session = self.workshop.session
        name = self.target.label.replace(" ", "-").replace("(", "").replace(")", "")
        log = f"logs/{name}-{configuration.name}.log"
        recipe = self.workshop.recipe(self.target, configuration)
        blank = ConfigResult(
            self.target.arch.name, self.target.toolchain, configuration.name, asked_words(recipe),
            ConfigState.COMPILED, "", (), 0, 0.0, log,
        )  # fmt: skip
        equal = 0

        def choose(symbols: Mapping[str, str]) -> Sequence[str]:
            nonlocal equal
            built = [each for each in self.reach.of(self.target.folder) if each.is_built(symbols)]
            new = [each for each in built if (each.source, each.signature(symbols)) not in self._seen]
            equal = len(built) - len(new)
            return [each.object for each in new]

        checkout = session.checkouts.checkout("series")
        try:
            found = self.workshop.compile(self.target, recipe, checkout, choose, log)
        except DroppedError as error:
            return replace(blank, state=ConfigState.NOT_HERE, reason="; ".join(map(_lost, error.lost)))
        except BuildError as error:
            return self._without_object(blank, recipe, first_line(error.error))
        except HarnessError as error:
            has_log = (session.run_dir / log).exists()
            return replace(
                blank, state=ConfigState.INFRASTRUCTURE, reason=str(error), log=log if has_log else ""
            )
        self._note(found.symbols, set(found.chosen))
        self.suspects += [
            Suspect(said, self.target, configuration.name, recipe, log) for said in said_by(found)
        ]
        result = replace(blank, asked=asked_words(recipe), objects=found.chosen, equal=equal)
        if found.compiled.crashed:
            crashed = ", ".join(found.compiled.crashed)
            return replace(
                result, state=ConfigState.INFRASTRUCTURE, reason=f"the compiler crashed under {crashed}"
            )
        return result if found.chosen else replace(result, state=ConfigState.NOTHING_NEW)

    def _without_object(self, blank: ConfigResult, recipe: Recipe, error: str) -> ConfigResult:
        """Tell a configuration that this architecture or compiler has not from one that the series breaks."""
        base = self.workshop.session.checkouts.checkout("base")
        try:
            self.workshop.compile(self.target, recipe, base, lambda _: (), f"{blank.log[:-4]}-base.log")
        except HarnessError as reason:
            return replace(blank, state=ConfigState.INFRASTRUCTURE, reason=str(reason))
        except BuildError:
            return replace(blank, state=ConfigState.NOT_HERE, reason=error)
        said = Said("", Severity.ERROR, CompilerWarning("Makefile", 0, "", error))
        self.suspects.append(Suspect(said, self.target, blank.name, recipe, blank.log))
        return blank

    def _note(self, symbols: Mapping[str, str], chosen: set[str]) -> None:
        """Remember what was compiled; an object that fails was, too."""
        for each in self.reach.of(self.target.folder):
            if each.object in chosen:
                self._seen.add((each.source, each.signature(symbols)))
        built = [each for each in self.reach.of(self.target.folder) if each.object in chosen]
        for each in built:
            self._add(each.source, each.lines, symbols)
        for header in self.reach.headers if built else ():
            if arch_of(header.path) in ("", self.target.folder):
                self._add(header.path, self.reach.lines.get(header.path, ()), symbols)

    def _add(
        self, path: str, lines: Sequence[tuple[int, tuple[Guard, ...]]], symbols: Mapping[str, str]
    ) -> None:
        met = {number for number, guards in lines if all(guard.holds(symbols) for guard in guards)}
        self.compiled.setdefault(path, set()).update(met)

    def _for_unreached(self) -> Configuration | None:
        """Return the test kernel with all that lacks for lines that were never compiled; None if nothing."""
        wanted: dict[str, str] = {}
        for each in self.reach.of(self.target.folder):
            missing = [guards for number, guards in each.lines if number not in self._met(each)]
            for guard in (
                (*each.guards, *(guard for guards in missing for guard in guards)) if missing else ()
            ):
                wanted |= dict.fromkeys(guard.unwanted, "n") | dict.fromkeys(guard.wanted, "y")
        for header in self.reach.headers:
            met = self.compiled.get(header.path, set())
            missing = [
                guards for number, guards in self.reach.lines.get(header.path, ()) if number not in met
            ]
            for guard in (guard for guards in missing for guard in guards):
                if arch_of(header.path) in ("", self.target.folder):
                    wanted |= dict.fromkeys(guard.unwanted, "n") | dict.fromkeys(guard.wanted, "y")
        symbols = {name.removeprefix("CONFIG_"): value for name, value in wanted.items()}
        if not symbols:
            return None
        return Configuration(name=UNREACHED, why="changed lines that no other one compiles", base=TEST_KERNEL,
                             symbols=symbols, is_firm=False)  # fmt: skip

    def _met(self, candidate: Candidate) -> set[int]:
        return self.compiled.get(candidate.source, set())


def _outcome(result: ConfigResult) -> str:
    if result.state in (ConfigState.COMPILED, ConfigState.NOTHING_NEW):
        return f"{amount(len(result.objects), 'object')}, {result.equal} the same as before"
    return f"{result.state}: {first_line(result.reason)}"


def _lost(line: str) -> str:
    return line.partition(", asked for by ")[0]
