# SPDX-License-Identifier: GPL-2.0-only
"""Patches as mail: an mbox taken apart, each mail read the way `git am` reads it.

`git mailsplit` and `git mailinfo` do the reading, so that what is checked here is what gets applied.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.header import Header
from pathlib import Path

from harness.core.errors import HarnessError
from harness.sources.git.repository import GitError, Repository
from harness.sources.series.diff import FileDiff, parse_diff
from harness.sources.series.mail.headers import header_text, identifiers, read_headers, sender, sent_at
from harness.sources.series.mail.mime import as_plain
from harness.sources.series.mail.subject import PatchSubject, Version, read_subject
from results import text as words
from results.files import gunzip

_HEADER_LINE = re.compile(rb"^[A-Za-z][A-Za-z0-9-]*:")
_MAIL_AFTER_FROM = re.compile(rb"From .*\n(?:>From .*\n)?[A-Za-z][A-Za-z0-9-]*:[ \t\n]")
_PLAIN_NAME = re.compile(rb"^from:[ \t]*([^<@\n]+)", re.IGNORECASE | re.MULTILINE)
_SIMPLE_PREFIXES = re.compile(r"(?:\[[^\[\]]*\]\s*)*")
_CHANGED = re.compile(r" \d+ files? changed")
_WIDTH = 120
MOST_BYTES = 64 << 20
"""Of all mails of a series together, packed or not."""
_MOST_HEADER_BYTES = 128 << 10
_MOST_MAILS = 2000
"""Of one file: each takes some runs of git."""
_MISSING_DATE = "Sat, 01 Jan 2000 00:00:00 +0000"
_MISSING_NAME = "unknown author"
_MISSING_ADDRESS = "unknown@localhost"
_FIRST, _LAST = 0.0, 4102444800.0  # 1970 to 2099, what git takes for a date


class SeriesError(HarnessError):
    """A series that can't be read, or does not apply."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that may hold a patch."""

    source: str
    """The file it was in."""
    raw: bytes
    """The mail with an author, a date and a subject for sure; what `git am` gets."""
    subject: str
    """Without its [PATCH …] prefix, and with nothing that a terminal would obey."""
    heading: PatchSubject
    """The subject taken apart."""
    diff: str
    files: tuple[FileDiff, ...]
    message_id: str = ""
    answers: tuple[str, ...] = ()
    """Message-IDs that it answers: the nearest first, then the thread's."""
    sender: tuple[str, str] = ("", "")
    """Name and address, in lower case."""
    sent: float = 0.0
    """Seconds since 1970; 0 without a valid date."""
    notes: tuple[str, ...] = ()
    """What the reader must know of this mail if it is taken."""

    @property
    def number(self) -> int | None:
        """The n of [PATCH n/m]."""
        return self.heading.number

    @property
    def total(self) -> int | None:
        """The m of [PATCH n/m]."""
        return self.heading.total

    @property
    def version(self) -> Version:
        """The version of the series that it belongs to."""
        return self.heading.version or Version()

    @property
    def is_reply(self) -> bool:
        """A reply or a forwarded mail, by its subject."""
        return self.heading.is_reply or (self.heading.has_word_before and bool(self.answers))

    @property
    def label(self) -> str:
        """What messages call it."""
        number = f"{self.number}/{self.total} " if self.total else ""
        return f"patch {number}“{self.subject}”"

    @property
    def name(self) -> str:
        """Like `label`, with what tells it from a mail of the same subject."""
        where = f"<{self.message_id}>" if self.message_id else Path(self.source).name
        return f"{self.label} ({words.printable(where)})"

    @property
    def changes(self) -> tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]:
        """What the patch does, whatever surrounds the diff and whichever lines it names."""
        return tuple(
            (file.old, file.new, tuple(tuple(hunk.lines) for hunk in file.hunks)) for file in self.files
        )


