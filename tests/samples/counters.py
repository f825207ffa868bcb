# SPDX-License-Identifier: GPL-2.0-only
"""Encodes .gcda files the way the guest program does."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from struct import iter_unpack

from tests.samples.guestlog import GuestLog

_PIECE = 450


def report_object(log: GuestLog, number: int, path: str, idle: bytes, booted: bytes) -> None:
    """Report an object before the first test."""
    log.say(f"gcov object {number} {len(idle) // 4} {path}")
    _report(log, "idle", 0, number, _pairs(_words(idle), [0] * (len(idle) // 4)))
    report_ran(log, 0, number, idle, booted)


def report_ran(log: GuestLog, test: int, number: int, idle: bytes, ran: bytes) -> None:
    """Report what a test moved; nothing if it moved nothing."""
    if encoded := _pairs(_words(ran), _words(idle)):
        _report(log, "ran", test, number, encoded)


def _report(log: GuestLog, kind: str, test: int, number: int, encoded: bytes) -> None:
    pieces = [encoded[at : at + _PIECE] for at in range(0, len(encoded), _PIECE)] or [b""]
    for piece in pieces[:-1]:
        log.say(f"gcov {kind}+ {test} {number} {base64.b64encode(piece).decode()}")
    log.say(f"gcov {kind} {test} {number} {base64.b64encode(pieces[-1]).decode()}")


def _words(content: bytes) -> list[int]:
    return [word for (word,) in iter_unpack("<I", content)]


def _pairs(words: list[int], idle: list[int]) -> bytes:
    encoded, following = bytearray(), 0
    for place, (word, was) in enumerate(zip(words, idle, strict=True)):
        if word != was:
            encoded += bytes(_number(place - following)) + bytes(_number(word))
            following = place + 1
    return bytes(encoded)


def _number(number: int) -> Iterator[int]:
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number
