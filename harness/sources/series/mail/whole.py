# SPDX-License-Identifier: GPL-2.0-only
"""Whether the diff of a mail arrived whole."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.sources.series.diff import FileDiff, Hunk
from harness.sources.series.mail.mbox import Mail, SeriesError, printable

_DIFFSTAT = re.compile(
    r"^ (\d{1,9}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$",
    re.MULTILINE,
)


def check_whole(mails: Iterable[Mail]) -> tuple[str, ...]:
    """Return notes about diffs that are shorter than their diffstats, as those edited by hand are.

    Raises:
        SeriesError: for the first diff that is cut off or damaged on its way.
    """
    notes: list[str] = []
    for mail in mails:
        for file in mail.files:
            for count, hunk in enumerate(file.hunks, start=1):
                if hunk.missing:
                    raise _damage(mail, file, count, hunk)
        if shortfall := _shortfall(mail):
            files_missing, ends_as_a_mail = shortfall
            if files_missing and not ends_as_a_mail:
                raise SeriesError(
                    f"{mail.label} in {mail.source} is cut off: "
                    "its diff is shorter than its own diffstat says",
                    hint="Was the download or the export interrupted?",
                )
            notes.append(f"{mail.label} changes less than its own diffstat says: taken as it is")
    return tuple(notes)


def _shortfall(mail: Mail) -> tuple[bool, bool] | None:
    """Whether whole files are missing, and whether the mail ends with the empty line of an mbox.

    None for a mail whose diff has all that its diffstat says, and for one with its signature.
    """
    said = _DIFFSTAT.search(mail.diff)
    if not said or any(file.binary for file in mail.files) or "\n-- \n" in mail.diff:
        return None
    lines = [line for file in mail.files for hunk in file.hunks for line in hunk.lines]
    added, removed = (sum(line.startswith(mark) for line in lines) for mark in "+-")
    files_missing = len(mail.files) < int(said[1])
    if not (files_missing or added < int(said[2] or 0) or removed < int(said[3] or 0)):
        return None
    return files_missing, mail.raw.endswith(b"\n\n")


def _damage(mail: Mail, file: FileDiff, count: int, hunk: Hunk) -> SeriesError:
    place = f"hunk {count} of {min(file.paths, default='a file')}"
    if hunk.stopped_by is None:
        return SeriesError(
            f"{mail.label} in {mail.source} is cut off in the middle of {place}: "
            f"{hunk.missing} lines are missing",
            hint="Was the download or the export interrupted?",
        )
    return SeriesError(
        f"{mail.label} in {mail.source} is damaged in {place}, "
        f"where this line can't be: '{printable(hunk.stopped_by)}'",
        hint="A mail program may have wrapped its lines: get the mail from lore instead.",
    )
