# SPDX-License-Identifier: GPL-2.0-only
"""The patches of a thread: without copies, replies, robots, suggestions and older versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.sources.series.diff import Hunk
from harness.sources.series.mail.mbox import Mail, SeriesError
from harness.sources.series.mail.subject import Version

_ROBOT = re.compile(
    r"^(?:tip-bot2?|lkp|syzbot\+?\w*|bot\+\w+|patchwork-bot\+\w+|noreply|mm-commits)@", re.IGNORECASE
)
_ROBOTS_PREFIX = re.compile(r"^(?:tip:|merged|folded|to-be-updated|nacked|obsolete|withdrawn)", re.IGNORECASE)
_FIXUP = re.compile(r"^(?:fixup|squash|amend)!\s", re.IGNORECASE)
# git send-email: 20260327021403.214713-2-author@host; b4: 20260327-name-v1-2-0123456789ab@host
_NUMBERED_ID = re.compile(r"^(.*?)-(\d{1,4})(-[^-@]+@.+)$")


@dataclass(slots=True)
class Thread:
    """Mails and how they answer each other."""

    mails: list[Mail]
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    fixups: list[Mail] = field(default_factory=list)
    """Diffs in replies, and patches that others suggest."""
    _known: dict[str, Mail] = field(default_factory=dict)

    @classmethod
    def of(cls, mails: Iterable[Mail]) -> Thread:
        """A thread without second copies of a mail: it may arrive once for each mailing list."""
        thread = cls([])
        for mail in mails:
            if mail.message_id and mail.message_id in thread._known:
                thread._note_copy(mail)
                continue
            thread.mails.append(mail)
            thread._known[mail.message_id] = mail
        thread._known.pop("", None)
        return thread

    def _note_copy(self, copy: Mail) -> None:
        first = self._known[copy.message_id]
        if copy.files and copy.changes != first.changes:
            if not first.files:  # an archive that drops attachments had the first
                self.mails[self.mails.index(first)] = self._known[copy.message_id] = copy
                return
            self.notes.append(f"two different mails have the Message-ID <{copy.message_id}>: took the first")

    def parent(self, mail: Mail) -> Mail | None:
        """The mail that another answers, if it is here."""
        found = (self._known.get(identifier) for identifier in mail.answers)
        return next((parent for parent in found if parent and parent is not mail), None)

    def ancestors(self, mail: Mail) -> Iterator[Mail]:
        """The mails that a mail answers, from the nearest on."""
        seen = {id(mail)}
        while (parent := self.parent(mail)) and id(parent) not in seen:
            seen.add(id(parent))
            yield parent
            mail = parent

    def keep_patches(self) -> None:
        """Leave out replies, whatever their subject says, and what robots send."""
        are_patches = any(mail.heading.is_patch and mail.files and not mail.is_reply for mail in self.mails)
        kept: list[Mail] = []
        for mail in self.mails:
            if mail.is_reply or self._is_answer(mail, are_patches):
                self._leave_out(mail, "it is a reply")
            elif are_patches and _is_robot(mail) and (mail.answers or not mail.heading.is_patch):
                self._leave_out(
                    mail, f"{mail.sender[1] or 'its sender'} is a robot", is_fixup=mail.heading.is_patch
                )
            elif _FIXUP.match(mail.subject) and self.parent(mail):
                self._leave_out(mail, "it is a fix-up")
            else:
                kept.append(mail)
        self.mails = kept

    def _is_answer(self, mail: Mail, are_patches: bool) -> bool:
        """Whether it is a reply although its subject does not say so."""
        parent = self.parent(mail)
        if not mail.heading.is_patch:
            return are_patches and bool(mail.answers) and (parent is not None or not mail.files)
        twin = next(
            (other for other in self.ancestors(mail) if _slot(other) == _slot(mail) and mail.total), None
        )
        return twin is not None and (not mail.files or not _same_person(mail, twin))

    def _leave_out(self, mail: Mail, why: str, *, is_fixup: bool = True) -> None:
        if not mail.files:
            return
        self.notes.append(f"left out {mail.label} of {mail.sender[1] or mail.source}: {why}")
        if is_fixup:
            self.fixups.append(mail)

    def keep_author(self) -> None:
        """Leave out patches that others sent in answer to the series, or to a patch."""
        kept: list[Mail] = []
        for mail in self.mails:
            host = next((other for other in self.ancestors(mail) if other.heading.is_patch), None)
            if host and not _same_person(mail, host) and not self._fills_a_gap(mail):
                self._leave_out(mail, f"it answers “{host.subject}” of {host.sender[1]}, and is another's")
            else:
                kept.append(mail)
        self.mails = kept

    def _fills_a_gap(self, mail: Mail) -> bool:
        """Whether a mail of another sender belongs to the series all the same."""
        if not mail.total:
            return False
        others = [other for other in self.mails if other is not mail and _series(other) == _series(mail)]
        return bool(others) and all(other.number != mail.number for other in others)

    def keep_version(self) -> None:
        """Choose the highest version; a reroll of single patches takes the others of the version before."""
        self.mails = [self._with_number_of_parent(mail) for mail in self.mails]
        with_diff = [mail for mail in self.mails if mail.files]
        numbered = [mail for mail in with_diff if mail.total]
        if not numbered:
            self._keep_newest_of_each()
            return
        versions = sorted({mail.version for mail in numbered})
        if len(versions) < 2:
            return
        highest = versions[-1]
        if self._is_reroll(highest):
            self._fill(highest)
            return
        others = ", ".join(map(str, versions[:-1]))
        self.notes.append(f"took version {highest} of the series, left out {others}")
        self.mails = [mail for mail in self.mails if mail.version == highest]

    def _with_number_of_parent(self, mail: Mail) -> Mail:
        """`[PATCH v2] …` in answer to one's own `[PATCH 2/3] …` is 2/3 of v2."""
        parent = self.parent(mail)
        if mail.total or not (parent and parent.number and mail.files) or not _same_person(mail, parent):
            return mail
        if not mail.heading.version or mail.version <= parent.version:
            return mail
        return replace(mail, heading=replace(mail.heading, number=parent.number, total=parent.total))

    def _is_reroll(self, version: Version) -> bool:
        """Whether a version has only some of the patches, and all in answer to an earlier version."""
        rerolled = [mail for mail in self.mails if mail.version == version and mail.total]
        there = {mail.number for mail in rerolled if mail.files}
        totals = {mail.total for mail in rerolled}
        if (
            len(totals) != 1
            or len(there) >= (rerolled[0].total or 0)
            or any(not mail.number for mail in rerolled)
        ):
            return False
        return all(
            any(other.version < mail.version and other.total == mail.total for other in self.ancestors(mail))
            for mail in rerolled
        )

    def _fill(self, highest: Version) -> None:
        total = next(mail.total for mail in self.mails if mail.version == highest and mail.total)
        newest: dict[int, Mail] = {}
        for mail in self.mails:
            if mail.total != total or mail.number is None or not (mail.files or mail.number == 0):
                continue
            if mail.number not in newest or newest[mail.number].version < mail.version:
                newest[mail.number] = mail
        for number, mail in sorted(newest.items()):
            if mail.version == highest:
                older = sorted({str(other.version) for other in newest.values()} - {str(highest)})
                self.notes.append(
                    f"took {highest} of patch {number}/{total}, which was sent again, "
                    f"and {', '.join(older)} of the others"
                )
        one = next(iter(newest.values())).heading.version
        self.mails = [replace(mail, heading=replace(mail.heading, version=one)) for mail in newest.values()]

    def _keep_newest_of_each(self) -> None:
        """Of unnumbered patches that replace each other, keep the newest."""
        kept: list[Mail] = []
        for mail in self.mails:
            replaced = [other for other in kept if mail.files and other.files and self._replaces(mail, other)]
            newest = max([*replaced, mail], key=self._age)
            for old in [*replaced, mail]:
                if old is not newest:
                    self._note_replaced(old, newest)
            kept = [other for other in kept if all(other is not old for old in replaced)]
            kept.append(newest)
        self.mails = kept

    def _age(self, mail: Mail) -> tuple[Version, int, float]:
        """Sorts a mail behind those that it answers."""
        return mail.version, sum(1 for _ in self.ancestors(mail)), mail.sent

    def _note_replaced(self, old: Mail, newest: Mail) -> None:
        if old.version != newest.version:
            self.notes.append(f"took version {newest.version} of the series, left out {old.version}")
        else:
            self.notes.append(f"left out {old.name}: {newest.name} replaces it")

    def _replaces(self, mail: Mail, other: Mail) -> bool:
        """Whether one of two unnumbered patches is another version of the other one.

        Raises:
            SeriesError: when that can't be told.
        """
        related = any(one is other for one in self.ancestors(mail)) or any(
            one is mail for one in self.ancestors(other)
        )
        if mail.version != other.version:
            return related or mail.subject == other.subject
        unclear = mail.heading.is_unclear and other.heading.is_unclear
        if not related or unclear or _sent_together(mail, other):
            return False
        if mail.subject == other.subject or _same_lines(mail, other):
            return True
        raise SeriesError(
            f"{mail.name} answers {other.name}, and neither has a number: "
            "it may replace it, or go on top of it",
            hint="Put the patches that you mean into a directory, in order.",
        )

    def in_order_of_thread(self) -> None:
        """Order unnumbered patches by the numbers in their Message-IDs, or by who answers whom.

        Raises:
            SeriesError: if they have numbers that can't be read, and the thread does not tell the order.
        """
        patches = [mail for mail in self.mails if mail.files]
        if len(patches) < 2:
            return
        ordered = _by_identifier(patches) or self._by_answers(patches)
        unclear = next((mail for mail in patches if mail.heading.is_unclear), None)
        if unclear and not ordered:
            raise SeriesError(
                f"the number of {unclear.name} can't be read from its prefix [{unclear.heading.prefix}], "
                "and the thread does not tell the order of the patches",
                hint="Put the patches into a directory, named in the order that you mean.",
            )
        if unclear:
            self.notes.append(
                f"the numbers of the patches can't be read from prefixes like [{unclear.heading.prefix}]: "
                "their order is that of the thread, and whether one is missing is unknown"
            )
        if ordered:
            self.mails = [*(mail for mail in self.mails if not mail.files), *ordered]

    def _by_answers(self, patches: Sequence[Mail]) -> list[Mail]:
        """Each answers the one before; nothing if they don't."""
        depths = [
            sum(any(one is other for other in self.ancestors(mail)) for one in patches) for mail in patches
        ]
        if sorted(depths) != list(range(len(patches))):
            return []
        return [mail for _, mail in sorted(zip(depths, patches, strict=True), key=lambda pair: pair[0])]


