# SPDX-License-Identifier: GPL-2.0-only
"""A boot's console log, decoded by the guest protocol (docs/guest-protocol.md).

The log is untrusted and may be enormous. It is read once, line by line; what is kept is the
tests' own output, which the guest caps, and the kernel's lines within the limits of `kernel_log`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from results.console.guest_test import GuestTest, counter_changes, parse_counters, parse_end
from results.console.outcome import judge, judge_unfinished
from results.console.protocol import (
    LONGEST_LINE,
    CorruptFrame,
    ForeignFrame,
    Frame,
    checksum,
    marker_for,
    read_frame,
    unescape,
)
from results.model.run import Capabilities, LineRange, PlannedTest, Status, TestResult
from results.splats.kernel_log import KernelLine, KernelLog
from results.text import printable, without_printk_prefix

PROTOCOL_VERSION = "1"
MOST_NOTES = 50
MOST_FACTS = 1000
LINES_REMEMBERED = 1 << 16
"""Lines back: a repeated line that is older cannot be told from a forged one; neither counts."""
_EXCERPT = 120
_TAINT = re.compile(r"([0-9]{1,9}) ([0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class BootReport:
    """What one boot said."""

    capabilities: Capabilities | None
    """None if the guest never got as far as its probe."""
    tests: tuple[TestResult, ...]
    """One for each planned test, in the plan's order."""
    done: bool
    """Whether the guest program reported its end."""
    started: bool
    """Whether the guest program reported its first test."""
    kernel_lines: tuple[KernelLine, ...]
    notes: tuple[str, ...]
    """Lost, forged and corrupt lines, and what the guest program complained about."""
    taint: int | None = None
    """Taint flags before the first test."""
    log_incomplete: str = ""
    """What is missing of the log, as far as the protocol and our own limits tell."""


@dataclass(slots=True)
class _Reading:
    """The state of the decoder between two lines."""

    planned: Sequence[PlannedTest]
    signals: Mapping[str, str]
    line: int = 0
    tests: dict[int, GuestTest] = field(default_factory=dict)
    """Everything known of the tests that were seen, by their number in the plan."""
    running: int | None = None
    last_seq: int = 0
    seen: dict[int, tuple[int, int | None]] = field(default_factory=dict)
    """Checksum and running test of the last lines that counted, by SEQ."""
    lost: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    taints: dict[int, int] = field(default_factory=dict)
    """Taint flags after each test; 0 is before the first."""
    done: bool = False
    notes: list[str] = field(default_factory=list)
    unsaid_notes: int = 0
    kernel: KernelLog = field(default_factory=KernelLog)


def read_report(
    lines: Iterable[str],
    nonce: str,
    planned: Sequence[PlannedTest],
    signals: Mapping[str, str] | None = None,
    first_line: int = 1,
) -> BootReport:
    """Decode a console log.

    `planned` are the tests of this boot's manifest, in its order; `signals` are as in `BootFact`.
    `first_line` is the number of the first of the lines in the log.
    """
    reading = _Reading(planned, signals or {})
    marker = marker_for(nonce)
    for number, line in enumerate(lines, start=first_line):
        reading.line = number
        text = line[:LONGEST_LINE].rstrip("\r\n")
        match read_frame(text, marker):
            case Frame() as frame:
                _take_frame(reading, frame)
            case CorruptFrame():
                _note(reading, f"corrupt, does not count: {_shown(text)}")
                _damage(reading, reading.running, "a line of it is corrupt")
                _take_kernel_line(reading, text)
            case ForeignFrame():
                _note(reading, f"wrong nonce, does not count: {_shown(text)}")
                _take_kernel_line(reading, text)
            case None:
                _take_kernel_line(reading, text)
    return _report(reading)


def _take_kernel_line(reading: _Reading, text: str) -> None:
    reading.kernel.add(reading.line, text, _name(reading, reading.running))


def _take_frame(reading: _Reading, frame: Frame) -> None:
    if without_printk_prefix(frame.before).strip():
        _take_kernel_line(reading, frame.before)
    if not _is_next(reading, frame):
        return
    verb, _, rest = frame.payload.partition(" ")
    if reading.done:
        _note(reading, f"after the end, does not count: {_shown(frame.payload)}")
    elif verb in ("start", "before", "out", "out+", "cut", "after", "end"):
        _take_line_of_test(reading, verb, rest)
    elif verb == "taint":
        _take_taint(reading, rest)
    elif verb == "gcov":
        pass  # for `results.console.gcov`
    else:
        _take_line_of_boot(reading, verb, rest)
    reading.seen[frame.seq] = (checksum(frame.seq, frame.payload), reading.running)
    if len(reading.seen) > LINES_REMEMBERED:
        del reading.seen[next(iter(reading.seen))]


