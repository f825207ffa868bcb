# SPDX-License-Identifier: GPL-2.0-only
"""Accumulate the guest program's lines of one test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from results.console.outcome import ProcessEnd
from results.console.protocol import LONGEST_LINE, unescape
from results.model.run import CounterChange, Leaf, LineRange

MOST_OUTPUT = 4 << 20
"""Characters of one test's output; the guest program lets far fewer through (`limit output`)."""
MOST_COUNTERS = 10_000
"""Of one snapshot; a kernel has some hundreds."""
_COUNTER = re.compile(r"([A-Za-z_/][\w.():/+-]*)=(-?[0-9]{1,20})")
_END = re.compile(r"(exit|signal|timeout) ([0-9]{1,12}) ([0-9]{1,12})")


@dataclass(slots=True)
class GuestTest:
    """The record of one test."""

    first_line: int
    last_line: int = 0
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    output_lines: list[int] = field(default_factory=list)
    """Where each line of the output ends in the console log."""
    cut: str = ""
    """Bytes of output that the guest program threw away."""
    end: ProcessEnd | None = None
    damage: str = ""
    """Why the record is incomplete or not to be trusted."""
    _line: int = 0
    _pieces: list[str] = field(default_factory=list)
    _pieces_length: int = 0
    _length: int = 0

    def take_output(self, escaped: str, line: int, goes_on: bool) -> None:
        """Add a line of output or a piece of one; only whole lines are unescaped, pieces split characters."""
        self._line = line
        self._length += len(escaped) + 1
        if self._length > MOST_OUTPUT:
            self.damage = self.damage or "it printed more than the guest program lets through"
        elif self._pieces_length < LONGEST_LINE:
            self._pieces.append(escaped)
            self._pieces_length += len(escaped)
        if not goes_on:
            self.finish_output()

    def take_counters(self, verb: str, counters: Mapping[str, int]) -> None:
        """Add to the snapshot before or after the test."""
        snapshot = self.before if verb == "before" else self.after
        snapshot.update(counters)
        if len(snapshot) > MOST_COUNTERS:
            snapshot.clear()
            self.damage = self.damage or f"it has more than {MOST_COUNTERS} counters"

    def finish_output(self) -> None:
        """End the line that is being put together, if there is one."""
        if self._pieces:
            self.output.append(unescape("".join(self._pieces)))
            self.output_lines.append(self._line)
        self._pieces, self._pieces_length = [], 0

    def in_console(self, leaves: Iterable[Leaf]) -> tuple[Leaf, ...]:
        """Turn lines of the output into lines of the console log."""

        def place(lines: LineRange) -> LineRange:
            return LineRange(self.output_lines[lines.first - 1], self.output_lines[lines.last - 1])

        return tuple(replace(leaf, lines=place(leaf.lines)) if leaf.lines else leaf for leaf in leaves)


def parse_counters(text: str) -> tuple[dict[str, int], list[str]]:
    """Read `NAME=VALUE …`; returns the counters, and the words that are none."""
    counters: dict[str, int] = {}
    unread: list[str] = []
    for word in unescape(text).split():
        if match := _COUNTER.fullmatch(word):
            counters[match[1]] = int(match[2])
        else:
            unread.append(word)
    return counters, unread


def counter_changes(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, CounterChange]:
    """Pair two snapshots; empty if one was never taken, for then nothing is known of any counter."""
    if not before or not after:
        return {}
    names = [*before, *(name for name in after if name not in before)]
    return {name: CounterChange(before.get(name), after.get(name)) for name in names}


def parse_end(text: str) -> ProcessEnd | None:
    """Read what stands behind `end I`."""
    match _END.fullmatch(text):
        case re.Match() as found:
            how, number, milliseconds = found.groups()
            return ProcessEnd(how, int(number), int(milliseconds))
        case _:
            return None
