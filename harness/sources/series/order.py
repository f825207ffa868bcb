# SPDX-License-Identifier: GPL-2.0-only
"""The mails of a series put in order: cover letter, patches 1 to m, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from harness.core.errors import UsageError
from harness.sources.series.mail.mbox import Mail, SeriesError
from harness.sources.series.mail.subject import Version
from harness.sources.series.mail.thread import Thread
from harness.sources.series.mail.whole import check_whole
from results.text import amount, join

_VERSION_OF_FILE = re.compile(r"v(\d{1,4})-\d+")
_HOW_TO_LIST = "Write numbers and ranges, as in 3-7,9."
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})?)?")


class Order(Enum):
    """What says the order of the mails."""

    NUMBERS = "numbers"
    """Their subjects and their thread."""
    NAMES = "names"
    """The names of their files; numbers count when all of them belong to one series."""
    LISTED = "listed"
    """Somebody wrote it down."""


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """Which patches of a thread are taken."""

    patches: str = ""
    """Only these, as in `3-7,9`; all if empty."""
    with_fixups: bool = False
    """With the diffs in replies, on top of the series."""

    def __post_init__(self) -> None:
        """Refuse what is no list, before a series is looked for.

        Raises:
            UsageError: for what is no list of numbers.
        """
        parts = self.patches.split(",") if self.patches else []
        if not all(_RANGE.fullmatch(part.strip()) for part in parts):
            raise UsageError(f"--patches {self.patches}: this is no list of patches", hint=_HOW_TO_LIST)

    def numbers(self, count: int) -> tuple[int, ...]:
        """The numbers of the patches that are taken.

        Raises:
            UsageError: for what is no list of numbers up to `count`.
        """
        if not self.patches:
            return tuple(range(1, count + 1))
        chosen: set[int] = set()
        for part in self.patches.split(","):
            found = _RANGE.fullmatch(part.strip())
            first = int(found[1]) if found else 0
            last = (int(found[2] or count) if "-" in part else first) if found else 0
            if not 1 <= first <= last <= count:
                raise UsageError(
                    f"--patches {self.patches}: the series has patches 1 to {count}",
                    hint=_HOW_TO_LIST,
                )
            chosen.update(range(first, last + 1))
        return tuple(sorted(chosen))


@dataclass(frozen=True, slots=True)
class OrderedSeries:
    """Patches in the order in which they apply."""

    title: str
    patches: tuple[Mail, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    first: Mail
    """The cover letter, or else the first patch."""


def order_series(
    mails: Sequence[Mail], name: str, order: Order = Order.NUMBERS, choice: SeriesChoice | None = None
) -> OrderedSeries:
    """Choose the patches of the highest version and order them by their n/m.

    Raises:
        SeriesError: when patches are missing, contradict each other, are cut off, or there is none at all.
        UsageError: when `choice` names patches that the series does not have.
    """
    choice = choice or SeriesChoice()
    thread = Thread.of(mails)
    thread.keep_patches()
    if order is Order.NUMBERS:
        thread.keep_author()
        thread.keep_version()
    elif order is Order.NAMES:
        _keep_version_of_files(thread)
    notes = thread.notes
    covers = [mail for mail in thread.mails if mail.number == 0]
    patches = [mail for mail in thread.mails if mail.number != 0 and (mail.files or mail.number)]
    if order is Order.NUMBERS and any(mail.total for mail in patches):
        patches = _only_numbered(thread, patches)
    patches = _without_copies(patches, notes)
    if not patches:
        raise SeriesError(
            f"{name} holds no patch: none of its {len(mails)} mails (replies aside) has a diff",
            hint="Give the thread that holds the patches: an mbox, or the Message-ID of the cover letter.",
        )
    patches = _in_order(thread, patches, name, order, choice)
    if choice.with_fixups:
        patches += _fixups(thread, notes)
    _require_diffs(patches)
    notes += check_whole(patches)
    notes += [f"left out the diff of the cover letter “{cover.subject}”" for cover in covers if cover.files]
    notes += [note for mail in patches for note in mail.notes]
    return OrderedSeries(
        _title(covers, patches), tuple(patches), tuple(dict.fromkeys(notes)), [*covers, *patches][0]
    )


def _in_order(
    thread: Thread, patches: list[Mail], name: str, order: Order, choice: SeriesChoice
) -> list[Mail]:
    one_series = _is_one_series(patches)
    if order is Order.LISTED or (order is Order.NAMES and not one_series):
        if order is Order.NAMES:
            thread.notes += _stacked(patches)
        return [patches[number - 1] for number in choice.numbers(len(patches))]
    if patches[0].total is None:
        if order is Order.NUMBERS:
            thread.mails = patches
            thread.in_order_of_thread()
            patches = [mail for mail in thread.mails if mail.files]
        return [patches[number - 1] for number in choice.numbers(len(patches))]
    return _by_number(thread, patches, name, order, choice)


def _keep_version_of_files(thread: Thread) -> None:
    """Of several versions of one series in a directory keep the highest.

    They are versions of one series if their files are named so, as `git format-patch -v2` names them,
    or if a title is in both; else one series goes on top of the other.
    """
    versions: dict[Version, list[Mail]] = {}
    for mail in thread.mails:
        versions.setdefault(_version(mail), []).append(mail)
    if len(versions) < 2:
        return
    highest = max(versions)
    older = [mail for version, mails in versions.items() if version != highest for mail in mails]
    titles = {mail.subject for mail in versions[highest]}
    named = all(_VERSION_OF_FILE.match(Path(mail.source).name) for mail in versions[highest])
    if not named and not titles & {mail.subject for mail in older}:
        return
    names = join([Path(mail.source).name for mail in older])
    others = ", ".join(str(version) for version in sorted(versions) if version != highest)
    thread.notes.append(f"took version {highest} of the series, left out {others}: {names}")
    thread.mails = versions[highest]


def _version(mail: Mail) -> Version:
    if mail.heading.version:
        return mail.heading.version
    found = _VERSION_OF_FILE.match(Path(mail.source).name)
    return Version((int(found[1]),)) if found else Version()


def _only_numbered(thread: Thread, patches: list[Mail]) -> list[Mail]:
    """A diff without a number in the thread of a numbered series is somebody's suggestion."""
    for mail in patches:
        if not mail.total:
            thread.notes.append(f"left out {mail.label}: it has no number in the series")
            thread.fixups.append(mail)
    return [mail for mail in patches if mail.total]


