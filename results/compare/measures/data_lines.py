# SPDX-License-Identifier: GPL-2.0-only
"""Numbers that a test prints: lines `data KIND key=value …` among its output.

KIND and keys are lower-case words, values hold no blanks; what they mean is told in
docs/guest-tests.md. The lines come from a guest, so nothing in them is trusted: what is not well
formed is left out, and it is said what was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from results.text import printable

LONGEST_LINE = 900
"""Bytes of one line; a program prints no longer ones."""
MOST_LINES = 4096
"""Lines of one test that are read; the longest sweep has 402."""

_PREFIX = "data "
_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VALUE = re.compile(r"[!-~]{1,900}")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")
_QUOTED = 60
"""Characters of a wrong line that are shown."""


class DataError(ValueError):
    """A line does not hold what it should; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class DataLine:
    """One well-formed line with unchecked values."""

    kind: str
    values: Mapping[str, str]

    def number(self, key: str, least: int | None = None) -> int:
        """Read a whole decimal number; raise `DataError` if it is none, or less than `least`."""
        text = self._value(key)
        if not _NUMBER.fullmatch(text):
            raise DataError(f"{key} is no number")
        number = int(text)
        if least is not None and number < least:
            raise DataError(f"{key} is {number}, less than {least}")
        return number

    def number_or_absent(self, key: str) -> int | None:
        """Read a number, or None where the kernel has none: `absent`."""
        return None if self._value(key) == "absent" else self.number(key)

    def numbers(self, key: str, most: int) -> tuple[int, ...]:
        """Read numbers with commas between them; raise `DataError` if there are more than `most`."""
        parts = self._value(key).split(",")
        if len(parts) > most:
            raise DataError(f"{key} has more than {most} numbers")
        if not all(map(_NUMBER.fullmatch, parts)):
            raise DataError(f"{key} has what is no number")
        return tuple(map(int, parts))

    def flag(self, key: str) -> bool:
        """Read 0 or 1."""
        text = self._value(key)
        if text not in ("0", "1"):
            raise DataError(f"{key} is neither 0 nor 1")
        return text == "1"

    def name(self, key: str, *allowed: str) -> str:
        """Read a name such as `ENOMEM`; raise `DataError` if it is none, or not one of those allowed."""
        text = self._value(key)
        if not _NAME.fullmatch(text) or (allowed and text not in allowed):
            raise DataError(f"{key} is not what it can be")
        return text

    def _value(self, key: str) -> str:
        try:
            return self.values[key]
        except KeyError:
            raise DataError(f"{key} is missing") from None


@dataclass(frozen=True, slots=True)
class DataLines:
    """The lines of one test in their order, and in words what was left out."""

    lines: tuple[DataLine, ...]
    left_out: tuple[str, ...] = ()


def parse_data_lines(output: Iterable[str]) -> DataLines:
    """Find the data lines in the output of a test; never raises, whatever was printed."""
    lines: list[DataLine] = []
    left_out: list[str] = []
    for text in output:
        if not text.startswith(_PREFIX):
            continue
        if len(lines) + len(left_out) == MOST_LINES:
            left_out.append(f"all data after {MOST_LINES} lines")
            break
        try:
            lines.append(_parse(text))
        except DataError as error:
            left_out.append(f"{error}: {_quote(text)}")
    return DataLines(tuple(lines), tuple(left_out))


def _parse(text: str) -> DataLine:
    if len(text) > LONGEST_LINE:
        raise DataError(f"longer than {LONGEST_LINE} bytes")
    kind, *pairs = text.rstrip("\r\n").removeprefix(_PREFIX).split(" ")
    if not _WORD.fullmatch(kind):
        raise DataError("no kind")
    values: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if not _WORD.fullmatch(key) or not _VALUE.fullmatch(value):
            raise DataError("not key=value")
        if key in values:
            raise DataError(f"{key} is there twice")
        values[key] = value
    return DataLine(kind, values)


def _quote(text: str) -> str:
    shown = printable(text[:_QUOTED])
    return f"{shown}…" if len(text) > _QUOTED else shown
