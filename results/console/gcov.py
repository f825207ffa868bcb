# SPDX-License-Identifier: GPL-2.0-only
"""The counters of CONFIG_GCOV_KERNEL in a console log: one .gcda file per test and object.

The guest program reports the words of each file that differ from the file without counts
(docs/guest-protocol.md). What a lost or damaged line leaves incomplete is dropped, and noted.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from struct import pack

from results.console.protocol import LONGEST_LINE, Frame, marker_for, read_frame, unescape
from results.text import amount

MOST_OBJECTS = 1024
MOST_WORDS = 1 << 18
"""Of one file: 1 MiB, as in the guest program."""
MOST_ENCODED = 8 << 20
"""Characters of all lines of one test."""
_OBJECT = re.compile(r"object ([0-9]{1,4}) ([0-9]{1,7}) (.+)")
_PIECE = re.compile(r"(idle|ran)(\+?) ([0-9]{1,6}) ([0-9]{1,4}) ([A-Za-z0-9+/=]*)")
_END = re.compile(r"(cut|all) ([0-9]{1,6})(?: ([0-9]{1,6}))?")
_NONE = re.compile(r"none (.*)")


@dataclass(frozen=True, slots=True)
class CountsOfTest:
    """The counters of one test."""

    test: str
    """Its name; empty for what ran before the first test."""
    files: dict[str, bytes]
    """Path of a .gcda file in the guest, below the folder of gcov → its content; without files that show
    nothing. The words are little-endian on every architecture: gcov(1) reads both byte orders."""


@dataclass(slots=True)
class GuestCounts:
    """Everything that a boot reported."""

    tests: list[CountsOfTest] = field(default_factory=list)
    """In the order in which they ran; a test in which the kernel died is not among them."""
    objects: dict[int, str] = field(default_factory=dict)
    """Number → path of each object with counters."""
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    names: Sequence[str]
    found: GuestCounts = field(default_factory=GuestCounts)
    words: dict[int, int] = field(default_factory=dict)
    idle: dict[int, dict[int, int]] = field(default_factory=dict)
    ran: dict[int, dict[int, int]] = field(default_factory=dict)
    """Of the running test: object → its words that differ from the idle ones."""
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    last_seq: int = 0
    is_damaged: bool = False
    started: bool = False
    """Whether the first test has."""


def read_counts(lines: Iterable[str], nonce: str, names: Sequence[str]) -> GuestCounts:
    """Read the counters of a boot whose manifest has the tests `names`; never raises."""
    reader, marker = _Reader(names), marker_for(nonce)
    for line in lines:
        frame = read_frame(line[:LONGEST_LINE].rstrip("\r\n"), marker)
        if not isinstance(frame, Frame) or frame.seq <= reader.last_seq:
            continue
        if frame.seq != reader.last_seq + 1:
            reader.is_damaged = True
        reader.last_seq = frame.seq
        verb, _, rest = frame.payload.partition(" ")
        if verb == "start":
            if not reader.started:
                _finish(reader, 0)
            reader.started = True
            _forget(reader)
        elif verb == "gcov":
            _take(reader, rest)
    return reader.found


def _take(reader: _Reader, text: str) -> None:
    if found := _OBJECT.fullmatch(text):
        number, words = int(found[1]), int(found[2])
        if number < MOST_OBJECTS and words <= MOST_WORDS:
            reader.words[number] = words
            reader.found.objects[number] = unescape(found[3])
    elif found := _PIECE.fullmatch(text):
        _take_piece(reader, found)
    elif found := _END.fullmatch(text):
        if found[1] == "all":
            _finish(reader, int(found[2]))
        else:
            cut = amount(int(found[3] or 0), "object")
            _complain(reader, int(found[2]), f"the counters of {cut} were too long, and left out")
    elif found := _NONE.fullmatch(text):
        reader.found.problems.append(f"the kernel has no counters: {unescape(found[1])}")


def _take_piece(reader: _Reader, found: re.Match[str]) -> None:
    kind, goes_on, number = found[1], bool(found[2]), int(found[4])
    reader.length += len(found[5])
    if number not in reader.words or reader.length > MOST_ENCODED:
        reader.is_damaged = True
        return
    reader.pieces.append(found[5])
    if goes_on:
        return
    pieces, reader.pieces = reader.pieces, []
    try:
        changed = dict(_pairs(b"".join(map(_decode, pieces)), reader.words[number]))
    except ValueError:
        reader.is_damaged = True
        return
    (reader.idle if kind == "idle" else reader.ran)[number] = changed


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _pairs(data: bytes, words: int) -> Iterator[tuple[int, int]]:
    """Yield index and value of each word that is told.

    Raises:
        ValueError: for what the guest program can't have written.
    """
    numbers = list(_numbers(data))
    if len(numbers) % 2:
        raise ValueError("half a pair")
    place = 0
    for skipped, value in zip(numbers[::2], numbers[1::2], strict=True):
        place += skipped
        if place >= words or value >> 32:
            raise ValueError("outside of the file")
        yield place, value
        place += 1


def _numbers(data: bytes) -> Iterator[int]:
    """Yield numbers of seven bits per byte, the lowest first."""
    number, shift = 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield number
            number, shift = 0, 0
        elif shift > 28:
            raise ValueError("a long number")
    if shift:
        raise ValueError("half a number")


def _finish(reader: _Reader, index: int) -> None:
    """End the counters of a test; those before the first test have no line that ends them."""
    if index > len(reader.names) or not reader.words:
        return
    if reader.is_damaged or reader.pieces:
        _complain(reader, index, "lines of its counters are lost, so they do not count")
    else:
        files = {
            reader.found.objects[number]: _file(reader, number, changed)
            for number, changed in reader.ran.items()
            if number in reader.idle
        }
        name = reader.names[index - 1] if index else ""
        reader.found.tests.append(CountsOfTest(name, files))
    _forget(reader)


def _forget(reader: _Reader) -> None:
    reader.ran, reader.pieces, reader.length, reader.is_damaged = {}, [], 0, False


def _file(reader: _Reader, number: int, changed: dict[int, int]) -> bytes:
    words = {**reader.idle[number], **changed}
    return b"".join(pack("<I", words.get(place, 0)) for place in range(reader.words[number]))


def _complain(reader: _Reader, index: int, text: str) -> None:
    name = reader.names[index - 1] if 1 <= index <= len(reader.names) else "before the first test"
    reader.found.problems.append(f"{name}: {text}")
