# SPDX-License-Identifier: GPL-2.0-only
"""What the headers of a mail say beyond its patch: who wrote it, to whom, under which Message-ID."""

from __future__ import annotations

import re
from contextlib import suppress
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import getaddresses
from urllib.parse import quote

from harness.sources.series.lore import message_id
from harness.sources.series.mbox import Mail
from results.model.run import Letter
from results.text import printable

_SPECIAL = re.compile(r"[^\w \t!#$%&'*+/=?^`{|}~-]")
_ADDRESS = re.compile(r"[^\s<>@]+@(?!localhost$)[^\s<>@]+")
_MOST_RECIPIENTS = 100


def read_letter(mail: Mail, archive: str) -> Letter:
    """Read the headers of a mail; `archive` is an address with `%s` for a Message-ID, or empty."""
    headers = _headers(mail)
    return Letter(
        subject=_text(headers, "Subject"),
        author=next(iter(_addresses(headers, "From")), ""),
        message_id=_message_id(headers),
        recipients=_addresses(headers, "To", "Cc")[:_MOST_RECIPIENTS],
        url=address(mail, archive).removesuffix("raw"),
    )


def address(mail: Mail, archive: str) -> str:
    """Where an archive has the mail as it was sent; empty without an archive, or a Message-ID."""
    identifier = _message_id(_headers(mail))
    if not identifier or "%s" not in archive:
        return ""
    return archive.replace("%s", quote(identifier, safe="@")).rstrip("/") + "/raw"


def _headers(mail: Mail) -> Message:
    """Bytes that say of no charset are taken for UTF-8."""
    return HeaderParser().parsestr(mail.raw.partition(b"\n\n")[0].decode("utf-8", "replace"))


def _message_id(headers: Message) -> str:
    text = _text(headers, "Message-ID")
    return "" if "://" in text else message_id(text) or ""


def _addresses(headers: Message, *names: str) -> tuple[str, ...]:
    """All addresses of some headers, each once; not the one that stands for a missing one."""
    found = getaddresses([" ".join(value.split()) for name in names for value in headers.get_all(name, [])])
    return tuple(
        dict.fromkeys(_spelled(name, printable(where)) for name, where in found if _ADDRESS.fullmatch(where))
    )


def _spelled(name: str, where: str) -> str:
    """`Name <address>`, with quotes where the name has a sign that means something in a header."""
    shown = _decoded(name).strip()
    if not shown:
        return where
    if _SPECIAL.search(shown):
        shown = '"' + re.sub(r'["\\\\]', "", shown) + '"'
    return f"{shown} <{where}>"


def _text(headers: Message, name: str) -> str:
    return _decoded(" ".join(headers.get(name, "").split()))


def _decoded(text: str) -> str:
    """Encoded words as text, with nothing in them that a terminal or a mail program would obey."""
    with suppress(LookupError, ValueError):  # an unknown charset or a broken word stays as it is
        text = str(make_header(decode_header(text)))
    return printable(text)
