# SPDX-License-Identifier: GPL-2.0-only
"""Records of test suites."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from harness.config.record import Items, NamedRecord, Pattern, Record


class CaseRecord(Record):
    """One case of a suite: its arguments, and optional evidence."""

    args: Items[str] = ()
    evidence: Mapping[str, int] | None = None
    """Counter name → least rise; the suite's evidence if not given."""
    needs: Items[str] | None = None
    """The suite's needs if not given."""
    timeout_seconds: float | None = None
    sources: Items[str] = ()
    """In the kernel tree: sources of a separate program, named after the first of them."""
    flags: Items[str] = ()
    """Further flags of the compiler."""
    says: Pattern = ""
    """For a program without KTAP: exit status 0 is a PASS if a line of its output has this pattern."""


class ProgramRecord(Record):
    """How a suite's program is built: by our Makefile, or from sources of the kernel tree."""

    name: str
    wrapper: bool = False
    """Built from `kselftest_wrappers/`."""
    under: str = ""
    """A program of ours that starts it."""
    tree_sources: Items[str] = ()
    """Sources in the kernel tree; the first one must exist for the suite to be there."""
    tree_includes: Items[str] = ()
    """Folders for `-I`."""
    tree_also: Items[str] = ()
    """What else of the tree those refer to."""
    flags: Items[str] = ()
    """Further ones for the compiler."""


class SuiteRecord(NamedRecord):
    """A test program and its cases; `configs/tests/*.yaml`."""

    KIND = "tests"
    NOUN = "test suite"

    about: str
    program: ProgramRecord
    needs: Items[str] = ()
    evidence: Mapping[str, int]
    timeout_seconds: float = Field(default=60.0, gt=0)
    unharmed: Items[str] = ()
    """Of a suite that lets allocations fail: the arguments, before the last one of a case, with which it
    does the same and lets none fail."""
    boots: int = Field(default=1, ge=1)
    """Boots in which each case runs, at least."""
    memory_mb: int = 0
    """Least memory of QEMU's guests in MiB, if more than the architecture's record says."""
    cases: Mapping[str, CaseRecord]
    """Either none has sources, or all: then `program` says what their programs have in common."""

    @field_validator("cases")
    @classmethod
    def _all_or_none_has_sources(cls, cases: Mapping[str, CaseRecord]) -> Mapping[str, CaseRecord]:
        without = [name for name, case in cases.items() if not case.sources]
        if without and len(without) < len(cases):
            raise ValueError(f"{without[0]} has no sources, others have")
        return cases

    @model_validator(mode="after")
    def _one_way_to_compile_each(self) -> SuiteRecord:
        for name, case in self.cases.items():
            program = self.program_of(case)
            if program not in self.programs:
                raise ValueError(f"{name}: program {program.name} is compiled in two ways")
        return self

    def program_of(self, case: CaseRecord) -> ProgramRecord:
        """The program that a case runs; cases with the same first source share one."""
        if not case.sources:
            return self.program
        shared = self.program
        return shared.model_copy(
            update={
                "name": f"{self.name}/{Path(case.sources[0]).stem}",
                "tree_sources": (*case.sources, *shared.tree_sources),
                "flags": (*shared.flags, *case.flags),
            }
        )

    @property
    def programs(self) -> tuple[ProgramRecord, ...]:
        """Every program of the suite, once."""
        made = (self.program_of(case) for case in self.cases.values())
        return tuple({program.name: program for program in made}.values())

    @property
    def programs_of_tree(self) -> Mapping[str, ProgramRecord]:
        """Program of each case that is built from the kernel tree's sources."""
        programs = {name: self.program_of(case) for name, case in self.cases.items()}
        return {name: program for name, program in programs.items() if not program.wrapper}

    def without(self, names: Container[str]) -> SuiteRecord:
        """The same suite without some of its cases."""
        kept = {name: case for name, case in self.cases.items() if name not in names}
        return self.model_copy(update={"cases": kept})

    @property
    def is_collection(self) -> bool:
        """Whether each case has a separate program."""
        return any(case.sources for case in self.cases.values())
