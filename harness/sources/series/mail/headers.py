# SPDX-License-Identifier: GPL-2.0-only
"""Headers of a mail: decoded, and with nothing in them that a terminal or a mail program would obey."""

from __future__ import annotations

import re
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import getaddresses, parsedate_to_datetime

from results.text import printable

_IDENTIFIER = re.compile(r"<([^<>\s]+)>")


def read_headers(raw: bytes) -> Message:
    """Parse the headers of a mail; bytes that name no charset count as UTF-8."""
    return HeaderParser().parsestr(raw.partition(b"\n\n")[0].decode("utf-8", "replace"))


def decoded(text: str) -> str:
    """Encoded words as text."""
    with suppress(LookupError, ValueError, MessageError):  # an unknown charset or a broken word stays
        text = str(make_header(decode_header(text)))
    return printable(text)


def header_text(headers: Message, name: str) -> str:
    """A header as one line, empty without it."""
    return decoded(" ".join(str(headers.get(name, "")).split()))


def identifiers(headers: Message, *names: str) -> tuple[str, ...]:
    """The Message-IDs that some headers name, each once, without their angle brackets."""
    found = (
        one
        for name in names
        for value in headers.get_all(name, [])
        for one in _IDENTIFIER.findall(str(value))
    )
    return tuple(dict.fromkeys(found))


def sender(headers: Message) -> tuple[str, str]:
    """The name and the address of a mail's sender, in lower case; empty where they are missing."""
    for name, where in getaddresses([str(headers.get("From", ""))]):
        if "@" in where:
            return decoded(name).strip().lower(), where.lower()
    return "", ""


def sent_at(headers: Message) -> float:
    """When a mail was sent, in seconds since 1970; 0 without a valid date."""
    try:
        return parsedate_to_datetime(str(headers.get("Date", ""))).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
