# SPDX-License-Identifier: GPL-2.0-only
"""Words and characters that all reports share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_PRINTK_PREFIX = re.compile(r"(?:<[0-9]{1,3}>)?(?:\[ *[0-9]+\.[0-9]+\](?:\[ *[TC][0-9]+\])? ?)?")


def printable(text: str) -> str:
    """Make control characters, ESC, bidi overrides and the like visible, so that no terminal obeys them."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


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


def first_line(text: str) -> str:
    """Return the first line that is not blank, or `no reason given`."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def abbrev(commit: str) -> str:
    """Abbreviate an object id to twelve digits, as `Fixes:` lines of the kernel do."""
    return commit[:12]
