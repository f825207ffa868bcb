# SPDX-License-Identifier: GPL-2.0-only
"""The mails of a series put in order: cover letter, patches 1 to m, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.sources.series.mbox import Mail, SeriesError, check_whole


@dataclass(frozen=True, slots=True)
class OrderedSeries:
    """Patches in the order in which they apply."""

    title: str
    patches: tuple[Mail, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    first: Mail
    """The cover letter, or else the first patch."""


def order_series(mails: list[Mail], name: str, *, keep_order: bool = False) -> OrderedSeries:
    """Choose the patches of the highest version and order them by their n/m.

    `keep_order` is for patches whose order is given, by file names or by git: numbers are then
    only looked at when all of them belong to one series. Raises SeriesError when patches are
    missing, contradict each other, are cut off, or there is none at all.
    """
    notes: list[str] = []
    if not keep_order:
        mails = _of_highest_version(mails, notes)
    covers = [mail for mail in mails if mail.number == 0]
    patches = [mail for mail in mails if mail.number != 0 and (mail.files or mail.number)]
    if not keep_order and any(mail.total for mail in patches):
        patches = _only_numbered(patches, notes)
    patches = _without_copies(patches, notes)
    if not patches:
        raise SeriesError(
            f"{name} holds no patch: none of its {len(mails)} mails (replies aside) has a diff",
            hint="give the thread that holds the patches: an mbox, or the Message-ID of the cover letter",
        )
    if not keep_order or _is_one_series(patches):
        patches = _in_order(patches, name)
    _require_diffs(patches)
    check_whole(patches)
    return OrderedSeries(_title(covers, patches), tuple(patches), tuple(notes), [*covers, *patches][0])


def _of_highest_version(mails: list[Mail], notes: list[str]) -> list[Mail]:
    with_diff = [mail for mail in mails if mail.files]
    numbered = [mail for mail in with_diff if mail.total]
    versions = {mail.version for mail in numbered or with_diff}
    if len(versions) < 2:
        return mails
    highest = max(versions)
    others = ", ".join(f"v{version}" for version in sorted(versions - {highest}))
    notes.append(f"took version v{highest} of the series, left out {others}")
    return [mail for mail in mails if mail.version == highest]


def _only_numbered(patches: list[Mail], notes: list[str]) -> list[Mail]:
    """A diff without a number in the thread of a numbered series is somebody's suggestion."""
    for mail in patches:
        if not mail.total:
            notes.append(f"left out {mail.label}: it has no number in the series")
    return [mail for mail in patches if mail.total]


def _without_copies(patches: list[Mail], notes: list[str]) -> list[Mail]:
    """A mail may arrive once for each mailing list."""
    kept: list[Mail] = []
    seen: set[object] = set()
    for mail in patches:
        identity = (mail.number, mail.total, mail.subject, mail.changes)
        if mail.total and identity in seen:
            notes.append(f"left out a second copy of {mail.label}")
            continue
        seen.add(identity)
        kept.append(mail)
    return kept


def _is_one_series(patches: Iterable[Mail]) -> bool:
    return len({(mail.version, mail.total) for mail in patches}) == 1


def _in_order(patches: list[Mail], name: str) -> list[Mail]:
    total = patches[0].total
    if total is None:
        return patches
    if not _is_one_series(patches):
        totals = " and ".join(sorted({f"n/{mail.total}" for mail in patches}))
        raise SeriesError(f"{name} holds several series, numbered {totals}", hint="give each its own file")
    by_number: dict[int, Mail] = {}
    for mail in patches:
        number = mail.number or 0
        if number in by_number:
            raise SeriesError(
                f"{name} has patch {number}/{total} twice, with different content: "
                f"“{by_number[number].subject}” and “{mail.subject}”",
                hint="keep the one that you mean",
            )
        by_number[number] = mail
    missing = [str(number) for number in range(1, total + 1) if number not in by_number]
    if missing:
        plural = "patches" if len(missing) > 1 else "patch"
        verb = "are" if len(missing) > 1 else "is"
        raise SeriesError(
            f"{plural} {', '.join(missing)} of {total} {verb} missing in {name}",
            hint="get the whole thread: the Message-ID of any of its mails will do",
        )
    return [by_number[number] for number in sorted(by_number)]


def _require_diffs(patches: Iterable[Mail]) -> None:
    for mail in patches:
        if not mail.files:
            raise SeriesError(
                f"{mail.label} in {mail.source} holds no diff",
                hint="is the file cut off, or the mail an HTML one?",
            )


def _title(covers: list[Mail], patches: list[Mail]) -> str:
    if covers:
        return covers[0].subject
    more = len(patches) - 1
    if not more:
        return patches[0].subject
    return f"{patches[0].subject} (and {more} more {'patch' if more == 1 else 'patches'})"
