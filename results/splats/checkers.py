# SPDX-License-Identifier: GPL-2.0-only
"""Evidence that a boot lost: checkers of the kernel that went off, and messages that never arrived.

KASAN reports once unless the kernel is booted with `kasan_multi_shot` (Documentation/dev-tools/kasan.rst);
lockdep stops at its first report (`debug_locks_off()`), at one of its limits, and when a taint makes it
unreliable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from results.model.run import CheckerOff, Splat
from results.splats.kernel_log import KernelLine
from results.splats.printk import Message, read_messages

KASAN, LOCKDEP = "KASAN", "lockdep"
_TAINTED = "Disabling lock debugging due to kernel taint"
"""Kernels without lockdep say it, too (kernel/panic.c, `add_taint()`)."""
_HAS_LOCKDEP = "Lock dependency validator"
_MULTI_SHOT = "kasan_multi_shot"
_MARKS = {
    "turning off the locking correctness validator": LOCKDEP,
    "DEBUG_LOCKS_WARN_ON(": LOCKDEP,
    "lockdep is turned off": LOCKDEP,
    _TAINTED: LOCKDEP,
    "Kernel memory leak detector disabled": "kmemleak",
    "ODEBUG disabled": "debugobjects",
    "debugging out of memory - disabling": "DMA-API debugging",
    "Future hung task reports are suppressed": "the hung task detector",
}
"""What a checker says when it stops."""
_LIMIT = re.compile(r"BUG: MAX_[A-Z_]+ too low")
_SPINLOCK = re.compile(r"^(?:spinlock|rwlock) ")
_KEEPS_LOCKDEP = ("usage!", "suspicious RCU usage")
"""Reports of RCU's rules, each given once for its place; lockdep goes on."""
_DROPPED = re.compile(
    r"\*\* ?([0-9]+) printk messages dropped|[Mm]issed ([0-9]+) kernel messages|"
    r"([0-9]+) (?:printk |kernel )?(?:records|messages) (?:were |have been )?(?:lost|overwritten)"
)
"""What printk and systemd-journald say of records that were overwritten before anything read them."""
_TELLING = re.compile(
    r"^[0-9]+,[0-9]+,|too low|printk messages|kernel messages|lost|overwritten|"
    + "|".join(map(re.escape, (_HAS_LOCKDEP, _MULTI_SHOT, *_MARKS)))
)
"""Lines that are worth a closer look; those of /dev/kmsg have a sequence number."""


@dataclass(frozen=True, slots=True)
class LostEvidence:
    """What a log can't tell."""

    checkers_off: tuple[CheckerOff, ...] = ()
    """In the order in which they went off."""
    messages_lost: str = ""
    """What is missing of the log, in words; empty if nothing is known to be missing."""


@dataclass(slots=True)
class _Losses:
    """What was noticed so far."""

    off: dict[str, int] = field(default_factory=dict)
    """Line by checker."""
    has_lockdep: bool = False
    multi_shot: bool = False
    dropped: int = 0
    gaps: int = 0
    seq: int | None = None


def lost_evidence(kernel_lines: Iterable[KernelLine], splats: Sequence[Splat]) -> LostEvidence:
    """Find out what the absence of a report in this log does not prove."""
    losses = _Losses()
    for line in kernel_lines:
        if _TELLING.search(line.text):
            for message in read_messages(line.text):
                _notice(losses, line.number, message)
    for splat in splats:
        if checker := _stopped_by(splat, losses):
            losses.off[checker] = min(splat.lines.last, losses.off.get(checker, splat.lines.last))
    off = sorted(losses.off.items(), key=lambda item: item[1])
    return LostEvidence(
        tuple(CheckerOff(checker, line) for checker, line in off), "; ".join(_lost_messages(losses))
    )


def loss_notes(checkers_off: Sequence[CheckerOff], incomplete: str) -> tuple[str, ...]:
    """Put in words what a boot can't tell."""
    off = (f"{off.checker} is off from console line {off.line} on" for off in checkers_off)
    return (*off, *([f"the log is incomplete: {incomplete}"] if incomplete else []))


def _notice(losses: _Losses, number: int, message: Message) -> None:
    text = message.text
    if message.seq is not None:
        if losses.seq is not None and message.seq > losses.seq + 1:
            losses.gaps += message.seq - losses.seq - 1
        losses.seq = message.seq
    if _HAS_LOCKDEP in text:
        losses.has_lockdep = True
    elif _MULTI_SHOT in text and "ommand line" in text:
        losses.multi_shot = True
    elif match := _DROPPED.search(text):
        losses.dropped += int(next(filter(None, match.groups())))
    elif _LIMIT.match(text):
        losses.off.setdefault(LOCKDEP, number)
    elif (mark := _mark_in(text)) and (losses.has_lockdep or mark != _TAINTED):
        losses.off.setdefault(_MARKS[mark], number)


def _mark_in(text: str) -> str | None:
    return next((mark for mark in _MARKS if mark in text), None)


def _stopped_by(splat: Splat, losses: _Losses) -> str | None:
    """Return the checker that a report puts an end to."""
    if splat.kind == "kasan":
        return None if losses.multi_shot else KASAN
    if splat.kind == "lockdep":
        return None if any(words in splat.signature for words in _KEEPS_LOCKDEP) else LOCKDEP
    return LOCKDEP if splat.kind == "bug" and _SPINLOCK.match(splat.signature.partition(" | ")[2]) else None


def _lost_messages(losses: _Losses) -> Iterator[str]:
    if losses.dropped:
        yield f"the kernel dropped {losses.dropped} messages"
    if losses.gaps:
        yield f"{losses.gaps} of the kernel's messages are missing (gaps in their sequence numbers)"
