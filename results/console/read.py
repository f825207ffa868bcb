# SPDX-License-Identifier: GPL-2.0-only
"""Any console log or KTAP output as test results and reports of the kernel, whatever wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

from results.console.ktap import parse_ktap
from results.console.ktap_results import overall
from results.console.outcome import leaves_of
from results.console.protocol import LONGEST_LINE, Frame, marker_for, read_frame, unescape
from results.console.report import read_report
from results.console.transport import bare, unwrapped
from results.model.run import Leaf, PlannedTest, Splat, Status, TestResult
from results.splats.find import find_splats
from results.splats.kernel_log import KernelLog

Open = Callable[[], Iterable[str]]
"""Gives the lines of a log, from the first, as often as it is called."""

EXIT_GOOD, EXIT_BAD, EXIT_NOTHING = 0, 1, 3
MOST_BOOTS = 1000
MOST_TESTS = 10_000
_NONCE = re.compile(r"THP:([0-9A-Fa-f]{16}):")


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What a log says, or one boot of it that has the guest protocol."""

    file: str
    nonce: str
    """Of the guest protocol; empty where there is none."""
    tests: tuple[TestResult, ...]
    """Their leaves are the results; one test without a name where the log has no guest protocol."""
    splats: tuple[Splat, ...]
    notes: tuple[str, ...] = ()
    """What breaks the rules of the formats, or makes the log incomplete."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What some logs say."""

    logs: tuple[ReadLog, ...]
    exit_code: int
    """0 all is well, 1 failures or reports of the kernel, 3 nothing that passed, or results are missing."""


@dataclass(slots=True)
class _BootSpan:
    """The lines of one boot that has the guest protocol."""

    nonce: str
    first: int
    last: int = 0
    """0 for the end of the log."""
    greeted: bool = False
    planned: int = 0
    names: dict[int, str] = field(default_factory=dict)


def read_log(file: str, lines: Open) -> list[ReadLog]:
    """Read a log of any origin; each boot that has the guest protocol is one by itself."""
    boots = _find_boots(lines())
    if not boots:
        return [_read_plain(file, lines())]
    return [_read_boot(file, boot, lines()) for boot in boots]


def answer(logs: Sequence[ReadLog]) -> ReadAnswer:
    """Sum logs up."""
    codes = {_exit_code(log) for log in logs}
    worst = next((code for code in (EXIT_BAD, EXIT_NOTHING) if code in codes), EXIT_GOOD)
    return ReadAnswer(tuple(logs), worst)


def _exit_code(log: ReadLog) -> int:
    statuses = {test.status for test in log.tests}
    if log.splats or statuses & {Status.FAIL, Status.ERROR}:
        return EXIT_BAD
    return EXIT_GOOD if Status.PASS in statuses and Status.MISS not in statuses else EXIT_NOTHING


def _find_boots(lines: Iterable[str]) -> list[_BootSpan]:
    """Find the nonces that greet; of a log whose beginning is lost, those with a right checksum."""
    found: dict[str, _BootSpan] = {}
    for number, line in enumerate(lines, start=1):
        if "THP:" in line and (nonce := _NONCE.search(line)):
            frame = read_frame(unwrapped(line[:LONGEST_LINE]).rstrip("\r\n"), marker_for(nonce[1]))
            if isinstance(frame, Frame) and (nonce[1] in found or len(found) < MOST_BOOTS):
                _note_frame(found.setdefault(nonce[1], _BootSpan(nonce[1], number)), frame, number)
    boots = [boot for boot in found.values() if boot.greeted] or list(found.values())
    for boot, following in pairwise(boots):
        boot.last = following.first - 1
    if boots:
        boots[0].first, boots[-1].last = 1, 0
    return boots


def _note_frame(boot: _BootSpan, frame: Frame, number: int) -> None:
    verb, _, rest = frame.payload.partition(" ")
    if verb == "hello":
        boot.greeted = True
    elif verb in ("plan", "start"):
        count, _, name = rest.partition(" ")
        if count.isascii() and count.isdigit() and 0 < int(count[:9]) <= MOST_TESTS:
            boot.planned = max(boot.planned, int(count[:9]))
            if verb == "start":
                boot.names.setdefault(int(count[:9]), unescape(name))


def _read_boot(file: str, boot: _BootSpan, lines: Iterable[str]) -> ReadLog:
    names = [boot.names.get(number, f"test {number}") for number in range(1, boot.planned + 1)]
    planned = [PlannedTest(name, (), 0.0) for name in names]
    span = islice(lines, boot.first - 1, boot.last or None)
    report = read_report(map(unwrapped, span), boot.nonce, planned, first_line=boot.first)
    tests = tuple(replace(test, output=(), counters={}) for test in report.tests)
    return ReadLog(file, boot.nonce, tests, find_splats(report.kernel_lines), report.notes)


def _read_plain(file: str, lines: Iterable[str]) -> ReadLog:
    kernel = KernelLog()
    document = parse_ktap(_tee(lines, kernel), bare)
    leaves = leaves_of(document.results)
    status = overall(document)
    if document.bail_out:
        leaves = (*leaves, Leaf((), 0, Status.FAIL, f"Bail out! {document.bail_out}"))
        status = Status.FAIL
    elif status is Status.PASS and document.doubts:
        status = Status.MISS
    tests = (TestResult("", status, leaves=leaves),) if status else ()
    notes = (*document.problems, *filter(None, (kernel.missing(),)))
    return ReadLog(file, "", tests, find_splats(kernel.kept), notes)


def _tee(lines: Iterable[str], kernel: KernelLog) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        text = unwrapped(line[:LONGEST_LINE].rstrip("\r\n"))
        kernel.add(number, text, None)
        yield text