def _without_copies(patches: list[Mail], notes: list[str]) -> list[Mail]:
    """A mail may arrive once for each mailing list, or be sent again."""
    kept: list[Mail] = []
    seen: set[object] = set()
    for mail in patches:
        identity = (mail.number, mail.total, mail.subject, mail.changes)
        if identity in seen:
            notes.append(f"left out a second copy of {mail.label}")
            continue
        seen.add(identity)
        kept.append(mail)
    return kept


def _is_one_series(patches: Iterable[Mail]) -> bool:
    return len({(mail.version, mail.total) for mail in patches}) == 1 and not _restarts(patches)


def _restarts(patches: Iterable[Mail]) -> bool:
    """Whether numbers start again: two series of the same length, one on the other."""
    patches = [mail for mail in patches if mail.total]
    numbers = [mail.number for mail in patches]
    files = {mail.source for mail in patches}
    return (
        len(files) == len(patches)
        and len(set(numbers)) < len(numbers)
        and len(patches) == _whole_runs(patches)
    )


def _whole_runs(patches: Sequence[Mail]) -> int:
    """How many patches belong to runs 1/m, 2/m, … m/m that follow each other."""
    count, expected = 0, 1
    for mail in patches:
        if mail.number != expected:
            return 0
        count += 1
        expected = 1 if mail.number == mail.total else expected + 1
    return count if expected == 1 else 0