def _is_next(reading: _Reading, frame: Frame) -> bool:
    """Check the sequence number; a line that was there before, or comes too late, never counts."""
    if frame.seq <= reading.last_seq:
        _refuse_repetition(reading, frame)
        return False
    lost = frame.seq - reading.last_seq - 1
    if lost:
        reading.lost += lost
        _note(
            reading,
            f"{lost} lines of the guest program are lost (SEQ {reading.last_seq + 1} to {frame.seq - 1})",
        )
        _damage(reading, reading.running, f"{lost} of its lines are lost")
    reading.last_seq = frame.seq
    return True


def _refuse_repetition(reading: _Reading, frame: Frame) -> None:
    crc, owner = reading.seen.get(frame.seq, (None, None))
    if crc == checksum(frame.seq, frame.payload):
        _note(reading, f"SEQ {frame.seq} is there twice; the second does not count")
        return
    _note(reading, f"SEQ {frame.seq} came too late or is forged, does not count: {_shown(frame.payload)}")
    for number in {owner, reading.running}:
        _damage(reading, number, f"line SEQ {frame.seq} of it is there twice and differs")


def _take_line_of_boot(reading: _Reading, verb: str, rest: str) -> None:
    match verb:
        case "hello":
            if rest != PROTOCOL_VERSION:
                _note(reading, f"protocol version {_shown(rest)}, but this program reads {PROTOCOL_VERSION}")
        case "probe":
            key, _, value = rest.partition(" ")
            if len(reading.facts) < MOST_FACTS:
                reading.facts[unescape(key)] = unescape(value)
        case "plan":
            if rest != str(len(reading.planned)):
                _note(
                    reading,
                    f"the guest program plans {_shown(rest)} tests, the harness {len(reading.planned)}",
                )
        case "error":
            _note(reading, f"the guest program says: {printable(unescape(rest))}")
        case "done":
            reading.done = True
            if rest != str(len(reading.tests)):
                _note(reading, f"the guest program ran {_shown(rest)} tests, {len(reading.tests)} were seen")
        case _:
            _note(reading, f"not understood: {_shown(verb)}")


def _take_taint(reading: _Reading, rest: str) -> None:
    found = _TAINT.fullmatch(rest)
    if found and int(found[1]) <= len(reading.planned):
        reading.taints[int(found[1])] = int(found[2])
    else:
        _note(reading, f"not understood: taint {_shown(rest)}")


def _take_line_of_test(reading: _Reading, verb: str, rest: str) -> None:
    number_text, _, rest = rest.partition(" ")
    number = (
        int(number_text) if number_text.isascii() and number_text.isdigit() and len(number_text) < 10 else 0
    )
    if not 1 <= number <= len(reading.planned):
        _note(reading, f"no test of the plan: {_shown(verb)} {_shown(number_text)}")
    elif verb == "start":
        _start(reading, number, unescape(rest))
    else:
        _take_line_of_running_test(reading, number, verb, rest)


def _start(reading: _Reading, number: int, name: str) -> None:
    if reading.running is not None:
        _note(reading, f"{_name(reading, reading.running)} has no end line")
        _damage(reading, reading.running, "its end line never came")
    if number in reading.tests:
        _note(reading, f"{_name(reading, number)} starts a second time")
        _damage(reading, number, "it started twice")
        return
    reading.tests[number] = GuestTest(first_line=reading.line)
    reading.running = number
    if name != _name(reading, number):
        _note(
            reading,
            f"test {number} of the plan is {_name(reading, number)}, the guest program ran {_shown(name)}",
        )
        _damage(reading, number, "the guest program ran another test under its number")


def _take_line_of_running_test(reading: _Reading, number: int, verb: str, rest: str) -> None:
    if number not in reading.tests:
        reading.tests[number] = GuestTest(first_line=reading.line)
        reading.running = number
        _damage(reading, number, "its start line is lost")
    test = reading.tests[number]
    test.last_line = reading.line
    if number != reading.running and verb != "after":
        _note(reading, f"{verb} for {_name(reading, number)}, which is not running")
        _damage(reading, number, "lines came while it was not running")
        return
    match verb:
        case "out" | "out+":
            test.take_output(rest, reading.line, goes_on=verb == "out+")
        case "cut":
            test.cut = unescape(rest)
            _note(
                reading,
                f"{_shown(test.cut)} bytes of the output of {_name(reading, number)} were thrown away",
            )
        case "before" | "after":
            _take_counters(reading, number, verb, rest)
        case "end":
            _end(reading, number, rest)


