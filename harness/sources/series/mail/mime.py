# SPDX-License-Identifier: GPL-2.0-only
"""Mails with parts, attachments or unknown character sets as plain mails that `git mailinfo` reads."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import BytesParser

_CONTENT = re.compile(rb"^(?:content-[a-z-]+|mime-version):.*\n(?:[ \t].*\n)*", re.IGNORECASE | re.MULTILINE)
_KEPT = re.compile(
    rb"^(?:message-id|in-reply-to|references):.*\n(?:[ \t].*\n)*", re.IGNORECASE | re.MULTILINE
)
_MAIL = re.compile(rb"(?:From [0-9a-f]{40} .*\n)?(?:From|Subject|Date|Message-ID): ", re.IGNORECASE)
_DIFF = re.compile(rb"^(?:diff --git |Index: |--- \S)", re.MULTILINE)
_NO_PATCH = ("application/pgp-signature", "application/pkcs7-signature", "application/pgp-keys", "text/html")
_UTF8 = "UTF-8"
_AS_UTF8 = b"Content-Type: text/plain; charset=UTF-8\n"


def as_plain(headers: bytes, body: bytes) -> tuple[list[tuple[bytes, bytes]], str]:
    """Headers and bodies of the plain mails that a mail stands for, and a note for the reader.

    A mail with patches attached as files of `git format-patch` stands for those; all others for one.
    """
    if not re.search(rb"^content-type:", headers, re.IGNORECASE | re.MULTILINE):
        return [(headers, body)], ""
    try:
        message = BytesParser().parsebytes(headers + b"\n" + body)
        leaves = list(_leaves(message))
    except RecursionError:
        plain = _CONTENT.sub(b"", headers) + _AS_UTF8
        return [(plain, body)], "has parts within parts without end: read as plain text"
    if message.get_content_maintype() != "multipart":
        return _with_known_charset(headers, body, message)
    if not message.is_multipart():
        plain = _CONTENT.sub(b"", headers) + _AS_UTF8
        return [
            (plain, body)
        ], f"is said to be {message.get_content_type()} but has no parts: read as plain text"
    return _of_parts(headers, leaves), ""


def _with_known_charset(
    headers: bytes, body: bytes, message: Message
) -> tuple[list[tuple[bytes, bytes]], str]:
    charset = str(message.get_param("charset", "") or "")
    if not charset or _is_known(charset):
        return [(headers, body)], ""
    named = re.compile(
        rb'(charset\s*=\s*)"?' + re.escape(charset.encode("ascii", "replace")) + rb'"?', re.IGNORECASE
    )
    return [(named.sub(rb"\1UTF-8", headers), body)], f"names the unknown charset {charset!r}: read as UTF-8"


def _is_known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except (LookupError, ValueError):
        return False
    return True


def _of_parts(headers: bytes, leaves: Sequence[Message]) -> list[tuple[bytes, bytes]]:
    texts, charset, attached = b"", "", []
    for part in leaves:
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        content = content.replace(b"\r\n", b"\n")
        if part.get_filename() and _MAIL.match(content):
            attached.append(content)
        elif part.get_content_maintype() == "text" or _DIFF.search(content):
            texts += content if content.endswith(b"\n") else content + b"\n"
            charset = charset or str(part.get_param("charset", "") or "")
    if attached and not _DIFF.search(texts):
        return [_of_file(headers, content) for content in attached]
    charset = charset if charset and _is_known(charset) else _UTF8
    content_type = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n"
    return [(_CONTENT.sub(b"", headers) + content_type.encode(), texts)]


def _of_file(headers: bytes, content: bytes) -> tuple[bytes, bytes]:
    """An attached mail, at its carrier's place in the thread."""
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    own, _, body = content.partition(b"\n\n")
    return _KEPT.sub(b"", own + b"\n") + b"".join(_KEPT.findall(headers)), body


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that may hold text or a patch; of alternatives the plain one."""
    inner = message.get_payload() if message.is_multipart() else []
    parts = [part for part in inner if isinstance(part, Message)]
    if message.get_content_type() == "multipart/alternative":
        plain = [part for part in parts if part.get_content_type() == "text/plain"]
        parts = plain[:1] or parts
    if parts:
        for part in parts:
            yield from _leaves(part)
    elif message.get_content_type() not in _NO_PATCH:
        yield message
