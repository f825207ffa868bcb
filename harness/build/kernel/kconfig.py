# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configuration: fragments on top of a base, and proof that kconfig kept them.

`make olddefconfig` silently drops a symbol whose dependencies are not met. A kernel without
the checks that were asked for would pass for the wrong reason, so every symbol is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UsageError
from results.files import read_plain

ASSIGNMENT = re.compile(r"^(CONFIG_\w+)=(.*)$")
DISABLED = re.compile(r"^# (CONFIG_\w+) is not set$")
ABSENT = "this architecture or tree has none, or its dependencies are not met"
LARGEST = 1 << 20
"""Bytes; a whole .config has a quarter of them."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Symbols that were read from one file."""

    name: str
    """What people call it: `lockdep`, or the path of a file."""
    file: str
    """Its file, as a command names it."""
    symbols: Mapping[str, str]


def read_symbols(lines: Iterable[str], where: str = ".config") -> dict[str, str]:
    """Symbols of a configuration; `n` for those that are not set.

    Raises:
        UsageError: for a line that is neither a symbol nor a comment, or gives a symbol a second value.
    """
    symbols: dict[str, str] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if match := ASSIGNMENT.match(line):
            name, value = match[1], match[2]
        elif match := DISABLED.match(line):
            name, value = match[1], "n"
        elif line and not line.startswith("#"):
            raise UsageError(f"{where}:{number}: not a configuration line: {line!r}")
        else:
            continue
        if symbols.setdefault(name, value) != value:
            raise UsageError(f"{where}:{number}: {name} is {value} here and {symbols[name]} above")
    return symbols


def read_fragment(path: Path, name: str, file: str) -> Fragment:
    """Read a fragment.

    Raises:
        UsageError: if it can't be read, is not a fragment, or asks for nothing.
    """
    where = f"kernel configuration fragment {path}"
    try:
        content = read_plain(path, LARGEST)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not a text file (byte {error.start})") from None
    if "\0" in text:
        raise UsageError(f"{where} is not a text file (byte {content.index(0)})")
    if "\r" in text:
        number = text[: text.index("\r")].count("\n") + 1
        raise UsageError(
            f"{where}, line {number}, ends as lines do on DOS (CR LF): kconfig can't read it",
            hint=f"sed -i 's/\\r$//' {file}",
        )
    symbols = read_symbols(text.split("\n"), str(path))
    if not symbols:
        raise UsageError(f"{where} asks for nothing: it has no line like CONFIG_DEBUG_VM=y")
    return Fragment(name, file, symbols)


def merge(fragments: Iterable[Fragment]) -> dict[str, str]:
    """Symbols that fragments ask for; a later one overrides an earlier one."""
    return {name: value for fragment in fragments for name, value in fragment.symbols.items()}


def origins(fragments: Iterable[Fragment]) -> dict[str, Fragment]:
    """The fragment that has the last word on each symbol."""
    return {name: fragment for fragment in fragments for name in fragment.symbols}


def overrides(fragments: Sequence[Fragment]) -> tuple[str, ...]:
    """What two fragments want differently, in words."""
    said = []
    for number, later in enumerate(fragments):
        before = origins(fragments[:number])
        for name, value in later.symbols.items():
            earlier = before.get(name, later)
            if (old := earlier.symbols[name]) != value:
                said.append(f"{name}={value} of {later.name} overrides {old} of {earlier.name}")
    return tuple(said)


def as_config(symbols: Mapping[str, str]) -> str:
    """Symbols as lines of a .config, sorted."""
    return "".join(
        f"# {name} is not set\n" if value == "n" else f"{name}={value}\n"
        for name, value in sorted(symbols.items())
    )


def dropped(fragments: Sequence[Fragment], final: Mapping[str, str]) -> tuple[str, ...]:
    """Requested symbols that the final .config does not have, each with the fragment that asks for it.

    A symbol that kconfig does not even mention as unset is one that can't be set here at all.
    """
    last = origins(fragments)
    return tuple(
        f"{name}={value} ({f'is {final[name]}' if name in final else ABSENT}), asked for by {last[name].name}"
        for name, value in sorted(merge(fragments).items())
        if final.get(name, "n") != value
    )
