"""Kernel configuration: fragments on top of tinyconfig, and proof that kconfig kept them.

`make olddefconfig` silently drops a symbol whose dependencies are not met. A kernel without
the checks that were asked for would pass for the wrong reason, so every symbol is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import UsageError

ASSIGNMENT = re.compile(r"^(CONFIG_\w+)=(.*)$")
DISABLED = re.compile(r"^# (CONFIG_\w+) is not set$")


def read_symbols(lines: Iterable[str], where: str = ".config") -> dict[str, str]:
    """Symbols of a configuration; `n` for those that are not set.

    Raises:
        UsageError: for a line that is neither a symbol nor a comment.
    """
    symbols: dict[str, str] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if match := ASSIGNMENT.match(line):
            symbols[match[1]] = match[2]
        elif match := DISABLED.match(line):
            symbols[match[1]] = "n"
        elif line and not line.startswith("#"):
            raise UsageError(f"{where}:{number}: not a configuration line: {line!r}")
    return symbols


def merge_fragments(paths: Iterable[Path]) -> dict[str, str]:
    """Symbols asked for by fragments; a later one overrides an earlier one.

    Raises:
        UsageError: if a fragment is missing or has a wrong line.
    """
    merged: dict[str, str] = {}
    for path in paths:
        try:
            merged.update(read_symbols(path.read_text().splitlines(), str(path)))
        except OSError as error:
            raise UsageError(f"kernel configuration fragment {path}: {error.strerror}") from None
    return merged


def as_config(symbols: Mapping[str, str]) -> str:
    """Symbols as lines of a .config, sorted."""
    return "".join(
        f"# {name} is not set\n" if value == "n" else f"{name}={value}\n"
        for name, value in sorted(symbols.items())
    )


def dropped(requested: Mapping[str, str], final: Mapping[str, str]) -> tuple[str, ...]:
    """Requested symbols that the final .config does not have, as `CONFIG_X=y (is n)`."""
    return tuple(
        f"{name}={value} (is {final.get(name, 'n')})"
        for name, value in sorted(requested.items())
        if final.get(name, "n") != value
    )
