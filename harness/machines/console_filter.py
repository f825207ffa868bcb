# SPDX-License-Identifier: GPL-2.0-only
"""What of a console is ours, where other kernels and firmware speak before and after.

A token on the kernel command line, which the console shows, proves which kernel reports; what comes after
it has restarted the machine, or another banner, is not ours any more.
"""

from __future__ import annotations

import re

from harness.core.errors import InfrastructureError

OVERLAP = 512
"""Bytes of the previous chunk that are searched again."""
RECENT = 1 << 18
"""Bytes of the console that are compared with what pstore has."""
LINE_START = rb"[\r\n](?:<\d+>)?(?:\[[^\]\r\n]*\] ?)*"
"""What may stand before the kernel's own words."""
_NUMBERED = re.compile(LINE_START + rb"THP:[0-9a-f]{16}:(\d{1,9}):[0-9a-f]{8} [^\r\n]*")
_BANNER = re.compile(LINE_START + rb"Linux version \d")
_RESTART = re.compile(LINE_START + rb"reboot: (?:Restarting system|Power down|System halted)[^\n]*\n")
_FRAME = re.compile(rb"THP:[0-9a-f]{16}:\d+:[0-9a-f]{8} ")
DONE = re.compile(_FRAME.pattern + rb"done \d")
"""The guest program's last line."""
_LAST_WORDS = re.compile(rb"Kernel panic - not syncing|" + DONE.pattern)


class ConsoleFilter:
    """Follows the console: whether our kernel was seen to start, and where its words end."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.proved = False
        self.over = False
        """What comes now is not ours any more: firmware, and the host's own kernel."""
        self.leaving = False
        """Our kernel is about to restart the machine, or has."""
        self.told = False
        """How it ended was shown."""
        self.done = False
        """The guest program has said all."""
        self.number = 0
        """Of the guest program's last line."""
        self.recent = b""
        """The last that was ours."""
        self._tail = b""

    def pass_on(self, chunk: bytes) -> bytes:
        """As much of a chunk as belongs to our boot.

        Raises:
            InfrastructureError: if tests report before the token was seen.
        """
        window = self._tail + chunk
        begin = 0
        if not self.proved and (found := window.find(self.token.encode())) >= 0:
            self.proved, begin = True, found
        if not self.proved:
            if _FRAME.search(window):
                raise InfrastructureError("tests report, but the console never showed our kernel's token")
            self._tail = window[-OVERLAP:]
            return chunk
        self.told = self.told or bool(_LAST_WORDS.search(window, begin))
        self.leaving = self.leaving or self.told
        self.done = self.done or bool(DONE.search(window, begin))
        self.number = max(self.number, last_number(window[begin:]))
        end = self._end(window, begin)
        kept = window[:end] if end is not None else window
        self.over = end is not None
        self._tail = window[max(begin, len(window) - OVERLAP) :]
        ours = kept[len(window) - len(chunk) :]
        self.recent = (self.recent + ours)[-RECENT:]
        return ours

    def _end(self, window: bytes, begin: int) -> int | None:
        if restart := _RESTART.search(window, begin):
            self.leaving = self.told = True
            return restart.end()
        if banner := _BANNER.search(window, begin):
            self.leaving = True
            return banner.start()
        return None


def last_number(console: bytes) -> int:
    """The largest number of a line of the guest program (docs/guest-protocol.md); 0 if there is none."""
    return max((int(number) for number in _NUMBERED.findall(b"\n" + console)), default=0)
