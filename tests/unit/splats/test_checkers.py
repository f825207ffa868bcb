# SPDX-License-Identifier: GPL-2.0-only
"""What the absence of a report does not prove."""

from __future__ import annotations

import pytest

from results.model.run import CheckerOff
from results.splats.checkers import LostEvidence, loss_notes, lost_evidence
from results.splats.find import find_splats
from results.splats.kernel_log import KernelLine
from tests.samples import splat_samples as sample

VALIDATOR = "Lock dependency validator: Copyright (c) 2006"
TAINTED = "Disabling lock debugging due to kernel taint"


def lost(text: str, prefix: str = "[    9.000001][   T77] ") -> LostEvidence:
    lines = [KernelLine(number, prefix + line, "t") for number, line in enumerate(text.split("\n"), start=1)]
    return lost_evidence(lines, find_splats(lines))


def off(text: str) -> list[tuple[str, int]]:
    return [(found.checker, found.line) for found in lost(text).checkers_off]


def test_nothing_is_lost_in_a_clean_log() -> None:
    assert lost(f"{VALIDATOR}\nmm: something") == LostEvidence()


def test_kasan_reports_once() -> None:
    lines = len(sample.KASAN.split("\n"))
    assert off(f"{sample.KASAN}\n{sample.KASAN}\nmore") == [("KASAN", lines)]


def test_kasan_goes_on_where_the_command_line_says_so() -> None:
    assert off(f"Kernel command line: console=ttyS0 kasan_multi_shot\n{sample.KASAN}") == []


@pytest.mark.parametrize("report", [sample.LOCKDEP_CIRCULAR, sample.INVALID_WAIT, sample.SPINLOCK])
def test_lockdep_stops_at_its_first_report(report: str) -> None:
    assert [checker for checker, _ in off(report)] == ["lockdep"]


def test_lockdep_goes_on_after_a_report_of_rcus_rules() -> None:
    assert off(sample.LOCKDEP_RCU) == []


@pytest.mark.parametrize(
    ("line", "checker"),
    [
        ("BUG: MAX_LOCKDEP_CHAINS too low!", "lockdep"),
        ("BUG: MAX_STACK_TRACE_ENTRIES too low!", "lockdep"),
        ("turning off the locking correctness validator.", "lockdep"),
        ("DEBUG_LOCKS_WARN_ON(depth <= 0)", "lockdep"),
        ("INFO: lockdep is turned off.", "lockdep"),
        ("kmemleak: Kernel memory leak detector disabled", "kmemleak"),
        ("ODEBUG: Out of memory. ODEBUG disabled", "debugobjects"),
        (
            "Future hung task reports are suppressed, see sysctl kernel.hung_task_warnings",
            "the hung task detector",
        ),
    ],
)
def test_checkers_that_say_that_they_stop(line: str, checker: str) -> None:
    assert off(f"mm: something\n{line}\n{line}") == [(checker, 2)]
    assert find_splats([KernelLine(1, f"[    9.000001] {line}", None)]) == ()


def test_a_taint_stops_lockdep_only_where_there_is_one() -> None:
    assert off(TAINTED) == []
    assert off(f"{VALIDATOR}\n{TAINTED}") == [("lockdep", 2)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("** 2048 printk messages dropped **", "the kernel dropped 2048 messages"),
        ("** 3 printk messages dropped ** [    8.123456] mm: something", "the kernel dropped 3 messages"),
        ("systemd-journald[80]: Missed 12 kernel messages", "the kernel dropped 12 messages"),
        ("dmesg: 7 records were overwritten", "the kernel dropped 7 messages"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "[   12.345678] ", "[   12.345678][    C1] "])
def test_dropped_messages(line: str, words: str, prefix: str) -> None:
    assert lost(line, prefix).messages_lost == words


def test_dropped_messages_are_summed_up() -> None:
    text = "** 2 printk messages dropped **\nx\n** 3 printk messages dropped **"
    assert lost(text).messages_lost == "the kernel dropped 5 messages"


def test_gaps_in_the_sequence_of_the_kernels_messages() -> None:
    assert lost("6,10,1,-;a\n6,11,2,-;b", "").messages_lost == ""
    assert (
        "3 of the kernel's messages are missing" in lost("6,10,1,-;a\n6,14,2,-,caller=T1;b", "").messages_lost
    )


def test_notes() -> None:
    assert loss_notes((CheckerOff("KASAN", 12),), "the kernel dropped 5 messages") == (
        "KASAN is off from console line 12 on",
        "the log is incomplete: the kernel dropped 5 messages",
    )
    assert loss_notes((), "") == ()
