# SPDX-License-Identifier: GPL-2.0-only
"""Words and characters that all reports share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

_PRINTK_PREFIX = re.compile(r"(?:<[0-9]{1,3}>)?(?:\[ *[0-9]+\.[0-9]+\](?:\[ *[TC][0-9]+\])? ?)?")
_SCALES: Mapping[str, tuple[tuple[float, float, str], ...]] = {
    "B": ((1 << 30, 1 << 30, "GiB"), (1 << 20, 1 << 20, "MiB"), (10 << 10, 1 << 10, "KiB")),
    "ns": ((1e9, 1e9, "s"), (1e6, 1e6, "ms"), (1e3, 1e3, "µs")),
}
"""Of each unit: from where on a larger one is used, its size, its name."""
_CI_COMMAND = re.compile(r"((?:^|\r)[^\S\n]*:(?=:)|#(?=#\w*\[))([:#])", re.MULTILINE)
_GROUPED = 10_000
"""From here on thousands are set apart."""


class TextError(ValueError):
    """A text of a small language is wrong; the message shows the place and what is expected there."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(f"{problem}\n  {text}\n  {' ' * column}^")
        self.column = column
        """Counted from 0."""
        self.problem = problem


def printable(text: str) -> str:
    """Make control characters, ESC, bidi overrides and the like visible, so that no terminal obeys them."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def printable_lines(text: str) -> str:
    """Make several lines printable, each by itself."""
    if text.isprintable():
        return text
    return "\n".join(map(printable, text.split("\n")))


def _after_zero_width_space(char: str) -> str:
    return f"\u200b{char}"


def without_ci_commands(text: str, spell: Callable[[str], str] = _after_zero_width_space) -> str:
    """Break the words that CI services obey in the log of a job, such as `::error` and `##[error]`.

    GitHub looks for `::` where a line begins, and for `##[` anywhere in it; Azure for `##vso[`. `spell`
    writes the second character in another way: XML and JSON have one, other texts get an invisible space
    before it.
    """
    return _CI_COMMAND.sub(lambda found: f"{found[1]}{spell(found[2])}", text)


def _visible(char: str) -> str:
    if char.isprintable() or char == "\t" or unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def without_printk_prefix(text: str) -> str:
    """Take log level, time stamp and PRINTK_CALLER off the front of a line."""
    prefix = _PRINTK_PREFIX.match(text)
    return text[prefix.end() :] if prefix else text


def join(names: Iterable[str]) -> str:
    """List names in English."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def amount(number: int, noun: str, plural: str = "") -> str:
    """Count things in English: `1 boot`, `2 boots`; `plural` where an s does not make it."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def first_line(text: str) -> str:
    """Return the first line that is not blank, or `no reason given`."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def abbrev(commit: str) -> str:
    """Abbreviate an object id to twelve digits, as `Fixes:` lines of the kernel do."""
    return commit[:12]


def quantity(value: float | None, unit: str) -> str:
    """Show a number with few digits, in a unit that suits it: `12.1 MiB`, `4096 B`, `340 ns`, `absent`."""
    if value is None:
        return "absent"
    rounded = float(f"{value:.3g}")
    for least, size, name in _SCALES.get(unit, ()):
        if abs(rounded) >= least:
            digits = f"{value / size:#.3g}" if unit == "ns" else f"{value / size:.4g}"
            return f"{digits.rstrip('.')} {name}"
    if unit == "ns":
        return f"{rounded:.0f} ns"
    if unit == "%":
        return f"{value:.{3 if abs(value) >= 10 else 2}g} %"
    if unit == "B":
        return f"{value:.0f} B" if abs(value) >= 100 else f"{value:.3g} B"
    digits = f"{value:,.0f}" if abs(value) >= _GROUPED else f"{value:.6g}"
    return f"{digits} {unit}".rstrip()
