# SPDX-License-Identifier: GPL-2.0-only
"""Headers of reports among the messages of the kernel, those that were torn apart included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from results.splats.kernel_log import KernelLine
from results.splats.printk import Message
from results.splats.rules import ANY_BUG, CUT_HERE, Rule, hints_at_report, rule_for

_LINES_AFTER_TORN = 3
"""Messages among which the rest of a header that was torn apart is looked for."""


@dataclass(frozen=True, slots=True)
class Head:
    """A header that was found."""

    line: KernelLine
    source: str | None
    rule: Rule
    match: re.Match[str]


@dataclass(slots=True)
class _Torn:
    """A line that looks like the first half of a header."""

    line: KernelLine
    text: str
    left: int = _LINES_AFTER_TORN


@dataclass(slots=True)
class HeaderReader:
    """Finds the headers, message by message."""

    _has_stamps: bool = False
    _torn: dict[str | None, _Torn] = field(default_factory=dict)

    def read(self, line: KernelLine, message: Message, awaits_header: bool) -> Head | None:
        """Return the header that a message is, or completes; `awaits_header` is true behind `cut here`."""
        self._has_stamps = self._has_stamps or message.stamped
        if CUT_HERE in message.text:
            return None
        found = rule_for(message.text)
        if not found and (whole := self._rest_of_torn(message)):
            return whole
        if message.stamped and self._may_be_torn(message, found, awaits_header):
            self._torn[message.caller] = _Torn(line, message.text)
        if not found:
            return None
        if self._has_stamps and not message.stamped and not _names_a_place(found[1]):
            return None
        return Head(line, source_of(message), *found)

    def _may_be_torn(
        self, message: Message, found: tuple[Rule, re.Match[str]] | None, awaits_header: bool
    ) -> bool:
        """Tell whether a line may be the first half of a header."""
        if found:
            return found[0] is ANY_BUG
        return (awaits_header and message.caller not in self._torn) or hints_at_report(message.text)

    def _rest_of_torn(self, message: Message) -> Head | None:
        """Put the halves of a header together that another CPU's line, or a lost newline, tore apart."""
        for caller, torn in tuple(self._torn.items()):
            if message.stamped and caller != message.caller:
                continue
            torn.left -= 1
            if torn.left <= 0:
                del self._torn[caller]
            for glue in ("", " "):
                found = rule_for(torn.text + glue + message.text)
                if found and found[1].end() > len(torn.text) + len(glue):
                    self._torn.pop(caller, None)
                    return Head(torn.line, caller, *found)
        return None


def source_of(message: Message) -> str | None:
    """Return the caller of printk, if known; text without a time is no part of a report with times."""
    return message.caller if message.stamped else "unstamped"


def _names_a_place(header: re.Match[str]) -> bool:
    """Tell whether a header is the kernel's for certain, though it has no time in a log that has times."""
    places = header.groupdict()
    return bool(places.get("where") or places.get("file"))
