# SPDX-License-Identifier: GPL-2.0-only
"""What tuxparse sees in lines that no rule of ours explains.

tuxparse searches whole logs with patterns whose time grows with the square of the log, so it is
asked about few lines only, one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from results.model.run import LineRange, Splat
from results.splats.kernel_log import KernelLine
from results.text import without_printk_prefix

MOST_LINES_ASKED = 200
_LONGEST_LINE = 300
_NUMBERS = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|[0-9]+")
_SHA_SUFFIX = re.compile(r"-[0-9a-f]{8}$")


def second_opinion(lines: Sequence[KernelLine]) -> tuple[Splat, ...]:
    """Ask tuxparse about lines that look bad; what it knows becomes a splat of one line."""
    if not lines:
        return ()
    asked = dict(enumerate(lines[:MOST_LINES_ASKED]))
    log = "\n".join(f"[{index:5d}.000000] {_clean(line)}" for index, line in asked.items())
    found = _ask_tuxparse(log)
    return tuple(_splat(kind, asked[index]) for index, kind in sorted(found.items()) if index in asked)


def _ask_tuxparse(log: str) -> dict[int, str]:
    """Return tuxparse's name for each line that it knows; the time stamp carries the line's index."""
    from tuxparse.boot_test_parser import BootTestParser  # slow to import, and seldom needed

    kinds: dict[int, str] = {}
    for suite in BootTestParser().parse_log(log, unique=False).values():
        for name, finding in suite.items():
            for excerpt in finding["log_excerpt"]:
                stamp = re.match(r"\[ *([0-9]+)\.", excerpt)
                if stamp and not _SHA_SUFFIX.search(name):
                    kinds.setdefault(int(stamp[1]), name.split("-")[0])
    return kinds


def _clean(line: KernelLine) -> str:
    text = without_printk_prefix(line.text)[:_LONGEST_LINE]
    return "".join(char if char.isprintable() else " " for char in text)


def _splat(kind: str, line: KernelLine) -> Splat:
    title = _clean(line).strip()
    signature = f"{kind} | {_NUMBERS.sub('N', title)}"
    return Splat(kind, title[:120], signature, LineRange(line.number, line.number), (line.text,), line.test)