def _take_counters(reading: _Reading, number: int, verb: str, rest: str) -> None:
    counters, unread = parse_counters(rest)
    reading.tests[number].take_counters(verb, counters)
    for text in unread:
        _note(reading, f"not a counter: {_shown(text)}")


def _end(reading: _Reading, number: int, rest: str) -> None:
    end = parse_end(rest)
    reading.running = None
    if end is None:
        _note(reading, f"not understood: end {_shown(rest)}")
        _damage(reading, number, "its end line can't be read")
        return
    reading.tests[number].end = end


def _note(reading: _Reading, text: str) -> None:
    if len(reading.notes) < MOST_NOTES:
        reading.notes.append(f"console line {reading.line}: {text}")
    else:
        reading.unsaid_notes += 1


def _shown(text: str) -> str:
    return printable(text[:_EXCERPT])


def _name(reading: _Reading, number: int | None) -> str | None:
    return None if number is None else reading.planned[number - 1].name


def _damage(reading: _Reading, number: int | None, why: str) -> None:
    """Remember that the record of a test can't be trusted; a PASS that rests on it does not stand."""
    if number is not None and number in reading.tests:
        reading.tests[number].damage = reading.tests[number].damage or why


def _report(reading: _Reading) -> BootReport:
    capabilities = _capabilities(reading.facts)
    tests = tuple(
        replace(_result(reading, number), taint=reading.taints.get(number))
        for number in range(1, len(reading.planned) + 1)
    )
    notes = list(reading.notes)
    if reading.unsaid_notes:
        notes.append(f"… and {reading.unsaid_notes} more of the kind")
    return BootReport(
        capabilities,
        tests,
        reading.done,
        bool(reading.tests),
        tuple(reading.kernel.kept),
        tuple(notes),
        taint=reading.taints.get(0),
        log_incomplete=_missing(reading),
    )


def _missing(reading: _Reading) -> str:
    lost = f"{reading.lost} lines of the guest program are lost" if reading.lost else ""
    return "; ".join(filter(None, (lost, reading.kernel.missing())))


def _capabilities(facts: Mapping[str, str]) -> Capabilities | None:
    if not facts:
        return None
    return Capabilities(
        release=facts.get("release", ""),
        machine=facts.get("machine", ""),
        page_size=_bytes(facts.get("page_size", "")),
        pmd_size=_bytes(facts.get("pmd_size", "")),
        thp=facts.get("thp") == "1",
        facts=facts,
    )


def _bytes(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _result(reading: _Reading, number: int) -> TestResult:
    name = reading.planned[number - 1].name
    test = reading.tests.get(number)
    if test is None:
        return TestResult(name, Status.MISS, _why_never_started(reading, number))
    test.finish_output()
    output = tuple(test.output)
    if test.end is None:
        return _result_without_end(reading, number, test)
    judged = judge(test.end, output, reading.planned[number - 1].says, test.cut, reading.signals)
    status, reason = judged.status, judged.reason
    if test.damage and status is Status.PASS:
        status, reason = Status.ERROR, f"would be PASS, but {test.damage}"
    elif test.cut and status is Status.MISS and "thrown away" not in reason:
        reason = f"{reason}; {test.cut} bytes of its output were thrown away"
    return TestResult(
        name,
        status,
        reason,
        test.end.milliseconds / 1000,
        counter_changes(test.before, test.after),
        output,
        LineRange(test.first_line, max(test.first_line, test.last_line)),
        test.in_console(judged.leaves),
    )


def _result_without_end(reading: _Reading, number: int, test: GuestTest) -> TestResult:
    """The guest died in the test, unless it went on to another; then only the end line is missing."""
    died = reading.running == number and not reading.done
    reason = "the guest died in this test" if died else test.damage or "its end line never came"
    last = reading.line if died else max(test.first_line, test.last_line)
    output = tuple(test.output)
    return TestResult(
        reading.planned[number - 1].name,
        Status.ERROR,
        reason,
        output=output,
        lines=LineRange(test.first_line, last),
        leaves=test.in_console(judge_unfinished(output, reason).leaves),
    )


def _why_never_started(reading: _Reading, number: int) -> str:
    if reading.lost and (reading.done or any(other > number for other in reading.tests)):
        return f"no line of it arrived; {reading.lost} lines of the guest program are lost"
    return "never started"
