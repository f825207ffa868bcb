# SPDX-License-Identifier: GPL-2.0-only
"""What carried a console line to us: a mail, a LAVA job, a CI service, a journal, a serial logger."""

from __future__ import annotations

import json
import re

_QUOTE = re.compile(r"(?:> ?)+")
_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{7}Z "  # GitHub's logs
    r"|\[(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[ T])?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?\] ?"  # tio, picocom, ts
)
_JOURNAL = re.compile(
    r"(?:[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,]+(?:Z|[+-][0-9:]{4,6})?)"
    r" (?:\S+ )?[\w./@-]+(?:\[[0-9]+\])?: ?"
)
"""`journalctl -o short`, `short-iso`, `short-iso-precise`, and syslog: `Jan  1 00:00:00 host kernel: …`."""
_HUMAN = re.compile(r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [0-9]{4}\] ?")
"""`dmesg -T`."""
_LAVA = '- {"dt"'


def unwrapped(line: str) -> str:
    """Return what the console showed: no quote of a mail, no stamp of a logger, no YAML of LAVA."""
    if line.startswith(_LAVA):
        return _of_lava(line)
    if line.startswith(">"):
        line = line[_QUOTE.match(line).end() :]  # type: ignore[union-attr]
    if line[:1] in "[12" and (stamp := _STAMP.match(line)):
        line = line[stamp.end() :]
    return line


def bare(line: str) -> str:
    """Return what a program or the kernel wrote, without what a journal puts before it."""
    for front in (_JOURNAL, _HUMAN):
        if found := front.match(line):
            return line[found.end() :]
    return line


def _of_lava(line: str) -> str:
    """Take the text out of a line of a job's log; empty for what LAVA itself says."""
    try:
        record = json.loads(line[2:])
    except ValueError:
        return line
    message = record.get("msg") if record.get("lvl") in ("target", "feedback") else ""
    return message if isinstance(message, str) else ""
