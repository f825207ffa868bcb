# SPDX-License-Identifier: GPL-2.0-only
"""Patches as mail: an mbox taken apart, each mail read the way `git am` reads it.

`git mailsplit` and `git mailinfo` do the reading, so that what is checked here is what gets applied.
"""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.sources.git.repository import GitError, Repository
from harness.sources.series.diff import FileDiff, Hunk, parse_diff
from results import text as words

_HEADER_LINE = re.compile(rb"^[A-Za-z][A-Za-z0-9-]*:")
_PLAIN_NAME = re.compile(rb"^from:[ \t]*([^<@\n]+)", re.IGNORECASE | re.MULTILINE)
_REPLY = re.compile(r"\s*(re|aw|fwd?):", re.IGNORECASE)
_PREFIXES = re.compile(r"^\s*(?:\[([^\]]*)\]\s*)+")
_NUMBER = re.compile(r"(?<!\S)(\d+)/(\d+)(?!\S)")
_VERSION = re.compile(r"(?:^|[\s/]|PATCH|RFC)v(\d+)(?!\S)", re.IGNORECASE)
_DIFFSTAT = re.compile(
    r"^ (\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?$", re.MULTILINE
)
_WIDTH = 120
_MISSING_DATE = "Sat, 01 Jan 2000 00:00:00 +0000"
_MISSING_NAME = "unknown author"
_MISSING_ADDRESS = "unknown@localhost"


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
    version: int
    number: int | None
    """The n of [PATCH n/m]."""
    total: int | None
    diff: str
    files: tuple[FileDiff, ...]

    @property
    def label(self) -> str:
        """What messages call it."""
        number = f"{self.number}/{self.total} " if self.total else ""
        return f"patch {number}“{self.subject}”"

    @property
    def changes(self) -> tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]:
        """What the patch does, whatever surrounds the diff and whichever lines it names."""
        return tuple(
            (file.old, file.new, tuple(tuple(hunk.lines) for hunk in file.hunks)) for file in self.files
        )


def read_mails(name: str, content: bytes, git: Repository) -> list[Mail]:
    """Read every mail of an mbox, except for replies; a plain diff counts as a mail, too.

    Raises SeriesError for what is no mail at all.
    """
    content = _unpacked(name, content)
    if not content.strip():
        raise SeriesError(f"{name} is empty", hint="was the download or the export interrupted?")
    if re.match(rb"\s*<(!doctype\s+html|html|\?xml)", content, re.IGNORECASE):
        raise SeriesError(
            f"{name} is a web page, not mail",
            hint="give the Message-ID, or download the thread's mbox (the link `mbox.gz` on lore)",
        )
    return [mail for raw in _split(content, git) if (mail := _read(name, raw, git))]


def _unpacked(name: str, content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise SeriesError(f"{name} is a damaged gzip file: {error}", hint="download it again") from error


def _split(content: bytes, git: Repository) -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="thp-harness-mails-") as folder:
        (Path(folder) / "mbox").write_bytes(content.lstrip(b"\r\n"))
        git.run("mailsplit", "-b", "-d6", "--mboxrd", f"-o{folder}", "--", f"{folder}/mbox")
        return [path.read_bytes() for path in sorted(Path(folder).glob("[0-9]*"))]


def _read(name: str, raw: bytes, git: Repository) -> Mail | None:
    """Read one mail; None for a reply."""
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    headers, body = _headers_and_body(raw)
    known, diff = _mailinfo(headers + b"\n" + body, git)
    if _REPLY.match(known.get("Subject", "")):
        return None
    complete = _completed(headers, known, Path(name).stem)
    if complete != headers:
        known, diff = _mailinfo(complete + b"\n" + body, git)
    prefixes, subject = _taken_apart(known.get("Subject", ""))
    numbers, version = _NUMBER.search(prefixes), _VERSION.search(prefixes)
    return Mail(
        source=name,
        raw=complete + b"\n" + body,
        subject=words.printable(subject),
        version=int(version[1]) if version else 1,
        number=int(numbers[1]) if numbers else None,
        total=int(numbers[2]) if numbers else None,
        diff=diff,
        files=tuple(parse_diff(diff)),
    )


