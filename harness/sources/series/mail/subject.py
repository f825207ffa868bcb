# SPDX-License-Identifier: GPL-2.0-only
"""Subjects of patch mails: `[PATCH v3 2/7] mm: thp: …` and what people write instead.

`git send-email` writes the first form. Patchwork writes `[v3,2/7]`, Mercurial `[PATCH 2 of 7 V3]`,
hands write `[PATCH2/7]`, `[[RESEND] mm PATCH v3 2/7]` or `[PATCH v3.1]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering

_NUMBER = re.compile(r"(?<![\d.])#?(\d{1,4})\s*(?:/|of)\s*(\d{1,4})(?!\d)(?!\.\d)(?!/\d)", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=PATCH)|(?<=RFC)|(?<=RESEND)|(?<=/\d)|(?<=/\d\d))"
    r"v(?:\.|er\.?|ersion\.?|ersion (?=\d+(?!\d|\s*(?:/|of))))?"
    r"(\d{1,4})((?:\.\d{1,4}){0,4})([a-z]?)(?![A-Za-z0-9]|\.\d)",
    re.IGNORECASE,
)
_OTHER_BRACKETS = re.compile(
    r"[{【［]([^}】］]*(?:PATCH|RFC|\d\s*[/／]\s*\d)[^}】］]*)[}】］]", re.IGNORECASE
)
_LONGEST = 2000
"""Characters of a subject that are read; more than one line of mail may have (RFC 5322, 2.1.1)."""
_UNCLEAR = re.compile(
    r"(?<![\w.-])#?\d{1,3}\s*[-–—|\\:]\s*\d{1,3}(?![\w.-])|#\d+|(?<![A-Za-z0-9])\d+/|/\d+(?![A-Za-z0-9.])"
)
_NOT_A_PATCH = re.compile(
    r"""\s*(?:
        (?:re|aw|antw|antwort|sv|vs|odp|ref|réf|rif|ynt|ha|fw|fwd|wg|tr|回复|回覆|答复|答覆|转发|轉寄|返信|회신)
        (?:\[\d+\]|\(\d+\)|\^\d+)?
    )\s*[:：]""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD_BEFORE_PREFIX = re.compile(r"\s*[^\s\[\]:：]{1,12}\s?[:：]\s*\[[^\]]*\bPATCH", re.IGNORECASE)
_BARE = re.compile(
    r"\s*\(?((?:RFC|RESEND|PATCH|v\d+|\d+/\d+)\b[\w\s,./-]*?\d+/\d+)\)?\s*[:\]]?\s+", re.IGNORECASE
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version of a series: `v3`, `v3.1`, `v4a`; in this order."""

    numbers: tuple[int, ...] = (1,)
    letter: str = ""

    @classmethod
    def from_text(cls, text: str) -> Version | None:
        """Read the last version that a prefix names, if it names one."""
        found = list(_VERSION.finditer(text))
        if not found:
            return None
        major, minor, letter = found[-1].groups()
        numbers = [int(major), *(int(part) for part in minor.split(".")[1:])]
        while len(numbers) > 1 and not numbers[-1]:
            numbers.pop()
        return cls(tuple(numbers), letter.lower())

    def __str__(self) -> str:
        return "v" + ".".join(map(str, self.numbers)) + self.letter

    def _key(self) -> tuple[int, str, tuple[int, ...]]:
        return self.numbers[0], self.letter, self.numbers[1:]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, slots=True)
class PatchSubject:
    """A subject taken apart."""

    title: str
    """Without its prefixes."""
    prefix: str = ""
    """What stood in brackets."""
    number: int | None = None
    """The n of n/m."""
    total: int | None = None
    version: Version | None = field(default=None)
    """None if the subject names none: it is the first then."""
    is_reply: bool = False
    """A reply or a forwarded mail, in whatever language."""
    has_word_before: bool = False
    """A word and a colon precede the prefix: a reply in yet another language, if it answers a mail."""
    is_unclear: bool = False
    """The prefix holds digits that may be a number in a series, but are not n/m."""

    @property
    def is_patch(self) -> bool:
        """Whether it says that it is a patch, or a cover letter."""
        return self.total is not None or bool(re.search(r"PATCH|RFC|\bv\d", self.prefix, re.IGNORECASE))


def read_subject(text: str) -> PatchSubject:
    """Take a subject apart."""
    text = " ".join(text[:_LONGEST].split())
    prefix, title = _prefix_and_title(text)
    is_reply = bool(_NOT_A_PATCH.match(text) or _NOT_A_PATCH.match(title))
    number, total, rest = _number(prefix)
    return PatchSubject(
        title=title,
        prefix=prefix,
        number=number,
        total=total,
        version=Version.from_text(prefix),
        is_reply=is_reply,
        has_word_before=bool(_WORD_BEFORE_PREFIX.match(text)),
        is_unclear=total is None and bool(_UNCLEAR.search(_VERSION.sub(" ", rest))),
    )


def _prefix_and_title(text: str) -> tuple[str, str]:
    """Separate brackets at the beginning, which may be nested, from the rest."""
    prefixes: list[str] = []
    rest = text
    while rest.startswith("[") or (other := _OTHER_BRACKETS.match(rest)):
        if not rest.startswith("["):
            assert other
            rest = f"[{other[1]}]{rest[other.end() :]}"
        end = _closing(rest)
        if end is None:  # never closed
            found = re.match(r"\[+((?:[^\[\]\s:]+\s+)*?\S*?\d+/\d+)[:,]?\s+", rest)
            if not found:
                break
            prefixes.append(found[1])
            rest = rest[found.end() :].lstrip()
            break
        prefixes.append(rest[1:end].replace("[", " ").replace("]", " "))
        rest = rest[end + 1 :].lstrip()
    if not prefixes and (found := _BARE.match(rest)):
        return found[1], rest[found.end() :]
    return " ".join(" ".join(prefixes).replace("／", "/").split()), rest.strip()


def _closing(text: str) -> int | None:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if not depth:
            return place
    return None


def _number(prefix: str) -> tuple[int | None, int | None, str]:
    """The last n/m of a prefix, and the prefix without it."""
    whole = [found for found in _NUMBER.finditer(prefix) if not _version_runs_into(prefix, found)]
    likely = [found for found in whole if int(found[1]) <= int(found[2])] or whole
    if not likely or not int(likely[-1][2]):
        return None, None, prefix
    found = likely[-1]
    return int(found[1]), int(found[2]), prefix[: found.start()] + " " + prefix[found.end() :]


def _version_runs_into(prefix: str, found: re.Match[str]) -> bool:
    """In `v22/3` the end of the version is ambiguous."""
    return bool(re.search(r"(?:^|[^A-Za-z]|PATCH|RFC)v$", prefix[: found.start()], re.IGNORECASE))