def _stacked(patches: Sequence[Mail]) -> list[str]:
    """Which series a directory stacks, and which patches of them it has not."""
    notes: list[str] = []
    runs: list[list[Mail]] = []
    for mail in patches:
        last = runs[-1][-1] if runs else None
        goes_on = last and (last.version, last.total) == (mail.version, mail.total)
        if last and goes_on and (mail.number or 0) > (last.number or 0):
            runs[-1].append(mail)
        else:
            runs.append([mail])
    for run in runs:
        there = {mail.number for mail in run}
        missing = [str(number) for number in range(1, (run[0].total or 0) + 1) if number not in there]
        if missing:
            notes.append(f"{run[0].label} is taken without {_patches(missing)} of {run[0].total}")
    notes.append(f"the directory stacks {len(runs)} series, in the order of the file names")
    return notes


def _by_number(
    thread: Thread, patches: list[Mail], name: str, order: Order, choice: SeriesChoice
) -> list[Mail]:
    total = patches[0].total or 0
    if not _is_one_series(patches):
        totals = " and ".join(sorted({f"n/{mail.total}" for mail in patches}))
        raise SeriesError(f"{name} holds several series, numbered {totals}", hint="Give each its own file.")
    by_number: dict[int, Mail] = {}
    for mail in patches:
        number = mail.number or 0
        if number in by_number:
            raise SeriesError(
                f"{name} has patch {number}/{total} twice, with different content: "
                f"{by_number[number].name} and {mail.name}",
                hint="Keep the one that you mean.",
            )
        by_number[number] = mail
    wanted = choice.numbers(max(total, *by_number))
    there = sorted(by_number)
    missing = [str(number) for number in wanted if number not in by_number and number <= total]
    if (
        missing
        and order is Order.NAMES
        and not choice.patches
        and there == list(range(there[0], there[-1] + 1))
    ):
        thread.notes.append(
            f"the directory holds patches {there[0]} to {there[-1]} of {total}: only those are applied"
        )
        missing, wanted = [], tuple(there)
    if missing:
        raise SeriesError(
            f"{_patches(missing)} of {total} {'are' if len(missing) > 1 else 'is'} missing in {name}",
            hint="Get the whole thread (the Message-ID of any of its mails will do), or take a part of "
            f"the series: --patches {_as_list(there)}.",
        )
    if there[-1] > total:
        thread.notes.append(
            f"{by_number[there[-1]].label} is numbered beyond the end of its series: taken as its last"
        )
    return [by_number[number] for number in wanted if number in by_number]


def _patches(numbers: Sequence[str]) -> str:
    return f"{'patches' if len(numbers) > 1 else 'patch'} {', '.join(numbers)}"


def _fixups(thread: Thread, notes: list[str]) -> list[Mail]:
    fixups = sorted(thread.fixups, key=lambda mail: mail.sent)
    notes[:] = [
        note for note in notes if not any(note.startswith(f"left out {mail.label} ") for mail in fixups)
    ]
    notes += [f"applied the fix-up {mail.name} of {mail.sender[1]} on top of the series" for mail in fixups]
    return fixups


def _require_diffs(patches: Iterable[Mail]) -> None:
    for mail in patches:
        if not mail.files:
            raise SeriesError(
                f"{mail.label} in {mail.source} holds no diff",
                hint="Is the file cut off, or the mail an HTML one?",
            )


def _as_list(numbers: Sequence[int]) -> str:
    """Numbers as `--patches` takes them."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == last - first + 1 > 1:
        return f"{first}-{last}"
    return ",".join(map(str, numbers))


def _title(covers: list[Mail], patches: list[Mail]) -> str:
    if covers:
        return covers[0].subject
    more = len(patches) - 1
    if not more:
        return patches[0].subject
    return f"{patches[0].subject} (and {amount(more, 'more patch', 'more patches')})"
