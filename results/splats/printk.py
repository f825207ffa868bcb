# SPDX-License-Identifier: GPL-2.0-only
"""A line of a console or journal taken apart into the records of printk that it holds.

Formats: `[    1.234567][   T77] text` (CONFIG_PRINTK_TIME, CONFIG_PRINTK_CALLER), `<4>` before it,
`/dev/kmsg`'s `6,339,5140900,-,caller=T77;text` (Documentation/ABI/testing/dev-kmsg), `dmesg -T` and
`--time-format iso`, and what a journal writes before `kernel: `.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1f\x7f]")
_CALLER = r"(?:\[ *(?P<caller>[TC][0-9]+)\])?"
_FRONT = re.compile(rf"(?:<[0-9]{{1,3}}>)?\[ *[0-9]+\.[0-9]+\]{_CALLER} ?")
_INSIDE = re.compile(rf"(?:<[0-9]{{1,3}}>)?\[ *[0-9]+\.[0-9]{{6}}\]{_CALLER} ?")
_KMSG = re.compile(r"[0-9]+,(?P<seq>[0-9]+),[0-9]+,[-c+](?:,caller=(?P<caller>[TC][0-9]+)|,[^;,]*)*;")
_OTHER_FRONTS = re.compile(
    r"(?:<[0-9]{1,3}>)?(?:\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [0-9]{4}\] ?|"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:,.]+\S* (?:\S+ kernel: )?|"
    r"[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} \S+ kernel: )"
)
_LEVEL = re.compile(r"<[0-9]{1,3}>")


@dataclass(frozen=True, slots=True)
class Message:
    """One record of printk, or text that has no stamp."""

    text: str
    """Without prefix and control characters."""
    stamped: bool
    """Whether it carries a time, as what the kernel prints does."""
    caller: str | None = None
    """`T77` for a task, `C1` for a CPU outside of tasks; None without CONFIG_PRINTK_CALLER."""
    seq: int | None = None
    """Sequence number, in the format of /dev/kmsg."""


def read_messages(line: str) -> Iterator[Message]:
    """Yield the records of a line; a record whose end was lost has the next one glued to it."""
    if not line.isprintable():
        line = _CONTROL.sub("", line)
    front = _FRONT.match(line)
    if front is None and (kmsg := _KMSG.match(line)):
        yield Message(line[kmsg.end() :], True, kmsg["caller"], int(kmsg["seq"]))
        return
    stamp = front
    start = front.end() if front else 0
    if "[" in line[start:]:
        for inside in _INSIDE.finditer(line, start):
            yield from _piece(line[start : inside.start()], stamp)
            stamp, start = inside, inside.end()
    yield from _piece(line[start:], stamp, is_last=True)


def _piece(text: str, stamp: re.Match[str] | None, *, is_last: bool = False) -> Iterator[Message]:
    if stamp:
        yield Message(text, True, stamp["caller"])
    elif other := _OTHER_FRONTS.match(text):
        yield Message(text[other.end() :], True)
    elif is_last or text.strip():
        level = _LEVEL.match(text)
        yield Message(text[level.end() :] if level else text, level is not None)