def _headers_and_body(raw: bytes) -> tuple[bytes, bytes]:
    """Split at the first empty line; a text that does not begin with a header has none."""
    if not _HEADER_LINE.match(raw):
        return b"", raw
    headers, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return headers + b"\n", body


def _completed(headers: bytes, known: dict[str, str], stem: str) -> bytes:
    """Give a mail the author, date and subject that `git am` insists on."""
    if not known.get("Author") or not known.get("Email"):
        plain = _PLAIN_NAME.search(headers)  # archives on the web leave out addresses
        name = plain[1].decode("utf-8", errors="replace").strip(' "') if plain else ""
        author = known.get("Author") or name or _MISSING_NAME
        address = known.get("Email") or _MISSING_ADDRESS
        headers = re.sub(rb"^from:.*\n([ \t].*\n)*", b"", headers, flags=re.IGNORECASE | re.MULTILINE)
        headers = f'From: "{author}" <{address}>\n'.encode() + headers
    if not known.get("Date"):
        headers += f"Date: {_MISSING_DATE}\n".encode()
    if not known.get("Subject"):
        headers += f"Subject: {stem}\n".encode()
    return headers


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
    lines = (line.partition(": ") for line in printed.splitlines())
    return {key: value.strip() for key, _, value in lines}, diff


def _taken_apart(subject: str) -> tuple[str, str]:
    """Separate the bracketed prefixes of a subject from the rest."""
    found = _PREFIXES.match(subject)
    if not found:
        return "", subject
    return " ".join(re.findall(r"\[([^\]]*)\]", found[0])), subject[found.end() :].strip()


def printable(line: str) -> str:
    """A line of a diff as a message may show it: bounded, and with nothing that a terminal would obey."""
    return words.printable(line[:_WIDTH].encode("utf-8", errors="replace").decode())


def check_whole(mails: Iterable[Mail]) -> None:
    """Raise SeriesError for the first diff that is cut off or damaged on its way."""
    for mail in mails:
        for file in mail.files:
            for count, hunk in enumerate(file.hunks, start=1):
                if hunk.missing:
                    raise _damage(mail, file, count, hunk)
        if _lacks_what_its_diffstat_says(mail):
            raise SeriesError(
                f"{mail.label} in {mail.source} is cut off: its diff is shorter than its own diffstat says",
                hint="was the download or the export interrupted?",
            )


def _lacks_what_its_diffstat_says(mail: Mail) -> bool:
    """Whether a diff ends early, at a place where a diff may end.

    Diffstats of patches edited by hand are often wrong, so a mail with its signature counts as whole.
    """
    said = _DIFFSTAT.search(mail.diff)
    if not said or any(file.binary for file in mail.files) or "\n-- \n" in mail.diff:
        return False
    lines = [line for file in mail.files for hunk in file.hunks for line in hunk.lines]
    added, removed = (sum(line.startswith(mark) for line in lines) for mark in "+-")
    return len(mail.files) < int(said[1]) or added < int(said[2] or 0) or removed < int(said[3] or 0)


def _damage(mail: Mail, file: FileDiff, count: int, hunk: Hunk) -> SeriesError:
    place = f"hunk {count} of {min(file.paths, default='a file')}"
    if hunk.stopped_by is None:
        return SeriesError(
            f"{mail.label} in {mail.source} is cut off in the middle of {place}: "
            f"{hunk.missing} lines are missing",
            hint="was the download or the export interrupted?",
        )
    return SeriesError(
        f"{mail.label} in {mail.source} is damaged in {place}, "
        f"where this line can't be: '{printable(hunk.stopped_by)}'",
        hint="a mail program may have wrapped its lines: get the mail from lore instead",
    )