def read_mails(name: str, content: bytes, git: Repository) -> list[Mail]:
    """Read every mail of an mbox; a plain diff counts as a mail, too.

    Raises:
        SeriesError: for what is no mail at all.
    """
    content = _as_utf8(_unpacked(name, content))
    if not content.strip():
        raise SeriesError(f"{name} is empty", hint="Was the download or the export interrupted?")
    if re.match(rb"\s*<(!doctype\s+html|html|\?xml)", content, re.IGNORECASE):
        raise SeriesError(
            f"{name} is a web page, not mail",
            hint="Give the Message-ID, or download the thread's mbox (the link `mbox.gz` on lore).",
        )
    return [mail for raw in _split(content, git) for mail in _read(name, raw, git)]


def _unpacked(name: str, content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gunzip(content, MOST_BYTES, Path(name))
    except OSError as error:
        raise SeriesError(f"{name}: {error.strerror}", hint="Download it again.") from None


def _as_utf8(content: bytes) -> bytes:
    """Without byte order marks; PowerShell's `>` writes UTF-16."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark) and b"\0" in content[:200]:
            content = content[2:].decode(encoding, errors="replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    return content.replace(b"\n" + codecs.BOM_UTF8 + b"From ", b"\nFrom ")  # files put one after another


def _split(content: bytes, git: Repository) -> list[bytes]:
    """The mails of an mbox; a line of a message that begins with `From ` begins no mail."""
    with tempfile.TemporaryDirectory(prefix="thp-harness-mails-") as folder:
        (Path(folder) / "mbox").write_bytes(content.lstrip(b"\r\n"))
        git.run("mailsplit", "-b", "-d6", "--mboxrd", f"-o{folder}", "--", f"{folder}/mbox")
        found = sorted(Path(folder).glob("[0-9]*"))
        if len(found) > _MOST_MAILS:
            raise SeriesError(
                f"the file holds {len(found)} mails, more than the {_MOST_MAILS} of the longest threads",
                hint="Give the mbox of one thread, not of a mailing list.",
            )
        pieces = [path.read_bytes() for path in found]
    mails: list[bytes] = []
    for piece in pieces:
        if mails and not _MAIL_AFTER_FROM.match(piece):
            mails[-1] += piece
        else:
            mails.append(piece)
    return mails


def _read(name: str, raw: bytes, git: Repository) -> Iterator[Mail]:
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    plain, note = as_plain(*_headers_and_body(raw))
    for headers, body in plain:
        yield _read_plain(name, headers, body, git, note)


def _read_plain(name: str, headers: bytes, body: bytes, git: Repository, note: str) -> Mail:
    stem = Path(name).stem
    known, diff = _mailinfo(headers + b"\n" + body, git)
    parsed = read_headers(headers + b"\n")
    heading = _heading(header_text(parsed, "Subject"), known.get("Subject", ""))
    complete, completions = _completed(headers, known, heading, stem, git)
    if complete != headers:
        known, diff = _mailinfo(complete + b"\n" + body, git)
        heading = _heading(header_text(parsed, "Subject"), known.get("Subject", ""), heading)
    mail = Mail(
        source=name,
        raw=complete + b"\n" + body,
        subject=words.printable(heading.title) or stem,
        heading=heading,
        diff=diff,
        files=tuple(parse_diff(diff)),
        message_id=next(iter(identifiers(parsed, "Message-ID")), ""),
        answers=identifiers(parsed, "In-Reply-To") or identifiers(parsed, "References")[::-1],
        sender=sender(parsed),
        sent=sent_at(parsed),
    )
    notes = [note] if note else []
    notes += completions
    if _quotes_diff(diff):
        notes.append("quotes a diff in its message, which `git am` applies as well")
    return replace(mail, notes=tuple(f"{mail.label} {text}" for text in notes))


def _quotes_diff(diff: str) -> bool:
    """Whether a diff precedes the `---` line and the diffstat of its mail."""
    has_begun = in_stat = False
    for line in diff.split("\n"):
        if in_stat and _CHANGED.match(line):
            return True
        in_stat = (in_stat and line.startswith(" ")) or (has_begun and line == "---")
        has_begun = has_begun or line.startswith(("diff --git ", "--- "))
    return False


def _heading(header: str, used: str, before: PatchSubject | None = None) -> PatchSubject:
    """The number by the mail's own subject, the title by the one that git uses, which may be in the body."""
    heading, inner = read_subject(header), read_subject(used)
    if before and before.total and not heading.total:
        heading = before
    if heading.total is None and inner.total is not None:
        return inner
    return replace(heading, title=inner.title or heading.title) if inner.title else heading


def _headers_and_body(raw: bytes) -> tuple[bytes, bytes]:
    """Split at the first empty line; a text that does not begin with a header has none."""
    if not _HEADER_LINE.match(raw):
        return b"", raw
    headers, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    if len(headers) > _MOST_HEADER_BYTES:
        raise SeriesError(
            f"a mail has more than {_MOST_HEADER_BYTES >> 10} KiB of headers", hint="Leave it out."
        )
    return headers + b"\n", body


def _completed(
    headers: bytes, known: dict[str, str], heading: PatchSubject, stem: str, git: Repository
) -> tuple[bytes, list[str]]:
    """Give a mail the author, date and subject that `git am` insists on, and say what was wrong."""
    notes: list[str] = []
    if not known.get("Author") or not known.get("Email"):
        plain = _PLAIN_NAME.search(headers)  # archives on the web leave out addresses
        name = plain[1].decode("utf-8", errors="replace").strip(' "') if plain else ""
        author = known.get("Author") or name or _MISSING_NAME
        address = known.get("Email") or _MISSING_ADDRESS
        headers = f'From: "{author}" <{address}>\n'.encode() + _without(headers, "From")
    date = known.get("Date", "")
    if not date:
        headers += f"Date: {_MISSING_DATE}\n".encode()
    elif not _is_date(date, git):
        notes.append(f"has the invalid date {words.printable(date)!r}: applied with {_MISSING_DATE!r}")
        headers = _without(headers, "Date") + f"Date: {_MISSING_DATE}\n".encode()
    subject = known.get("Subject", "")
    if not subject:
        headers = _without(headers, "Subject") + f"Subject: {stem}\n".encode()
    elif not heading.title or subject[len(_SIMPLE_PREFIXES.match(subject)[0]) :].strip() != heading.title:  # type: ignore[index]
        title = Header(heading.title or stem, "utf-8" if not heading.title.isascii() else "us-ascii").encode()
        headers = _without(headers, "Subject") + f"Subject: [PATCH] {title}\n".encode()
    return headers, notes


def _without(headers: bytes, name: str) -> bytes:
    pattern = rb"^" + name.encode() + rb":.*\n([ \t].*\n)*"
    return re.sub(pattern, b"", headers, flags=re.IGNORECASE | re.MULTILINE)


def _is_date(date: str, git: Repository) -> bool:
    """Whether git takes it for a date; it is only asked about those that Python does not."""
    when = sent_at(read_headers(f"Date: {date}\n".encode()))
    if _FIRST < when < _LAST:
        return True
    asked = Repository(
        git.path, {"GIT_AUTHOR_DATE": date, "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@localhost"}
    )
    return asked.succeeds("var", "GIT_AUTHOR_IDENT")


def _mailinfo(raw: bytes, git: Repository) -> tuple[dict[str, str], str]:
    """What `git am` would take from a mail: its headers, and the text from the diff on."""
    with tempfile.TemporaryDirectory(prefix="thp-harness-mail-") as folder:
        try:
            printed = git.run(
                *("mailinfo", "-k", "--encoding=UTF-8", "--quoted-cr=strip"),
                *(f"{folder}/message", f"{folder}/diff"),
                stdin=raw,
            )
        except GitError:
            return {}, ""
        diff = (Path(folder) / "diff").read_bytes().decode("utf-8", errors="surrogateescape")
    known: dict[str, str] = {}
    for key, _, value in (line.partition(": ") for line in printed.splitlines()):
        known.setdefault(key, value.strip())  # with -k a subject in the body has an empty one after it
    return known, diff


def printable(line: str) -> str:
    """A line of a diff as a message may show it: bounded, and with nothing that a terminal would obey."""
    return words.printable(line[:_WIDTH].encode("utf-8", errors="replace").decode())