def _by_identifier(patches: Sequence[Mail]) -> list[Mail]:
    """By the numbers that git send-email and b4 put into Message-IDs; nothing if they don't have them."""
    found = [_NUMBERED_ID.match(mail.message_id) for mail in patches]
    if not all(found) or not all(_sent_together(patches[0], mail) for mail in patches[1:]):
        return []
    numbers = [int(match[2]) for match in found if match]
    if len(set(numbers)) != len(numbers):
        return []
    return [mail for _, mail in sorted(zip(numbers, patches, strict=True), key=lambda pair: pair[0])]


def _sent_together(one: Mail, other: Mail) -> bool:
    """Whether one `git send-email` or `b4 send` sent both."""
    found, there = _NUMBERED_ID.match(one.message_id), _NUMBERED_ID.match(other.message_id)
    if not (found and there) or found[2] == there[2]:
        return False
    # b4's Message-IDs end in a hash of their own
    return found[1] == there[1] and (found[3] == there[3] or "-v" in found[1])


def _same_lines(one: Mail, other: Mail) -> bool:
    """Whether two patches remove or surround the same lines of a file, so that both can't apply."""
    return any(
        mine.old == yours.old and _spans(mine.hunks) & _spans(yours.hunks)
        for mine in one.files
        for yours in other.files
    )


def _spans(hunks: Iterable[Hunk]) -> set[int]:
    """Numbers of the lines that hunks change, in the file before."""
    lines: set[int] = set()
    for hunk in hunks:
        place = hunk.old_start
        for line in hunk.lines:
            if line.startswith(("-", "+")):
                lines.add(place)
            place += not line.startswith(("+", "\\"))
    return lines


def _is_robot(mail: Mail) -> bool:
    return bool(_ROBOT.match(mail.sender[1]) or _ROBOTS_PREFIX.match(mail.heading.prefix))


def _same_person(one: Mail, other: Mail) -> bool:
    same_name = bool(one.sender[0]) and one.sender[0] == other.sender[0]
    return same_name or one.sender[1] == other.sender[1]


def _series(mail: Mail) -> tuple[object, int | None]:
    return mail.version, mail.total


def _slot(mail: Mail) -> tuple[object, int | None, int | None]:
    return mail.version, mail.total, mail.number
