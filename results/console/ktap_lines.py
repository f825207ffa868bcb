# SPDX-License-Identifier: GPL-2.0-only
"""One line of KTAP (Documentation/dev-tools/ktap.rst of the kernel) or TAP 13, by itself."""

from __future__ import annotations

import re

from results.model.run import Status
from results.text import without_printk_prefix

PREFIX = re.compile(r"(?:# | |\t)*")
"""Nesting is by indentation, or by what the kselftest runner puts before the lines of the tests it runs."""
VERSION = re.compile(r"K?TAP version [0-9]+\s*$")
SUBTEST = re.compile(r"# Subtest: ")
"""What KUnit of Linux 5.x has in place of a nested version line."""
PLAN = re.compile(r"1\.\.([0-9]{1,9})(?![0-9.])\s*(?:#\s*(.*))?$")
RESULT = re.compile(
    r"(?P<word>ok|not ok)"
    r"(?:\s+(?P<number>[0-9]{1,9})(?:[.:)](?=\s|$)|(?![0-9A-Za-z_.]))|(?=\s+[-#]|$)|(?<=not ok)(?=\s))"
    r"(?:\s+-\s|\s+-$)?(?P<description>.*)$"
)
"""TAP 13 lets the number be left out. `ok` without one is too often prose, `not ok` is not."""
BAIL_OUT = re.compile(r"Bail out!\s*(.*)$")

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x00")
_HIDDEN = re.compile(r"""(?<!["'`\w])(?:not\s+ok\b|Bail out!)""", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\\."
    r"|(?P<directive>#\s*(?P<word>SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)(?:[\s:]+|$))"
    r"|(?P<remark>(?:(?<=\s)|^)#(?:\s+|$))",
    re.IGNORECASE,
)


def may_tell(line: str) -> bool:
    """Tell whether a line can be anything but text; quick, for logs of gigabytes."""
    # Not any(): this is the only thing that is done with most lines.
    return (
        "ok" in line or "1.." in line or "OK" in line or "TAP v" in line or "Bail" in line or "Subt" in line
    )


def plain_lines(line: str) -> list[str]:
    """Take printk's prefix and colours off a line; a carriage return begins a line of its own."""
    text = _ESCAPE.sub("", line.rstrip("\r\n"))
    return [without_printk_prefix(part) for part in text.split("\r")]


def hides_failure(line: str) -> bool:
    """Tell whether a line that is no result may have been meant as one that failed; diagnostics quote."""
    return not line.lstrip().startswith("#") and bool(_HIDDEN.search(line))


def split_description(text: str) -> tuple[str, str, str]:
    """Split `name # DIRECTIVE reason` into its three parts."""
    for match in _SEPARATOR.finditer(text):
        if match["directive"] or match["remark"]:
            name, rest = text[: match.start()].strip(), text[match.end() :].strip()
            directive = (match["word"] or "").upper().replace("SKIPPED", "SKIP")
            return _unescaped(name), directive, rest
    return _unescaped(text), "", ""


def _unescaped(name: str) -> str:
    return re.sub(r"\\([#\\])", r"\1", name)


def status_of(ok: bool, directive: str) -> Status:
    """Map a result line to a status; TODO never counts as green, XFAIL fails as it was expected to."""
    match directive:
        case "SKIP" | "TODO":
            return Status.SKIP
        case "XFAIL":
            return Status.PASS
        case "XPASS" | "TIMEOUT":
            return Status.FAIL
        case "ERROR":
            return Status.ERROR
        case _:
            return Status.PASS if ok else Status.FAIL
