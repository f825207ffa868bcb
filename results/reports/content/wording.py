# SPDX-License-Identifier: GPL-2.0-only
"""The phrases that all reports share, and the one way to show text that a guest wrote."""

from __future__ import annotations

from collections.abc import Mapping

from results.model.run import (
    ArchComparison,
    Cell,
    CounterChange,
    LineRange,
    Status,
    Subject,
    Tally,
    Verdict,
)
from results.text import amount, printable

SYMBOLS: Mapping[Verdict | Status, str] = {
    Verdict.UNCHANGED: "✓",
    Verdict.FIXED: "↑",
    Verdict.UNSUPPORTED: "–",
    Verdict.NOT_EXERCISED: "○",
    Verdict.FAILS_ON_BOTH: "⊗",
    Verdict.FLAKY: "≈",
    Verdict.INFRASTRUCTURE: "!",
    Verdict.REGRESSION: "✗",
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.SKIP: "–",
    Status.ERROR: "!",
    Status.MISS: "?",
    Status.DONE: "·",
}
"""Shapes that tell verdicts and statuses apart without colour; always shown beside the word."""

EXIT_MEANINGS: Mapping[int, str] = {
    0: "no regression; all tests exercised except known failures and gaps",
    1: "a regression",
    2: "wrong usage",
    3: "infrastructure failed, or a test was not exercised",
}


def unfinished(kind: str) -> str:
    """Say that a run, a walk, … has no complete results."""
    return f"the {kind} is still running, was interrupted, or lost a line of its journal"


def visible(text: str) -> str:
    """Spell out every character that does something instead of showing something.

    Control characters, direction overrides, zero-width characters and lone surrogates become
    escapes such as `\\x1b`; a tab becomes blanks.
    """
    return printable(text.expandtabs(8))


def series_name(subject: Subject) -> str:
    """Name the series, never without saying that it is a stand-in if it is one."""
    name = subject.series_title or subject.series
    return f"{name} [stand-in]" if subject.stand_in else name


def change(counter: CounterChange | None) -> str:
    """Show a counter's change: `+1`, `0`, `-2`, `absent`, or `unread` where none were read."""
    if counter is None:
        return "unread"
    if counter.delta is None:
        return "absent"
    return f"{counter.delta:+d}" if counter.delta else "0"


def place(log: str, lines: LineRange | None) -> str:
    """Name lines of a log as editors and people do: `logs/x.log:120-140`."""
    if lines is None:
        return log
    if lines.first == lines.last:
        return f"{log}:{lines.first}"
    return f"{log}:{lines.first}-{lines.last}"


count = amount
"""`1 boot`, `2 boots`: for templates."""


def moment(iso: str) -> str:
    """Show an ISO 8601 time of UTC as people write it."""
    for zone in ("Z", "+00:00"):
        if iso.endswith(zone):
            return iso.removesuffix(zone).replace("T", " ") + " UTC"
    return iso


def duration(seconds: float | None) -> str:
    """Show a duration as short as it can be read: `0.04 s`, `12 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds is None or not 0 <= seconds < float("inf"):
        return "unknown"
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def kernel_summary(arch: ArchComparison, variant: str, cell: Cell | None) -> str:
    """Say in a few words how far one kernel came: `16 of 16 exercised, 1 failing`."""
    if cell is None or cell.build is None:
        return "not built"
    if not cell.build.ok:
        return "build failed"
    if not cell.boots:
        return "not booted"
    if not arch.tests:
        return "not compared"
    tallies = [tally_of(test.base, test.series, variant) for test in arch.tests]
    words = f"{sum(tally.exercised for tally in tallies)} of {len(tallies)} exercised"
    failing = sum(tally.status in (Status.FAIL, Status.ERROR) for tally in tallies)
    return f"{words}, {failing} failing" if failing else words


def tally_of(base: Tally, series: Tally, variant: str) -> Tally:
    """Choose the tally of one variant."""
    return base if variant == "base" else series


def percent(share: float) -> str:
    """A share for people; only what really is 0 or 100 % is shown as that."""
    value = 100 * share
    if 0 < value < 0.1 or 99.9 < value < 100:
        return "< 0.1 %" if value < 50 else "> 99.9 %"
    return f"{value:.1f}".removesuffix(".0") + " %"
