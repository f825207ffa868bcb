# SPDX-License-Identifier: GPL-2.0-only
"""What one run of a test came to: the end of its process and the KTAP it printed, taken together.

The worse of the two wins: a program that prints only `ok` and exits with 1 has failed, and so has
one that prints `not ok` and exits with 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from results.console.ktap import parse_ktap
from results.console.ktap_results import KtapDocument, KtapResult, overall, sum_up, worst
from results.model.run import Leaf, LineRange, Status

_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip
"""The numbers of most architectures, include/uapi/asm-generic/signal.h."""

_LOCATED = re.compile(r"#?\s*[\w./-]+\.(?:c|h|cc|cpp|sh|py):[0-9]+:")
_UNMET = re.compile(_LOCATED.pattern + r"[^:]*:Expected ")
_CHATTER = re.compile(
    r"#?\s*(?:$|RUN\b|OK\b|FAIL\b|SKIP\b|PASSED:|FAILED:|Totals:|Starting [0-9]+ tests|Planned tests|"
    r"timeout set to|overriding timeout|selftests:|K?TAP version|[0-9]+\.\.[0-9]+|ok\b|not ok\b|"
    r".*: Test (?:failed|terminated by assertion)$)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COMPLAINT = re.compile(r"\b(?:fail|error|timeout|timed out)", re.IGNORECASE)
_COUNT_OF_FAILURES = re.compile(r"^[0-9]+ (?:out )?of [0-9]+ (?:sub)?tests failed")
_NOT_RUNNABLE = (126, 127)
_NO_RESULTS = KtapDocument(None, ())


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The `end` line of a test."""

    how: Literal["exit", "signal", "timeout"]
    number: int
    """Exit code, signal number, or the time limit in milliseconds."""
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one run of a test came to."""

    status: Status
    reason: str = ""
    """Why it is not simply PASS."""
    leaves: tuple[Leaf, ...] = ()
    """As in `TestResult`; their lines count the lines of the output, from 1."""


def judge(
    end: ProcessEnd,
    output: Sequence[str],
    says: str = "",
    cut: str = "",
    signals: Mapping[str, str] | None = None,
) -> Judgement:
    """Judge one run of a test.

    `says` is as in `PlannedTest`, `signals` are as in `BootFact`, and `cut` is the number of bytes of output
    that were thrown away.
    """
    document = parse_ktap(output)
    leaves = leaves_of(document.results)
    own, own_reason = _judge_end(end, document, output, signals or {}, says, cut)
    if own is not None:
        leaves = (*leaves, Leaf((), 0, own, own_reason))
    by_ktap = overall(document)
    if own is not None and _says_more(own, by_ktap, end):
        return Judgement(own, own_reason, leaves)
    if by_ktap is None:
        return Judgement(Status.PASS)
    reason = _partial_skip(document) if by_ktap is Status.PASS else _reason_of_results(document, by_ktap)
    return Judgement(by_ktap, reason, leaves)


def _says_more(own: Status, by_ktap: Status | None, end: ProcessEnd) -> bool:
    """Tell whether the end of the process is the reason to show; a failed result says more than an exit."""
    if by_ktap is None:
        return True
    return worst((own, by_ktap)) is own and not (own is by_ktap and end.how == "exit")


def judge_unfinished(output: Sequence[str], reason: str) -> Judgement:
    """Judge a run whose end was never seen."""
    leaves = leaves_of(parse_ktap(output).results)
    return Judgement(Status.ERROR, reason, (*leaves, Leaf((), 0, Status.ERROR, reason)))


def _judge_end(
    end: ProcessEnd,
    document: KtapDocument,
    output: Sequence[str],
    signals: Mapping[str, str],
    says: str,
    cut: str,
) -> tuple[Status | None, str]:
    """Judge how the process ended; None where the results say the same."""
    if end.how == "signal":
        return Status.FAIL, f"killed by {_signal_name(end.number, signals)} ({end.number})"
    if end.how == "timeout":
        return Status.FAIL, f"timed out after {end.number / 1000:g} s"
    if document.bail_out and not _is_a_count_of_failures(document):
        return Status.FAIL, f"Bail out! {document.bail_out}"
    if document.results:
        return _judge_end_with_results(end.number, document, cut)
    if says:
        status, reason = _judge_without_ktap(end.number, output, re.compile(says))
        if status is Status.PASS and document.doubts:
            status, reason = Status.MISS, f"would be PASS, but {document.doubts[0]}"
    else:
        status, reason = _judge_without_results(end.number, document, output)
    return (status, reason) if status is not Status.PASS else (None, "")


def _is_a_count_of_failures(document: KtapDocument) -> bool:
    """Tell whether `Bail out!` only sums up failures that are all there, as many of mm's selftests end.

    They call `ksft_exit_fail_msg("%d out of %d tests failed")`, e.g. ksm_functional_tests.c of Linux 6.12.
    """
    rows = list(_rows(document.results))
    failed = sum(1 for row in rows if row.status is Status.FAIL)
    said = _COUNT_OF_FAILURES.search(document.bail_out or "")
    return bool(said and failed) and not any(row.status is Status.MISS for row in rows)


def _judge_end_with_results(code: int, document: KtapDocument, cut: str) -> tuple[Status | None, str]:
    by_code, reason = _status_of_exit(code, document)
    by_ktap = overall(document)
    assert by_ktap is not None, "there are results"
    if by_code is not by_ktap and worst((by_code, by_ktap)) is by_code:
        if by_ktap in (Status.PASS, Status.SKIP):
            return by_code, f"{reason}, although its results say {by_ktap}"
        return by_code, _reason_of_results(document, by_ktap)
    if doubt := _doubt(document, cut):
        return Status.MISS, f"would be PASS, but {doubt}" if by_ktap is Status.PASS else doubt
    return None, ""


def _doubt(document: KtapDocument, cut: str) -> str:
    """Say what might hide a failure, even if all results are good."""
    if document.doubts:
        return document.doubts[0]
    if cut and document.plan is None:
        return f"{cut} bytes of its output were thrown away, and it has no plan"
    return ""


def _signal_name(number: int, signals: Mapping[str, str]) -> str:
    return signals.get(str(number)) or _SIGNALS.get(number, "signal")


def _status_of_exit(code: int, document: KtapDocument) -> tuple[Status, str]:
    """Translate kselftest's exit codes (tools/testing/selftests/kselftest.h).

    Its runner of Linux 6.12 takes 2, which is to mean an expected failure, for `not ok # exit=2`. It
    counts here if a result says which failure that is: 2 is the code of wrong usage, too.
    """
    match code:
        case 0:
            return Status.PASS, ""
        case 2 if any(row.directive == "XFAIL" for row in _rows(document.results)):
            return Status.PASS, ""
        case 3:
            return Status.FAIL, "exit code 3: passed, but was expected to fail"
        case 4:
            return Status.SKIP, "exit code 4: skipped"
        case _ if code in _NOT_RUNNABLE:
            return Status.ERROR, f"exit code {code}: the program could not be run"
        case _:
            return Status.FAIL, f"exit code {code}"


def _judge_without_results(code: int, document: KtapDocument, output: Sequence[str]) -> tuple[Status, str]:
    status, reason = _status_of_exit(code, document)
    if status is Status.PASS:
        return Status.MISS, "printed no result"
    said = telling_line(output)
    return status, f"{reason}: {said}" if said else reason


def _judge_without_ktap(code: int, output: Sequence[str], says: re.Pattern[str]) -> tuple[Status, str]:
    """Judge a program that speaks no KTAP: by its exit status, if it said that it did something."""
    plain = [part for line in output for part in _COLOUR.sub("", line).split("\r")]
    status, reason = _status_of_exit(code, _NO_RESULTS)
    did_something = any(says.search(line) for line in plain)
    if status is Status.PASS:
        return (status, "") if did_something else (Status.MISS, f"no line of its output has '{says.pattern}'")
    if status is Status.SKIP and did_something:
        status, reason = Status.FAIL, f"exit code {code}"
    said = telling_line([line for line in plain if _COMPLAINT.search(line)] or plain)
    return status, f"{reason}: {said}" if said else reason


def _partial_skip(document: KtapDocument) -> str:
    skipped = [leaf for leaf in _rows(document.results) if leaf.status is Status.SKIP]
    if not skipped:
        return ""
    total = sum(1 for _ in _rows(document.results))
    why = skipped[0].reason or skipped[0].name or "no reason given"
    return f"{len(skipped)} of {total} results skipped: {why}"


def _reason_of_results(document: KtapDocument, status: Status) -> str:
    if status is Status.MISS:
        rows = list(_rows(document.results))
        missing = sum(1 for row in rows if row.status is Status.MISS)
        return f"{missing} of {len(rows)} planned results are missing"
    first = next((leaf for leaf in _rows(document.results) if leaf.status is status), None)
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
    return own or said or " ".join(filter(None, ("not ok", str(result.number or ""), result.name)))


def telling_line(lines: Sequence[str]) -> str:
    """Return the line that says most of a failure.

    That is the first expectation of kselftest_harness that was not met; of other notes the last,
    for a program says what is wrong just before it gives up.
    """
    telling = [line.strip() for line in lines if not _CHATTER.match(line.strip())]
    located = [line for line in telling if _LOCATED.match(line)]
    unmet = [line for line in located if _UNMET.match(line)]
    best = unmet[0] if unmet else located[-1] if located else telling[-1] if telling else ""
    return best.lstrip("#").strip()


def leaves_of(
    results: Sequence[KtapResult], above: tuple[str, ...] = (), expected_to_fail: bool = False
) -> tuple[Leaf, ...]:
    """Return the results that have no subtests, and parents that say worse than theirs do."""
    leaves: list[Leaf] = []
    for row in results:
        path = (*above, row.name)
        below = sum_up(row.children)
        if below is not None:
            leaves += leaves_of(row.children, path, expected_to_fail or row.directive == "XFAIL")
        if below is None or (row.status is not below and row.directive != "XFAIL"):
            leaves.append(_leaf(row, path, expected_to_fail))
    return tuple(leaves)


def _leaf(row: KtapResult, path: tuple[str, ...], expected_to_fail: bool) -> Leaf:
    lines = LineRange(row.first_line or row.line, row.line) if row.line else None
    if expected_to_fail and row.status is Status.FAIL:
        return Leaf(path, row.number, Status.PASS, row.reason, "XFAIL", lines)
    reason = row.reason if row.status is Status.PASS else _reason_of(row)
    return Leaf(path, row.number, row.status, reason, row.directive, lines)


def _rows(results: Sequence[KtapResult]) -> Iterator[KtapResult]:
    for result in results:
        if result.children:
            yield from _rows(result.children)
        else:
            yield result
