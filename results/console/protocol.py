# SPDX-License-Identifier: GPL-2.0-only
"""One line of the guest protocol (docs/guest-protocol.md): found, checked and unescaped.

Nothing in a console log is trusted: a line counts only with the nonce of this boot and a right CRC.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

LONGEST_LINE = 64 * 1024
"""Longer console lines are cut here before anything looks at them."""

_ANY_MARKER = re.compile(r"THP:[0-9A-Fa-f]{16}:[0-9]+:[0-9A-Fa-f]{8} ")
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of the guest program that passed every check of its own."""

    seq: int
    payload: str
    """Still escaped."""
    before: str
    """What stood on the console line in front of the marker: printk's prefix, or a line torn apart."""


@dataclass(frozen=True, slots=True)
class CorruptFrame:
    """A line with this boot's nonce that is not what the guest program wrote."""

    text: str


@dataclass(frozen=True, slots=True)
class ForeignFrame:
    """A line that looks like the guest program's but carries another nonce."""

    text: str


def marker_for(nonce: str) -> re.Pattern[str]:
    """Return the pattern that finds a line of the boot with this nonce."""
    return re.compile(rf"THP:{re.escape(nonce)}:(?:([1-9][0-9]{{0,9}}):([0-9a-fA-F]{{8}}) (.*))?", re.DOTALL)


def read_frame(line: str, marker: re.Pattern[str]) -> Frame | CorruptFrame | ForeignFrame | None:
    """Decode a console line; None where it has nothing to do with the protocol.

    The first marker of the line decides: whatever follows it is payload, so that a test can't
    smuggle in a line of its own by printing one.
    """
    if "THP:" not in line:
        return None
    found = marker.search(line)
    if found is None:
        return ForeignFrame(line) if _ANY_MARKER.search(line) else None
    seq, crc, payload = found.groups()
    if seq is None or int(crc, 16) != checksum(seq, payload):
        return CorruptFrame(line)
    return Frame(int(seq), payload, line[: found.start()])


def checksum(seq: int | str, payload: str) -> int:
    """Return the CRC-32 that a line of the guest program carries."""
    return zlib.crc32(f"{seq} {payload}".encode("utf-8", "replace"))


def unescape(payload: str) -> str:
    r"""Turn the `\xHH` of a payload back into text; bytes that are no UTF-8 are shown as U+FFFD."""
    raw = payload.encode("utf-8", "replace")
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), raw).decode("utf-8", "replace")
