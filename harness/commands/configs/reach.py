# SPDX-License-Identifier: GPL-2.0-only
"""Which objects a series reaches, and which symbols decide on what a compiler sees of its lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import PurePosixPath

from harness.config.neighbourhood import Neighbourhood
from harness.sources.git.repository import GitError, Repository
from harness.sources.series.changes import (
    Changes,
    FileChange,
    guards_of_file,
    makefiles_of,
    read_changes,
    read_files,
)
from harness.sources.series.guards import Guard, guards_of_lines
from results.text import amount

_NAME = re.compile(r"\b[A-Za-z_]\w{3,}\b")
_INCLUDE = re.compile(r'#\s*include\s*[<"]([^>"]+)[>"]')
_COMPILED = (".c", ".S")
_DEEPEST = 3
"""Parts of the path of an includer: what guards a file further down is not known."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that may be compiled."""

    source: str
    guards: tuple[Guard, ...]
    """Conditions under which its Makefile builds it."""
    symbols: frozenset[str]
    """Those that decide on what a compiler sees of the changed lines."""
    lines: tuple[tuple[int, tuple[Guard, ...]], ...] = ()
    """Lines that the series adds, with their conditions."""
    is_new: bool = False
    """Base has no such file."""

    @property
    def object(self) -> str:
        """What make is asked for."""
        return str(PurePosixPath(self.source).with_suffix(".o"))

    @property
    def arch(self) -> str:
        """The folder below arch/ that it belongs to; empty if all architectures may build it."""
        return arch_of(self.source)

    def is_built(self, symbols: Mapping[str, str]) -> bool:
        """Tell whether a configuration builds it."""
        return all(guard.holds(symbols) for guard in self.guards)

    def signature(self, symbols: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values of its symbols: equal ones give the changed lines the same meaning."""
        return tuple(symbols.get(name, "n") for name in sorted(self.symbols))


@dataclass(frozen=True, slots=True)
class Reach:
    """All that a series reaches."""

    candidates: tuple[Candidate, ...]
    headers: tuple[FileChange, ...]
    """Changed headers, and C files that are only included."""
    about: tuple[str, ...]
    """What was left out or sampled, in words."""
    _header_lines: Mapping[str, tuple[tuple[int, tuple[Guard, ...]], ...]] = field(default_factory=dict)

    def of(self, folder: str) -> tuple[Candidate, ...]:
        """Return the objects that the architecture of a folder below arch/ may build."""
        return tuple(each for each in self.candidates if each.arch in ("", folder))

    @property
    def lines(self) -> dict[str, tuple[tuple[int, tuple[Guard, ...]], ...]]:
        """Added lines of C, by file."""
        own = {each.source: each.lines for each in self.candidates if each.lines}
        return {**own, **self._header_lines}


def arch_of(path: str) -> str:
    """Return the folder below arch/ of a path; empty for others."""
    parts = path.split("/")
    return parts[1] if parts[0] == "arch" and len(parts) > 2 else ""


def find_reach(mirror: Repository, base: str, tip: str, rules: Neighbourhood) -> Reach:
    """Read the diff of a series, and find the objects that it reaches.

    Raises:
        GitError: for unknown commits.
    """
    changes = read_changes(mirror, base, tip)
    files = [file for file in changes.files if not file.path.startswith(rules.left_out)]
    makefiles = changes.makefiles
    sources = [file for file in files if file.after and file.path.endswith(_COMPILED)]
    objects = [file for file in sources if guards_of_file(file.path, makefiles) is not None]
    headers = [
        file
        for file in files
        if file.after and (file.path.endswith(".h") or (file in sources and file not in objects))
    ]
    conditions = _Conditions(mirror, tip, rules, [*objects, *headers])
    shared = frozenset().union(*(_own_symbols(file) | conditions.of(file) for file in headers))
    changed = tuple(
        Candidate(
            file.path,
            file.guards,
            _own_symbols(file) | conditions.of(file) | shared,
            _lines(file),
            file.before is None,
        )
        for file in objects
    )
    includers, notes = _includers(mirror, tip, headers, {file.path for file in objects}, rules, shared)
    return Reach(
        (*changed, *includers),
        tuple(headers),
        (*_left_out(changes, files, [*objects, *headers], rules), *notes),
        {file.path: _lines(file) for file in headers if file.path.endswith((".h", ".c"))},
    )


def _own_symbols(file: FileChange) -> frozenset[str]:
    return frozenset(name for guard in file.all_guards for name in guard.symbols)


def _lines(file: FileChange) -> tuple[tuple[int, tuple[Guard, ...]], ...]:
    return tuple((line.number, line.guards) for line in file.added if line.text.strip())


def _names(file: FileChange) -> set[str]:
    """Names in the changed lines of a file."""
    return {name for line in file.lines for name in _NAME.findall(line.text)}


class _Conditions:
    """Conditions around what defines, declares or uses the names of changed lines."""

    def __init__(
        self, mirror: Repository, tip: str, rules: Neighbourhood, files: Sequence[FileChange]
    ) -> None:
        self._rare = rules.rare
        names = sorted(set(chain.from_iterable(map(_names, files))))
        self._by_name = dict(_in_headers(mirror, tip, rules, names)) if names else {}

    def of(self, file: FileChange) -> frozenset[str]:
        names = _names(file)
        elsewhere = (self._by_name.get(name, frozenset()) for name in names)
        return frozenset().union(*elsewhere, _around(file.after or "", names, self._rare))


def _around(text: str, names: set[str], rare: int) -> frozenset[str]:
    """Symbols that guard lines of a text with one of the names, if they are few."""
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for name in names.intersection(_NAME.findall(line)):
            lines.setdefault(name, []).append(number)
    numbers = {number for found in lines.values() if len(found) <= rare for number in found}
    guards = guards_of_lines(text, numbers) if numbers else {}
    return frozenset(name for found in guards.values() for guard in found for name in guard.symbols)


def _in_headers(
    mirror: Repository, tip: str, rules: Neighbourhood, names: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield names with the symbols that guard them in headers, for those that few lines have."""
    known = set(names)
    texts = read_files(mirror, tip, _headers_in(mirror, tip, rules.headers))
    places: dict[str, list[tuple[str, int]]] = {}
    for path, text in texts.items():
        if known.isdisjoint(_NAME.findall(text)):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for name in known.intersection(_NAME.findall(line)):
                places.setdefault(name, []).append((path, number))
    few = {name: found for name, found in places.items() if len(found) <= rules.rare}
    numbers: dict[str, set[int]] = {}
    for path, number in chain.from_iterable(few.values()):
        numbers.setdefault(path, set()).add(number)
    guards = {path: guards_of_lines(texts[path], wanted) for path, wanted in numbers.items()}
    for name, found in few.items():
        around = (guards[path].get(number, ()) for path, number in found)
        yield name, frozenset(symbol for guard in chain.from_iterable(around) for symbol in guard.symbols)


def _headers_in(mirror: Repository, tip: str, folders: Sequence[str]) -> list[str]:
    """Headers that are in some folders themselves, not further down."""
    listed = mirror.run("ls-tree", "--name-only", tip, "--", *folders).splitlines()
    return [path for path in listed if path.endswith(".h")]


def _includers(
    mirror: Repository,
    tip: str,
    headers: Sequence[FileChange],
    changed: set[str],
    rules: Neighbourhood,
    symbols: frozenset[str],
) -> tuple[list[Candidate], list[str]]:
    """Some of the files that include changed headers, the same ones each time, and how many there are."""
    if not headers:
        return [], []
    own = {f"arch/{arch}/mm/" for file in headers if (arch := arch_of(file.path))}
    includes = _includes(mirror, tip, (*rules.sampled, *sorted(own)))
    found = {file.path: sorted(_including(includes, file.path) - changed) for file in headers}
    makefiles = read_files(mirror, tip, sorted(makefiles_of(set(chain.from_iterable(found.values())))))
    chosen: dict[str, Candidate] = {}
    notes: list[str] = []
    for header, paths in found.items():
        near = [
            path for path in paths
            if path.count("/") < _DEEPEST and guards_of_file(path, makefiles) is not None
        ]  # fmt: skip
        near.sort(key=lambda path: sha256(path.encode()).digest())
        taken = near[: rules.includers]
        if len(paths) > len(taken):
            places = ", ".join((*rules.sampled, *(f"arch/{arch}/mm/" for arch in [arch_of(header)] if arch)))
            notes.append(
                f"{header}: {len(taken)} of {amount(len(paths), 'other file')} that include it in {places} "
                "were compiled"
            )
        for path in taken:
            guards = guards_of_file(path, makefiles) or ()
            of_makefile = frozenset(name for guard in guards for name in guard.symbols)
            chosen.setdefault(path, Candidate(path, guards, of_makefile | symbols))
    return list(chosen.values()), notes


def _includes(mirror: Repository, tip: str, folders: Sequence[str]) -> Mapping[str, set[str]]:
    """C files of some folders by what they include, as the #include names it."""
    try:
        said = mirror.run("grep", "--heading", "-E", r"^#\s*include\s", tip, "--", *folders)
    except GitError:  # grep finds nothing
        return {}
    found: dict[str, set[str]] = {}
    path = ""
    for line in said.splitlines():
        if match := _INCLUDE.match(line):
            if path.endswith(".c"):
                found.setdefault(match[1], set()).add(path)
        else:
            path = line.partition(":")[2]
    return found


def _including(includes: Mapping[str, set[str]], header: str) -> set[str]:
    """C files with an #include that finds a header where it is."""
    for folder in ("include/uapi/", "include/"):
        if header.startswith(folder):
            return includes.get(header.removeprefix(folder), set())
    if "/include/" in header:
        root, _, name = header.partition("/include/")
        near = includes.get(name.removeprefix("uapi/"), set())
        return {path for path in near if path.startswith(f"{root}/")}
    place = PurePosixPath(header)
    return {path for path in includes.get(place.name, set()) if PurePosixPath(path).parent == place.parent}


def _left_out(
    changes: Changes, files: Sequence[FileChange], taken: Sequence[FileChange], rules: Neighbourhood
) -> Iterator[str]:
    outside = Counter(
        next(folder for folder in rules.left_out if file.path.startswith(folder))
        for file in changes.files
        if file not in files
    )
    for folder, number in outside.items():
        yield f"{folder}: {amount(number, 'changed file')} not compiled, no objects of the kernel"
    known = {file.path for file in taken}
    for file in files:
        if file.path not in known and file.after is not None:
            yield f"{file.path}: not compiled, no object is made from it"
