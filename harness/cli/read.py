# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness read`: what any console log or KTAP output says."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, console, print_json
from harness.core.errors import UsageError
from results.files import DAMAGED, lines_of, open_plain
from results.text import amount

if TYPE_CHECKING:
    from rich.console import Console

    from results.console.read import ReadLog
    from results.model.run import LineRange

SCHEMA = "thp-harness/read/1"
STDIN = "-"
_MOST_BYTES = 1 << 30
"""Of a log, packed or not."""
SHOWN = 20
"""Lines about failures, and about reports of the kernel, of one log; `--all` prints the others."""
SKIPS_SHOWN = 3
_PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
"""How the files begin that these read (RFC 1952, the manuals of bzip2 and xz)."""
_STYLES = {"FAIL": "bold red", "ERROR": "bold red", "REPORT": "bold red", "MISS": "yellow", "SKIP": "yellow",
           "PASS": "green"}  # fmt: skip
Row = tuple["LineRange | None", str, str, str]
"""Lines, word, name and reason."""


@click.command("read")
@click.argument(
    "logs",
    nargs=-1,
    required=True,
    metavar="LOG…",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option("--all", "show_all", is_flag=True, help="List all results, also those that passed.")
@as_json_option
def read_command(logs: tuple[str, ...], show_all: bool, as_json: bool) -> int:
    """Find test results and kernel reports in any log.

    LOG is a file (also of gzip, bzip2 or xz), or - for stdin: a serial console, a journal, the log of a
    LAVA job, a mail, the output of a selftest.

    Exit status: 0 all results are good; 1 failures, or reports of the kernel; 2 usage; 3 no result that
    passed, or results are missing.
    """
    from results.console.read import answer, read_log
    from results.model.document import plain

    found = []
    for name in dict.fromkeys(logs):
        with _opened(name) as lines:
            found += read_log("stdin" if name == STDIN else name, lines)
    said = answer(found)
    if as_json:
        print_json({"schema": SCHEMA, **plain(said)})
    else:
        for log in found:
            _print(console(), log, show_all)
    return said.exit_code


@contextmanager
def _opened(name: str) -> Iterator[Callable[[], Iterator[str]]]:
    """Give a function that reads a log from its first line.

    Raises:
        UsageError: for a compressed file that is damaged.
    """
    with tempfile.TemporaryFile() if name == STDIN else _plain(name) as raw:
        if name == STDIN:
            _copy_stdin(raw)

        def lines() -> Iterator[str]:
            raw.seek(0)
            head = raw.read(6)
            raw.seek(0)
            unpack = next((unpack for magic, unpack in _PACKED if head.startswith(magic)), None)
            text = TextIOWrapper(unpack(raw) if unpack else raw, "utf-8", "replace", newline="\n")
            try:
                yield from lines_of(text, lambda: _too_large(name), _MOST_BYTES)
            finally:
                text.detach()

        try:
            yield lines
        except DAMAGED as error:
            raise UsageError(f"{name}: the compressed file is damaged: {error}") from None


def _plain(name: str) -> IO[bytes]:
    try:
        return open_plain(Path(name), _MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", hint="A pipe can be read as -, stdin.") from None


def _copy_stdin(raw: IO[bytes]) -> None:
    left = _MOST_BYTES
    while content := sys.stdin.buffer.read(1 << 20):
        left -= len(content)
        if left < 0:
            raise _too_large("stdin")
        raw.write(content)


def _too_large(name: str) -> UsageError:
    return UsageError(f"{name}: more than {_MOST_BYTES >> 20} MiB", hint="Cut out the boots in question.")


def _print(out: Console, log: ReadLog, show_all: bool) -> None:
    """Print reports of the kernel, failures and skips with their lines, then one line of sums."""
    reports: list[Row] = [
        (splat.lines, "REPORT", splat.title, f"[{splat.signature}]{_while(splat.test)}")
        for splat in log.splats
    ]
    rows = _rows(log)
    bad = [row for status in ("FAIL", "ERROR", "MISS") for row in rows.get(status, [])]
    for some in (reports, bad):
        for row in some if show_all else some[:SHOWN]:
            _print_row(out, log.file, *row)
        if len(some) > SHOWN and not show_all:
            out.print(f"{log.file}: … {len(some) - SHOWN} more (--all)", soft_wrap=True, markup=False)
    if show_all:
        for row in (*rows.get("SKIP", []), *rows.get("PASS", [])):
            _print_row(out, log.file, *row)
    else:
        _print_skips(out, log.file, Counter(row[3] for row in rows.get("SKIP", [])))
    _print_sums(out, log, {status: len(some) for status, some in rows.items()})


def _rows(log: ReadLog) -> dict[str, list[Row]]:
    """Every leaf by its status, and every test that has none of its own status."""
    rows: dict[str, list[Row]] = {}
    for test in log.tests:
        missing = [leaf for leaf in test.leaves if leaf.status == "MISS" and leaf.path and not leaf.path[-1]]
        if missing:
            words = f"{amount(len(missing), 'planned result')} never came"
            rows.setdefault("MISS", []).append((test.lines, "MISS", test.name, words))
        for leaf in (leaf for leaf in test.leaves if leaf not in missing):
            name = ": ".join(filter(None, (test.name, leaf.name)))
            rows.setdefault(leaf.status, []).append(
                (leaf.lines or test.lines, leaf.status, name, leaf.reason)
            )
        if not any(leaf.status is test.status for leaf in test.leaves):
            rows.setdefault(test.status, []).append((test.lines, test.status, test.name, test.reason))
    return rows


def _while(test: str | None) -> str:
    return f" while {test} ran" if test else ""


def _print_row(out: Console, file: str, lines: LineRange | None, word: str, name: str, why: str) -> None:
    from rich.text import Text

    from results.text import printable

    place = f"{file}:{lines.first}" if lines else file
    until = f"-{lines.last}" if lines and lines.last != lines.first else ""
    row = Text.assemble(
        (f"{place}{until}: ", "dim"), (word, _STYLES.get(word, "")), " ", (printable(name), "bold")
    )
    if why and why != name:
        row.append(f" {printable(why)}" if not name else f": {printable(why)}")
    out.print(row, soft_wrap=True)


def _print_skips(out: Console, file: str, reasons: Counter[str]) -> None:
    for reason, times in reasons.most_common(SKIPS_SHOWN):
        _print_row(out, file, None, "SKIP", amount(times, "result"), reason or "no reason")


def _print_sums(out: Console, log: ReadLog, counts: dict[str, int]) -> None:
    words = {
        "FAIL": "failed",
        "ERROR": "without an end",
        "MISS": "missing",
        "SKIP": "skipped",
        "PASS": "passed",
    }
    sums = [f"{counts[status]} {word}" for status, word in words.items() if counts.get(status)]
    reports = f"{amount(len(log.splats), 'report')} of the kernel"
    protocol = f" (boot {log.nonce})" if log.nonce else ""
    said = ", ".join([reports, *sums] if sums else [reports, "no test results"])
    out.print(f"{log.file}{protocol}: {said}", soft_wrap=True, markup=False, highlight=False)
    for note in log.notes[:SKIPS_SHOWN]:
        out.print(f"{log.file}: note: {note}", soft_wrap=True, markup=False, highlight=False)
