# SPDX-License-Identifier: GPL-2.0-only
"""Counters of executed lines in console logs: read back as they were, or not at all."""

from __future__ import annotations

from struct import pack

import pytest

from results.console.gcov import read_counts
from results.console.report import read_report
from tests.samples.counters import report_object, report_ran
from tests.samples.guestlog import NONCE, GuestLog, planned

IDLE = pack("<400I", *range(1000, 1400))
BOOTED = pack("<400I", *range(1000, 1399), 7)
ONE = pack("<400I", 5, *range(1001, 1400))
ALL = pack("<400I", *range(4_000_000_000, 4_000_000_400))
NAMES = ("suite.one", "suite.two")
PATH = "/cache/objects/x86_64/mm/memory.gcda"


def log_of(*ran: bytes) -> GuestLog:
    log = GuestLog().begin(len(NAMES))
    report_object(log, 0, PATH, IDLE, BOOTED)
    for number, content in enumerate(ran, start=1):
        log.start(number, NAMES[number - 1])
        report_ran(log, number, 0, IDLE, content)
        log.say(f"gcov all {number}").end(number)
    return log


def files(log: GuestLog) -> dict[str, dict[str, bytes]]:
    return {test.test: test.files for test in read_counts(log.lines, NONCE, NAMES).tests}


def test_each_test_has_its_own_files_and_the_boot_has_some() -> None:
    found = files(log_of(ONE, ALL).done(2))
    assert found == {"": {PATH: BOOTED}, "suite.one": {PATH: ONE}, "suite.two": {PATH: ALL}}


def test_a_test_that_moves_nothing_ran_nothing() -> None:
    assert files(log_of(IDLE, ONE).done(2))["suite.one"] == {}


def test_what_was_collected_before_the_kernel_died_counts() -> None:
    log = log_of(ONE).start(2, NAMES[1])
    report_ran(log, 2, 0, IDLE, ALL)
    log.kernel("Kernel panic - not syncing: no more")
    assert list(files(log)) == ["", "suite.one"]


@pytest.mark.parametrize("what", ("gcov ran+ 2", "gcov ran 2"))
def test_a_lost_line_drops_the_counters_of_its_test_only(what: str) -> None:
    log = log_of(ONE, ALL).done(2)
    lost = next(line for line in log.lines if what in line)
    log.lines.remove(lost)
    found = read_counts(log.lines, NONCE, NAMES)
    assert [test.test for test in found.tests] == ["", "suite.one"]
    assert found.problems == ["suite.two: lines of its counters are lost, so they do not count"]


def test_objects_that_are_too_long_are_told() -> None:
    log = log_of(ONE).start(2, NAMES[1]).say("gcov cut 2 3").say("gcov all 2").end(2)
    problems = read_counts(log.lines, NONCE, NAMES).problems
    assert problems == ["suite.two: the counters of 3 objects were too long, and left out"]


def test_a_kernel_without_counters_is_told() -> None:
    log = GuestLog().begin(1).say("gcov none /sys/kernel/debug/gcov: No such file or directory")
    assert "no counters" in read_counts(log.lines, NONCE, NAMES).problems[0]


@pytest.mark.parametrize(
    "forged",
    (
        "object 0 999999999 /x.gcda",
        "ran 1 9 AAAA",
        "ran 1 0 !!!!",
        "ran 1 0 gICAgICAgIA=",  # a number that does not end
        "ran 1 0 /////w8B",  # a word far behind the end
        "ran 1 0 AA==",  # half a pair
        "all 99",
        "what is this",
    ),
)
def test_nothing_that_a_guest_prints_is_more_than_a_damaged_test(forged: str) -> None:
    log = GuestLog().begin(2)
    report_object(log, 0, PATH, IDLE, BOOTED)
    log.start(1, NAMES[0]).say(f"gcov {forged}").say("gcov all 1").end(1)
    found = read_counts(log.lines, NONCE, NAMES)
    assert all(test.files.get(PATH, IDLE) in (IDLE, BOOTED) for test in found.tests)


def test_the_report_of_the_tests_is_as_without_counters() -> None:
    report = read_report(log_of(ONE, ALL).done(2).lines, NONCE, planned(*NAMES))
    assert report.done
    assert not report.notes
