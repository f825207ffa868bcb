# SPDX-License-Identifier: GPL-2.0-only
"""Writes console logs the way the guest program does, and the ways in which they get damaged."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from results.model.run import PlannedTest

NONCE = "0123456789abcdef"


def escape(text: str) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else f"\\x{byte:02x}" for byte in text.encode()
    )


def frame(seq: int, payload: str, nonce: str = NONCE) -> str:
    return f"THP:{nonce}:{seq}:{zlib.crc32(f'{seq} {payload}'.encode()):08x} {payload}"


def planned(*names: str) -> tuple[PlannedTest, ...]:
    return tuple(PlannedTest(name, (f"/bin/{name}",), 30.0) for name in names)


@dataclass
class GuestLog:
    """A console log under construction."""

    lines: list[str] = field(default_factory=list)
    seq: int = 0

    def say(self, payload: str, prefix: str = "[    1.234567][    T1] ") -> GuestLog:
        self.seq += 1
        self.lines.append(prefix + frame(self.seq, payload))
        return self

    def kernel(self, *texts: str) -> GuestLog:
        self.lines += [f"[    2.000000][   T42] {text}" for text in texts]
        return self

    def lose(self) -> GuestLog:
        """Drop the last line, as a console that overruns does."""
        self.lines.pop()
        return self

    def begin(self, count: int) -> GuestLog:
        self.lines.append("Linux version 6.12.0 (builder)")
        self.say("hello 1")
        for fact in (
            "release 6.12.0-thp", "machine x86_64", "page_size 4096", "pmd_size 2097152", "thp 1", "cpus 2",
        ):  # fmt: skip
            self.say(f"probe {fact}")
        return self.say(f"plan {count}").say("taint 0 0")

    def start(self, number: int, name: str) -> GuestLog:
        self.say(f"start {number} {name}")
        return self.say(f"before {number} thp_split_pmd=3 meminfo.PageTables=900")

    def out(self, number: int, *texts: str) -> GuestLog:
        for text in texts:
            self.say(f"out {number} {escape(text)}")
        return self

    def end(self, number: int, how: str = "exit 0", taint: int = 0) -> GuestLog:
        self.say(f"after {number} thp_split_pmd=5 meminfo.PageTables=904").say(f"taint {number} {taint}")
        return self.say(f"end {number} {how} 1500")

    def test(self, number: int, name: str, output: Sequence[str] = (), how: str = "exit 0") -> GuestLog:
        return self.start(number, name).out(number, *output).end(number, how)

    def done(self, count: int) -> GuestLog:
        self.say(f"done {count}")
        self.lines.append("reboot: Power down")
        return self


def ktap(*results: str) -> list[str]:
    """A whole document of results such as `ok` or `not ok # TIMEOUT`."""
    lines = ["TAP version 13", f"1..{len(results)}"]
    for number, result in enumerate(results, start=1):
        verdict, _, rest = result.partition(" # ")
        lines.append(f"{verdict} {number} case_{number}" + (f" # {rest}" if rest else ""))
    return lines
