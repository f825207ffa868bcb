# SPDX-License-Identifier: GPL-2.0-only
"""The mail that introduces a series: who wrote it, to whom, under which Message-ID."""

from __future__ import annotations

import re
from email.message import Message
from email.utils import getaddresses
from urllib.parse import quote

from harness.sources.series.mail.headers import decoded, header_text, read_headers
from harness.sources.series.mail.lore import message_id
from harness.sources.series.mail.mbox import Mail
from results.model.run import Letter
from results.text import printable

_SPECIAL = re.compile(r"[^\w \t!#$%&'*+/=?^`{|}~-]")
_ADDRESS = re.compile(r"[^\s<>@]+@(?!localhost$)[^\s<>@]+")
_MOST_RECIPIENTS = 100


def read_letter(mail: Mail, archive: str) -> Letter:
    """Read the headers of a mail; `archive` is an address with `%s` for a Message-ID, or empty."""
    headers = read_headers(mail.raw)
    return Letter(
        subject=header_text(headers, "Subject"),
        author=next(iter(_addresses(headers, "From")), ""),
        message_id=_message_id(headers),
        recipients=_addresses(headers, "To", "Cc")[:_MOST_RECIPIENTS],
        url=address(mail, archive).removesuffix("raw"),
    )


def address(mail: Mail, archive: str) -> str:
    """Where an archive has the mail as it was sent; empty without an archive, or a Message-ID."""
    identifier = _message_id(read_headers(mail.raw))
    if not identifier or "%s" not in archive:
        return ""
    return archive.replace("%s", quote(identifier, safe="@")).rstrip("/") + "/raw"


def _message_id(headers: Message) -> str:
    text = header_text(headers, "Message-ID")
    return "" if "://" in text else message_id(text) or ""


def _addresses(headers: Message, *names: str) -> tuple[str, ...]:
    """All addresses of some headers, each once; not the one that stands for a missing one."""
    found = getaddresses([" ".join(value.split()) for name in names for value in headers.get_all(name, [])])
    return tuple(
        dict.fromkeys(_spelled(name, printable(where)) for name, where in found if _ADDRESS.fullmatch(where))
    )


def _spelled(name: str, where: str) -> str:
    """`Name <address>`, with quotes where the name has a sign that means something in a header."""
    shown = decoded(name).strip()
    if not shown:
        return where
    if _SPECIAL.search(shown):
        shown = '"' + re.sub(r'["\\\\]', "", shown) + '"'
    return f"{shown} <{where}>"
