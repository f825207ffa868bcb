# SPDX-License-Identifier: GPL-2.0-only
"""What one run of a test came to: the end of its process and the KTAP it printed, taken together.

The worse of the two wins: a program that prints only `ok` and exits with 1 has failed, and so has
one that prints `not ok` and exits with 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from results.console.ktap import KtapDocument, KtapResult, overall, parse_ktap, worst
from results.model.run import Status

_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip
_SPARC_SIGNALS = _SIGNALS | {7: "SIGEMT", 10: "SIGBUS", 12: "SIGSYS", 30: "SIGUSR1", 31: "SIGUSR2"}

_LOCATED = re.compile(r"#?\s*[\w./-]+\.(?:c|h|cc|cpp|sh|py):[0-9]+:")
_UNMET = re.compile(_LOCATED.pattern + r"[^:]*:Expected ")
_CHATTER = re.compile(
    r"#?\s*(?:$|RUN\b|OK\b|FAIL\b|SKIP\b|PASSED:|FAILED:|Totals:|Starting [0-9]+ tests|Planned tests|"
    r"timeout set to|overriding timeout|selftests:|K?TAP version|[0-9]+\.\.[0-9]+|ok\b|not ok\b|"
    r".*: Test (?:failed|terminated by assertion)$)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COMPLAINT = re.compile(r"\b(?:fail|error|timeout|timed out)", re.IGNORECASE)
_NOT_RUNNABLE = (126, 127)


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The `end` line of a test."""

    how: Literal["exit", "signal", "timeout"]
    number: int
    """Exit code, signal number, or the time limit in milliseconds."""
    milliseconds: int


def judge(end: ProcessEnd, output: Sequence[str], machine: str = "", says: str = "") -> tuple[Status, str]:
    """Return the status of a test and why it is not simply PASS; `says` is as in `PlannedTest`."""
    if end.how == "signal":
        return Status.FAIL, f"killed by {signal_name(end.number, machine)} ({end.number})"
    if end.how == "timeout":
        return Status.FAIL, f"timed out after {end.number / 1000:g} s"
    document = parse_ktap(output)
    if says and not document.results and not document.bail_out:
        return _judge_without_ktap(end.number, output, re.compile(says))
    return _judge_exit(end.number, document, output)


def signal_name(number: int, machine: str = "") -> str:
    """Name a signal as the guest's architecture numbers it."""
    names = _SPARC_SIGNALS if machine.startswith("sparc") else _SIGNALS
    return names.get(number, "signal")


def _judge_exit(code: int, document: KtapDocument, output: Sequence[str]) -> tuple[Status, str]:
    by_code, by_code_reason = _status_of_exit(code)
    by_ktap = overall(document)
    if by_ktap is None:
        return _judge_without_results(by_code, by_code_reason, document, output)
    status = worst((by_code, by_ktap))
    if status is Status.PASS:
        return status, _partial_skip(document)
    if by_ktap is not status and document.bail_out:
        return status, f"Bail out! {document.bail_out}"
    if by_ktap is Status.PASS or (by_ktap is Status.SKIP and status is not Status.SKIP):
        return status, f"{by_code_reason}, although its results say {by_ktap}"
    return status, _reason_of_results(document, by_ktap)


def _status_of_exit(code: int) -> tuple[Status, str]:
    """Translate kselftest's exit codes."""
    match code:
        case 0 | 2:
            return Status.PASS, ""
        case 3:
            return Status.FAIL, "exit code 3: passed, but was expected to fail"
        case 4:
            return Status.SKIP, "exit code 4: skipped"
        case _ if code in _NOT_RUNNABLE:
            return Status.ERROR, f"exit code {code}: the program could not be run"
        case _:
            return Status.FAIL, f"exit code {code}"


def _judge_without_results(
    by_code: Status, by_code_reason: str, document: KtapDocument, output: Sequence[str]
) -> tuple[Status, str]:
    if document.bail_out:
        return worst((by_code, Status.ERROR)), f"Bail out! {document.bail_out}"
    if by_code is Status.PASS:
        return Status.MISS, "printed no result"
    said = telling_line(output)
    return by_code, f"{by_code_reason}: {said}" if said else by_code_reason


def _judge_without_ktap(code: int, output: Sequence[str], says: re.Pattern[str]) -> tuple[Status, str]:
    """Judge a program that speaks no KTAP: by its exit status, if it said that it did something."""
    plain = [part for line in output for part in _COLOUR.sub("", line).split("\r")]
    status, reason = _status_of_exit(code)
    did_something = any(says.search(line) for line in plain)
    if status is Status.PASS:
        return (status, "") if did_something else (Status.MISS, f"no line of its output has '{says.pattern}'")
    if status is Status.SKIP and did_something:
        status, reason = Status.FAIL, f"exit code {code}"
    said = telling_line([line for line in plain if _COMPLAINT.search(line)] or plain)
    return status, f"{reason}: {said}" if said else reason


def _partial_skip(document: KtapDocument) -> str:
    skipped = [leaf for leaf in _leaves(document.results) if leaf.status is Status.SKIP]
    if not skipped:
        return ""
    total = sum(1 for _ in _leaves(document.results))
    why = skipped[0].reason or skipped[0].name or "no reason given"
    return f"{len(skipped)} of {total} results skipped: {why}"


def _reason_of_results(document: KtapDocument, status: Status) -> str:
    if status is Status.MISS:
        rows = list(_leaves(document.results))
        missing = sum(1 for row in rows if row.status is Status.MISS)
        return f"{missing} of {len(rows)} planned results are missing"
    first = next((leaf for leaf in _leaves(document.results) if leaf.status is status), None)
    if first is None:
        # Only a parent says so: look at the parents themselves.
        first = next((result for result in document.results if result.status is status), None)
    return _reason_of(first) if first else ""


def _reason_of(result: KtapResult) -> str:
    if result.status is Status.SKIP:
        return result.reason or result.name or "skipped without a reason"
    said = telling_line(result.diagnostics)
    own = f"{result.directive} {result.reason}".strip()
    if said and _LOCATED.match(said):
        return said
    return own or said or f"not ok {result.number} {result.name}".strip()


def telling_line(lines: Sequence[str]) -> str:
    """Return the line that says most of a failure.

    That is the first expectation of kselftest_harness that was not met; of other notes the last,
    for a program says what is wrong just before it gives up.
    """
    telling = [line for line in lines if not _CHATTER.match(line)]
    located = [line for line in telling if _LOCATED.match(line)]
    unmet = [line for line in located if _UNMET.match(line)]
    best = unmet[0] if unmet else located[-1] if located else telling[-1] if telling else ""
    return best.lstrip("#").strip()


def _leaves(results: Sequence[KtapResult]) -> Iterator[KtapResult]:
    for result in results:
        if result.children:
            yield from _leaves(result.children)
        else:
            yield result
