# SPDX-License-Identifier: GPL-2.0-only
"""Suites that the changed files ask for, and the selftests that a series adds or changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from harness.config.catalogue import Folders, find, load, load_all
from harness.config.derivation import DerivationRecord, SelftestFolder, SuiteRule
from harness.config.suite import CaseRecord, SuiteRecord
from harness.core.shipped import CONFIGS
from harness.plan.derive.line import DerivedLine, Subject, first_of, most_changed
from harness.plan.patches import InertRecord, is_inert
from harness.sources.series.changes import FileChange

SELFTESTS = "tools/testing/selftests/"
HOST_TESTS = "tools/testing/"
_WORD = re.compile(r"\w+")
_LISTED = re.compile(r"^\s*(?:TEST_GEN_\w+|TEST_PROGS\w*)\s*[:+]?=\s*(.*)$", re.MULTILINE)
_EXTRA = re.compile(r"^\$\(OUTPUT\)/([\w.-]+)\s*:\s*(.*)$", re.MULTILINE)


@dataclass(slots=True)
class Chosen:
    """Suites by name, in order, and the line for each decision."""

    suites: dict[str, SuiteRecord] = field(default_factory=dict)
    lines: list[DerivedLine] = field(default_factory=list)


def choose_suites(subject: Subject, rules: DerivationRecord, folders: Folders = None) -> Chosen:
    """Choose suites for the changes of a series."""
    chosen = Chosen()
    _add_selftests(chosen, subject, rules, folders)
    inert = load(CONFIGS / "inert.yaml", InertRecord)
    kernel = [file for file in subject.changes.files if not is_inert(file.path, inert)]
    for rule in rules.suites:
        if paths := most_changed(file for file in kernel if _matches(rule, file)):
            for name in rule.tests:
                _add(chosen, find(SuiteRecord, name, folders), subject, f"{first_of(paths)}: {rule.reason}")
    if not kernel:
        chosen.lines.append(
            DerivedLine("suite", "pmd_split", False, "no file changes that a kernel is built from")
        )
    return chosen


def _add(chosen: Chosen, suite: SuiteRecord, subject: Subject, reason: str) -> None:
    """Add a suite once, if the sources have any of its programs."""
    sources = [program.tree_sources[0] for program in suite.programs_of_tree.values()]
    if suite.name not in chosen.suites and (not sources or any(map(subject.has, sources))):
        chosen.suites[suite.name] = suite
        chosen.lines.append(DerivedLine("suite", suite.name, True, reason))


def _matches(rule: SuiteRule, file: FileChange) -> bool:
    if any(fnmatchcase(file.path, pattern) for pattern in rule.paths):
        return True
    words = set(rule.words)
    return any(not words.isdisjoint(_WORD.findall(line.text)) for line in file.lines)


def _add_selftests(chosen: Chosen, subject: Subject, rules: DerivationRecord, folders: Folders) -> None:
    known = _known_programs(load_all(SuiteRecord, folders).values())
    changed = [file for file in subject.changes.files if file.path.startswith(SELFTESTS)]
    cases: dict[str, CaseRecord] = {}
    for file in changed:
        if file.after is not None and file.path in known:
            suite, names = known[file.path]
            if suite.is_collection:
                cases |= {name: suite.cases[name] for name in names}
            else:
                chosen.suites[suite.name] = suite
            shown = suite.name if not suite.is_collection else ", ".join(f"{suite.name}.{n}" for n in names)
            chosen.lines.append(DerivedLine("selftest", shown, True, _says_how(file)))
        elif file.path.endswith((".c", ".sh", ".py")):
            chosen.lines.append(_other_selftest(file, subject, rules.selftests, cases))
    if cases:
        template = find(SuiteRecord, rules.selftests.suite, folders)
        chosen.suites[template.name] = template.model_copy(update={"cases": cases})
    chosen.lines += _host_tests(subject)


def _known_programs(suites: Iterable[SuiteRecord]) -> dict[str, tuple[SuiteRecord, list[str]]]:
    """The first source of each program in the tree → its suite and cases; a suite of its own comes first."""
    known: dict[str, tuple[SuiteRecord, list[str]]] = {}
    for suite in sorted(suites, key=lambda suite: suite.is_collection):
        for name, program in suite.programs_of_tree.items():
            owner, names = known.setdefault(program.tree_sources[0], (suite, []))
            if owner is suite:
                names.append(name)
    return known


def _says_how(file: FileChange) -> str:
    return f"the series {'adds' if file.before is None else 'changes'} {file.path}"


def _other_selftest(
    file: FileChange, subject: Subject, known: SelftestFolder, cases: dict[str, CaseRecord]
) -> DerivedLine:
    """A selftest that no suite has: a new program in C is built like the others of its folder."""
    name = PurePosixPath(file.path).stem
    how = _says_how(file) if file.after is not None else f"the series removes {file.path}"

    def left_out(why: str) -> DerivedLine:
        return DerivedLine("selftest", file.path.removeprefix(SELFTESTS), False, f"{how}; not run: {why}")

    if file.after is None:
        return left_out("nothing is left of it")
    if not file.path.endswith(".c"):
        return left_out("guests have no interpreter of scripts")
    if str(PurePosixPath(file.path).parent) + "/" != known.folder:
        return left_out(f"only programs of {known.folder} are built")
    if file.before is not None:
        return left_out(f"suite {known.suite} leaves it out, or other programs include it")
    makefile = subject.changes.get(f"{known.folder}Makefile")
    text = (makefile.after if makefile else "") or ""
    if name not in {word for match in _LISTED.finditer(text) for word in match[1].split()}:
        return left_out(
            f"the series does not add it to TEST_GEN_FILES or TEST_GEN_PROGS of {known.folder}Makefile"
        )
    extra = [word for match in _EXTRA.finditer(text) if match[1] == name for word in match[2].split()]
    sources = tuple(f"{known.folder}{word}" for word in extra if word.endswith(".c"))
    cases[name] = CaseRecord(sources=(file.path, *(source for source in sources if source != file.path)))
    return DerivedLine("selftest", f"{known.suite}.{name}", True, how)


def _host_tests(subject: Subject) -> Iterator[DerivedLine]:
    paths: dict[str, list[str]] = {}
    for file in subject.changes.files:
        if file.path.startswith(HOST_TESTS) and not file.path.startswith(SELFTESTS):
            paths.setdefault("/".join(file.path.split("/")[:3]), []).append(file.path)
    for folder, changed in paths.items():
        reason = f"the series changes {first_of(changed)}; not run: it is a program of the host"
        yield DerivedLine("host test", folder, False, reason)
