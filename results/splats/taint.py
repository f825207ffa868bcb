# SPDX-License-Identifier: GPL-2.0-only
"""Taint flags of the kernel that no report in its log explains.

The kernel sets a flag whenever it warns, dies, finds a bad page, and so on. The flag stays until the next
boot, even if the report was lost on its way to the console or has a wording that `rules` does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from results.model.run import LineRange, Splat, TestResult

KIND = "taint"

FLAGS: tuple[tuple[str, str], ...] = (
    ("P", "a proprietary module"),
    ("F", "a module loaded by force"),
    ("S", "hardware out of specification"),
    ("R", "a module removed by force"),
    ("M", "a machine check"),
    ("B", "a bad page"),
    ("U", "set from user space"),
    ("D", "an oops or BUG"),
    ("A", "an ACPI table replaced"),
    ("W", "a warning"),
    ("C", "a staging driver"),
    ("I", "a firmware bug worked around"),
    ("O", "a module from outside the tree"),
    ("E", "an unsigned module"),
    ("L", "a soft lockup"),
    ("K", "a live patch"),
    ("X", "a distribution's own flag"),
    ("T", "randomised structures"),
    ("N", "a test in the kernel"),
    ("J", "fwctl's mutating interface"),
)
"""Letter and cause of each bit, from bit 0 (Documentation/admin-guide/tainted-kernels.rst, Linux 6.15)."""

EXPLAINED: Mapping[str, str] = {
    "warning": "W",
    "atomic-sleep": "W",
    "ubsan": "WD",
    "list-corruption": "WD",
    "bug": "WDB",
    "oops": "D",
    "gpf": "D",
    "page-fault": "D",
    "stack-overflow": "D",
    "panic": "D",
    "kasan": "BD",
    "kfence": "B",
    "kmsan": "B",
    "bad-page": "B",
    "slab-corruption": "B",
    "memory-corruption": "B",
    "lockup": "L",
    "hardware-error": "M",
    **dict.fromkeys(("allocation-failure", "bad-page-table", "hung-task", "irq", "kcsan", "kmemleak"), ""),
    **dict.fromkeys(
        (
            "lockdep",
            "memory-leak",
            "oom-kill",
            "preemptible",
            "rcu-stall",
            "swap-entry",
            "sysfs",
            "unaligned-access",
        ),
        "",
    ),
}
"""Kind of splat → the flags that the kernel sets with it (callers of add_taint(), Linux 6.12)."""
_ANY = "WDBLM"
"""What a kind that is not listed may set."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The flags before and after a test, or at the first test of a boot."""

    before: int
    after: int
    lines: LineRange
    test: str | None = None

    @property
    def gained(self) -> Iterator[int]:
        """The bits that are new."""
        new = self.after & ~self.before
        return (bit for bit in range(new.bit_length()) if new >> bit & 1)


def letters(flags: int) -> str:
    """Decode flags to the letters of a kernel's `Tainted:` line; a bit without one is shown as `[20]`."""
    return "".join(_flag(bit)[0] for bit in range(flags.bit_length()) if flags >> bit & 1)


def unexplained_taints(
    at_boot: int | None, tests: Sequence[TestResult], splats: Sequence[Splat]
) -> tuple[Splat, ...]:
    """Return a splat for each flag that was set without one: by a test, or before the first.

    A splat explains a flag if it comes in the log before the flag was read, and its kind is
    one with which the kernel sets it. The signature names the flag alone, so that the same flag on both
    kernels is the same splat, whichever test was running.
    """
    return tuple(
        _splat(reading, bit)
        for reading in _readings(at_boot, tests)
        for bit in reading.gained
        if not any(_explains(splat, _flag(bit)[0], reading) for splat in splats)
    )


def _readings(at_boot: int | None, tests: Iterable[TestResult]) -> Iterator[_Reading]:
    read = [(test.lines, test) for test in tests if test.lines is not None]
    if at_boot and read:
        yield _Reading(0, at_boot, LineRange(1, read[0][0].first))
    last = at_boot or 0
    for lines, test in read:
        if test.taint is not None:
            yield _Reading(last, test.taint, lines, test.name)
            last = test.taint


def _explains(splat: Splat, letter: str, reading: _Reading) -> bool:
    return splat.lines.first <= reading.lines.last and letter in EXPLAINED.get(splat.kind, _ANY)


def _flag(bit: int) -> tuple[str, str]:
    return FLAGS[bit] if bit < len(FLAGS) else (f"[{bit}]", "unknown")


def _splat(reading: _Reading, bit: int) -> Splat:
    letter, cause = _flag(bit)
    where = f"after {reading.test}" if reading.test else "before the first test"
    flags = f"{reading.after} ({letters(reading.after)}) {where}, {reading.before} before that"
    return Splat(
        kind=KIND,
        title=f"taint flag {letter} ({cause}) without a report in the log",
        signature=f"{KIND} | {letter}",
        lines=reading.lines,
        excerpt=(f"/proc/sys/kernel/tainted: {flags}",),
        test=reading.test,
    )
