# SPDX-License-Identifier: GPL-2.0-only
"""Conditions under which a line is compiled: #if in the file, obj-$(CONFIG_X) in its Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

_DIRECTIVE = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
_SYMBOL = re.compile(r"(!\s*)?(?:\w*(?:defined|IS_\w+)\s*\(?\s*)?(CONFIG_\w+)")
_OBJECTS = re.compile(r"([\w-]+)-(?:y|m|objs|\$\((CONFIG_\w+)\))\s*[:+]?=\s*(.*)")
_MAKE_IF = re.compile(r"(ifdef|ifndef|ifeq|ifneq|else|endif)\b(.*)")


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition on the configuration."""

    wanted: tuple[str, ...] = ()
    """Symbols that have to be set."""
    unwanted: tuple[str, ...] = ()
    """Symbols that must not be set."""
    any_of: bool = False
    """One of `wanted` is enough."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the condition."""
        return (*self.wanted, *self.unwanted)

    def holds(self, configuration: Mapping[str, str]) -> bool:
        """Tell whether a configuration surely meets it."""
        met = [configuration.get(symbol, "n") != "n" for symbol in self.wanted]
        return (any(met) if self.any_of else all(met)) and not any(
            configuration.get(symbol, "n") != "n" for symbol in self.unwanted
        )

    @property
    def opposite(self) -> Guard:
        """The condition of #else."""
        return Guard(self.unwanted, self.wanted)


def guards_of_lines(text: str, numbers: set[int]) -> dict[int, tuple[Guard, ...]]:
    """Return the conditions around lines of a C or assembler file, outermost first; lines count from 1."""
    found: dict[int, tuple[Guard, ...]] = {}
    stack: list[Guard] = []
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line and (directive := _DIRECTIVE.match(line)):
            _follow(stack, directive[1], directive[2])
        if number in numbers:
            found[number] = tuple(guard for guard in stack if guard.symbols)
    return found


def _follow(stack: list[Guard], directive: str, condition: str) -> None:
    if directive in ("if", "ifdef"):
        stack.append(_read(condition))
    elif directive == "ifndef":
        stack.append(_read(condition).opposite)
    elif stack and directive == "endif":
        stack.pop()
    elif stack and directive == "else":
        stack[-1] = stack[-1].opposite
    elif stack:
        stack[-1] = _read(condition)


def _read(condition: str) -> Guard:
    found = [(bool(match[1]), match[2]) for match in _SYMBOL.finditer(condition)]
    return Guard(
        tuple(dict.fromkeys(name for negated, name in found if not negated)),
        tuple(dict.fromkeys(name for negated, name in found if negated)),
        any_of="||" in condition,
    )


def guards_of_object(makefile: str, name: str) -> tuple[Guard, ...]:
    """Return the conditions under which a Makefile builds `name`: an object, or a folder with a slash.

    An object that belongs to another one, `foo-y := name`, has the conditions of that.
    """
    entries = list(_entries(makefile))
    found: tuple[Guard, ...] = ()
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        for target, guards, words in entries:
            if name in words:
                found = (*guards, *found)
                name = name if target in ("obj", "lib") else f"{target}.o"
                break
    return found


def has_object(makefile: str, name: str) -> bool:
    """Tell whether a Makefile lists an object."""
    return any(name in words for _, _, words in _entries(makefile))


def _entries(makefile: str) -> Iterator[tuple[str, tuple[Guard, ...], list[str]]]:
    """Each list of objects: the name before -y, its conditions, and the objects."""
    stack: list[Guard] = []
    for line in makefile.replace("\\\n", " ").split("\n"):
        plain = line.partition("#")[0].strip()
        if condition := _MAKE_IF.match(plain):
            word = {"ifeq": "ifdef", "ifneq": "ifdef"}.get(condition[1], condition[1])
            text = condition[2]
            if condition[1] == "ifneq":  # ifneq ($(CONFIG_X),) and ifeq ($(CONFIG_X),y) say the same
                text = text.replace("!", "")
            _follow(stack, word, text)
        elif objects := _OBJECTS.match(plain):
            own = (Guard((objects[2],)),) if objects[2] else ()
            around = tuple(replace(guard) for guard in stack if guard.symbols)
            yield objects[1], (*around, *own), objects[3].split()
