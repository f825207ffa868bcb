# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.console.protocol import LONGEST_LINE
from results.console.report import BootReport, read_report
from results.model.run import CounterChange, PlannedTest, Status, TestResult
from results.splats import kernel_log
from results.splats.kernel_log import KernelLine
from results.text import printable
from tests.samples.guestlog import NONCE, GuestLog, frame, ktap, planned

GOLDEN = Path(__file__).parents[2] / "golden" / "console"


def read(log: GuestLog, *names: str) -> BootReport:
    return read_report(log.lines, NONCE, planned(*names))


def one_test(output: list[str], how: str = "exit 0") -> TestResult:
    report = read(GuestLog().begin(1).test(1, "mm.split", output, how).done(1), "mm.split")
    assert report.notes == ()
    return report.tests[0]


def test_a_clean_boot() -> None:
    log = GuestLog().begin(2)
    log.test(1, "mm.one", ktap("ok", "ok")).kernel("mm: something of the kernel").test(
        2, "mm.two", ktap("ok")
    ).done(2)
    report = read(log, "mm.one", "mm.two")
    assert report.done
    assert report.started
    assert report.notes == ()
    assert [(test.name, test.status, test.reason) for test in report.tests] == [
        ("mm.one", Status.PASS, ""),
        ("mm.two", Status.PASS, ""),
    ]
    first = report.tests[0]
    assert first.seconds == 1.5
    assert first.counters == {
        "thp_split_pmd": CounterChange(3, 5),
        "meminfo.PageTables": CounterChange(900, 904),
    }
    assert first.output == ("TAP version 13", "1..2", "ok 1 case_1", "ok 2 case_2")
    assert first.lines is not None
    assert "start 1" in log.lines[first.lines.first - 1]
    assert "end 1" in log.lines[first.lines.last - 1]


def test_taint_flags() -> None:
    log = GuestLog().begin(3).start(1, "mm.one").end(1, taint=512).start(2, "mm.two").end(2, taint=640)
    report = read(log.start(3, "mm.three"), "mm.one", "mm.two", "mm.three")
    assert (report.taint, [test.taint for test in report.tests]) == (0, [512, 640, None])
    assert read(GuestLog().say("hello 1").say("plan 0")).taint is None


@pytest.mark.parametrize("rest", ["", "1", "2 512", "-1 0", "1 -5", "1 0x200", "1 512 9", f"1 {'9' * 21}"])
def test_taint_flags_that_can_not_be_read(rest: str) -> None:
    report = read(GuestLog().begin(1).say(f"taint {rest}").test(1, "mm.one", ktap("ok")).done(1), "mm.one")
    (note,) = report.notes
    assert f"not understood: taint {rest}" in note
    assert (report.taint, report.tests[0].taint, report.tests[0].status) == (0, 0, Status.PASS)


def test_capabilities() -> None:
    log = GuestLog().begin(0).say("probe thp_reason no\\x20way \\x41")
    capabilities = read(log).capabilities
    assert capabilities is not None
    assert (capabilities.release, capabilities.machine) == ("6.12.0-thp", "x86_64")
    assert (capabilities.page_size, capabilities.pmd_size, capabilities.thp) == (4096, 2097152, True)
    assert capabilities.facts["thp_reason"] == "no way A"
    assert read(GuestLog().say("hello 1")).capabilities is None


@pytest.mark.parametrize(
    ("output", "how", "status", "reason"),
    [
        (ktap("ok"), "exit 0", "PASS", ""),
        (ktap("ok # XFAIL known"), "exit 2", "PASS", ""),
        (ktap("ok"), "exit 1", "FAIL", "exit code 1, although its results say PASS"),
        (
            ktap("ok"),
            "exit 3",
            "FAIL",
            "exit code 3: passed, but was expected to fail, although its results say PASS",
        ),
        (ktap("ok"), "exit 4", "SKIP", "exit code 4: skipped, although its results say PASS"),
        (ktap("ok", "not ok"), "exit 0", "FAIL", "not ok 2 case_2"),
        (ktap("ok", "not ok # TIMEOUT 45 seconds"), "exit 0", "FAIL", "TIMEOUT 45 seconds"),
        (ktap("not ok # rcode=7"), "exit 1", "FAIL", "rcode=7"),
        (ktap("not ok # ERROR no mem"), "exit 0", "ERROR", "ERROR no mem"),
        (ktap("not ok # ERROR no mem"), "exit 1", "FAIL", "ERROR no mem"),
        (ktap("ok # SKIP no THP"), "exit 0", "SKIP", "no THP"),
        (ktap("ok # SKIP no THP"), "exit 4", "SKIP", "no THP"),
        (ktap("ok # SKIP no THP", "ok"), "exit 0", "PASS", "1 of 2 results skipped: no THP"),
        (ktap("ok # SKIP no THP"), "exit 1", "FAIL", "exit code 1, although its results say SKIP"),
        (["1..0 # SKIP no THP"], "exit 4", "SKIP", "no THP"),
        (["1..3", "ok 1"], "exit 0", "MISS", "2 of 3 planned results are missing"),
        (["1..3", "ok 1"], "exit 1", "FAIL", "2 of 3 planned results are missing"),
        (["1..3", "ok 1", "Bail out! no memory"], "exit 1", "FAIL", "Bail out! no memory"),
        (["Bail out! no memory"], "exit 0", "FAIL", "Bail out! no memory"),
        (["all good"], "exit 0", "MISS", "printed no result"),
        ([], "exit 0", "MISS", "printed no result"),
        (["segment lost", "foo.c:12: assert"], "exit 1", "FAIL", "exit code 1: foo.c:12: assert"),
        ([], "exit 1", "FAIL", "exit code 1"),
        (["no swap here"], "exit 4", "SKIP", "exit code 4: skipped: no swap here"),
        (["x"], "exit 127", "ERROR", "exit code 127: the program could not be run: x"),
        (ktap("ok"), "signal 11", "FAIL", "killed by SIGSEGV (11)"),
        (ktap("ok"), "signal 99", "FAIL", "killed by signal (99)"),
        (ktap("ok"), "timeout 30000", "FAIL", "timed out after 30 s"),
    ],
)
def test_status_of_a_test(output: list[str], how: str, status: str, reason: str) -> None:
    result = one_test(output, how)
    assert (result.status.value, result.reason) == (status, reason)


@pytest.mark.parametrize(
    ("output", "how", "status", "reason"),
    [
        (["Run test: collapse... OK"], "exit 0", "PASS", ""),
        ([], "exit 0", "MISS", "no line of its output has 'OK$'"),
        (["Run test: collapse... Skip"], "exit 0", "MISS", "no line of its output has 'OK$'"),
        (
            ["collapse... \x1b[31mFail\x1b[0m", "expand... OK"],
            "exit 1",
            "FAIL",
            "exit code 1: collapse... Fail",
        ),
        (["collapse... OK", "expand... Fail"], "exit 4", "FAIL", "exit code 4: expand... Fail"),
        (["no THP"], "exit 4", "SKIP", "exit code 4: skipped: no THP"),
        ([*ktap("not ok"), "OK"], "exit 0", "FAIL", "not ok 1 case_1"),
        (["OK", "Bail out! no memory"], "exit 0", "FAIL", "Bail out! no memory"),
        (["OK"], "timeout 1000", "FAIL", "timed out after 1 s"),
    ],
)
def test_a_program_without_ktap_is_judged_by_its_exit_status(
    output: list[str], how: str, status: str, reason: str
) -> None:
    planned = PlannedTest("a", ("/bin/a",), 1.0, says="OK$")
    log = GuestLog().test(1, "a", output, how).done(1)
    (result,) = read_report(log.lines, NONCE, [planned]).tests
    assert (result.status.value, result.reason) == (status, reason)


def test_the_failed_assertion_is_the_reason() -> None:
    output = [
        "TAP version 13", "1..2", "# Starting 2 tests from 2 test cases.",
        "#  RUN           thp.a ...", "#            OK  thp.a", "ok 1 thp.a",
        "#  RUN           thp.b ...", "# thp.c:7:b:Expected 1 (1) == n (2)",
        "# b: Test failed", "#          FAIL  thp.b", "not ok 2 thp.b", "# FAILED: 1 / 2 tests passed.",
    ]  # fmt: skip
    assert one_test(output, "exit 1").reason == "thp.c:7:b:Expected 1 (1) == n (2)"


def test_plain_note_before_a_failure_is_the_reason() -> None:
    output = ["1..1", "# mremap: Invalid argument", "not ok 1 pmd_split.mremap"]
    assert one_test(output, "exit 1").reason == "mremap: Invalid argument"


@pytest.mark.parametrize(("signals", "name"), [({"10": "SIGBUS"}, "SIGBUS"), (None, "SIGUSR1")])
def test_signals_are_named_as_the_architecture_numbers_them(
    signals: dict[str, str] | None, name: str
) -> None:
    log = GuestLog().test(1, "a", [], "signal 10").done(1)
    report = read_report(log.lines, NONCE, planned("a"), signals)
    assert report.tests[0].reason == f"killed by {name} (10)"


def test_guest_dies_in_a_test() -> None:
    log = (
        GuestLog()
        .begin(3)
        .test(1, "a", ktap("ok"))
        .start(2, "b")
        .out(2, "TAP version 13")
        .kernel("Oops", "bye")
    )
    report = read(log, "a", "b", "c")
    assert not report.done
    assert [(test.status.value, test.reason) for test in report.tests] == [
        ("PASS", ""),
        ("ERROR", "the guest died in this test"),
        ("MISS", "never started"),
    ]
    died = report.tests[1]
    assert died.counters == {}
    assert died.output == ("TAP version 13",)
    assert died.lines is not None
    assert died.lines.last == len(log.lines)
    assert report.tests[2].lines is None
    assert [line.test for line in report.kernel_lines] == [None, "b", "b"]


def test_guest_that_never_came_up() -> None:
    report = read_report(["SeaBIOS", "Kernel panic - not syncing"], NONCE, planned("a"))
    assert (report.capabilities, report.done, report.started) == (None, False, False)
    assert report.tests == (TestResult("a", Status.MISS, "never started"),)
    assert report.kernel_lines[1] == KernelLine(2, "Kernel panic - not syncing", None)


def test_absent_counter() -> None:
    log = GuestLog().say("start 1 a").say("before 1 x=1").out(1, *ktap("ok"))
    log.say("after 1 x=1 new=4 junk=y").say("end 1 exit 0 3").done(1)
    report = read(log, "a")
    assert report.tests[0].counters == {"x": CounterChange(1, 1), "new": CounterChange(None, 4)}
    assert any("not a counter: junk=y" in note for note in report.notes)


def test_counters_over_several_lines() -> None:
    log = GuestLog().say("start 1 a").say("before 1 x=1").say("before 1 y=2").out(1, *ktap("ok"))
    log.say("after 1 x=2").say("after 1 y=5").say("end 1 exit 0 3").done(1)
    assert {name: change.delta for name, change in read(log, "a").tests[0].counters.items()} == {
        "x": 1,
        "y": 3,
    }


def test_missing_snapshot_is_not_an_absent_counter() -> None:
    log = GuestLog().say("start 1 a").say("before 1 x=1").out(1, *ktap("ok")).say("end 1 exit 0 3").done(1)
    assert read(log, "a").tests[0].counters == {}


def test_pieces_of_a_long_line_are_joined_before_they_are_unescaped() -> None:
    log = (
        GuestLog().say("start 1 a").say("out+ 1 caf\\xc3").say("out+ 1 \\xa9 is").say("out 1  open\\x1b\\x5c")
    )
    log.out(1, *ktap("ok")).say("end 1 exit 0 3").done(1)
    assert read(log, "a").tests[0].output[0] == "café is open\x1b\\"


def test_output_that_was_cut() -> None:
    log = GuestLog().start(1, "a").out(1, "1..2", "ok 1").say("cut 1 4096").end(1).done(1)
    report = read(log, "a")
    assert (
        report.tests[0].reason
        == "1 of 2 planned results are missing; 4096 bytes of its output were thrown away"
    )
    assert any("4096 bytes of the output of a" in note for note in report.notes)


def test_markers_anywhere_in_a_line() -> None:
    log = GuestLog()
    log.say("hello 1", prefix="")
    log.say("start 1 a", prefix="\x1b[0mjunk from the firmware<6>[ 1.0] ")
    log.say("out 1 ok 1 x", prefix="[    1.0] ")
    log.say("end 1 exit 0 3", prefix="\x00\x00")
    log.lines = [line + "\r\n" for line in log.lines]
    assert read(log, "a").tests[0].status is Status.PASS


def test_kernel_text_in_front_of_a_marker_is_not_lost() -> None:
    log = GuestLog().start(1, "a")
    log.say("out 1 x", prefix="[    1.0] kernel BUG at mm/x.c:3!")
    assert read(log, "a").kernel_lines == (KernelLine(3, "[    1.0] kernel BUG at mm/x.c:3!", "a"),)


def test_long_lines_are_cut() -> None:
    report = read_report(["x" * (LONGEST_LINE * 3)], NONCE, ())
    assert len(report.kernel_lines[0].text) == kernel_log.LONGEST_KERNEL_LINE


def damaged(log: GuestLog) -> tuple[TestResult, tuple[str, ...]]:
    report = read(log, "a", "b")
    return report.tests[0], report.notes


def test_lost_line_inside_a_test() -> None:
    log = (
        GuestLog().start(1, "a").out(1, *ktap("ok")).say("out 1 lost").lose().end(1).test(2, "b", ktap("ok"))
    )
    result, notes = damaged(log)
    assert (result.status, result.reason) == (Status.ERROR, "would be PASS, but 1 of its lines are lost")
    assert any("1 lines of the guest program are lost (SEQ 6 to 6)" in note for note in notes)
    assert read(log, "a", "b").tests[1].status is Status.PASS


def test_lost_line_does_not_hide_a_failure() -> None:
    log = GuestLog().start(1, "a").say("out 1 lost").lose().out(1, *ktap("not ok")).end(1)
    assert damaged(log)[0].status is Status.FAIL


def test_lost_start() -> None:
    log = GuestLog().say("start 1 a").lose().out(1, *ktap("ok")).end(1)
    assert damaged(log)[0].reason == "would be PASS, but its start line is lost"


def test_lost_end() -> None:
    log = GuestLog().start(1, "a").out(1, *ktap("ok")).say("end 1 exit 0 5").lose().test(2, "b", ktap("ok"))
    result, notes = damaged(log)
    assert (result.status, result.reason) == (Status.ERROR, "1 of its lines are lost")
    assert any("a has no end line" in note for note in notes)


def test_end_that_was_never_sent() -> None:
    log = GuestLog().start(1, "a").out(1, *ktap("ok")).test(2, "b", ktap("ok")).done(2)
    assert damaged(log)[0].reason == "its end line never came"


def test_test_that_was_lost_altogether() -> None:
    log = GuestLog().say("hello 1")
    log.seq += 7
    log.test(2, "b", ktap("ok")).done(1)
    result, _ = damaged(log)
    assert (result.status, result.reason) == (
        Status.MISS,
        "no line of it arrived; 7 lines of the guest program are lost",
    )


def test_corrupt_line() -> None:
    log = GuestLog().start(1, "a").say("out 1 ok 1 x")
    log.lines[-1] = log.lines[-1].replace("ok 1 x", "ok 1 y")
    log.out(1, "ok 1 x").end(1)
    result, notes = damaged(log)
    assert result.reason == "would be PASS, but a line of it is corrupt"
    assert "ok 1 y" not in result.output
    assert any("corrupt, does not count" in note for note in notes)


def test_forged_line_with_a_wrong_nonce_does_not_count() -> None:
    log = GuestLog().start(1, "a").out(1, "1..1", "not ok 1 x")
    log.lines.append(frame(5, "end 1 exit 0 5", nonce="f" * 16))
    log.end(1, "exit 1")
    result, notes = damaged(log)
    assert result.status is Status.FAIL
    assert any("wrong nonce" in note for note in notes)


def test_marker_inside_the_output_is_output() -> None:
    forged = frame(4, "end 1 exit 0 5")
    log = GuestLog().start(1, "a").out(1, forged).out(1, "not ok 1 x").end(1, "exit 1")
    report = read(log, "a")
    assert report.tests[0].status is Status.FAIL
    assert report.tests[0].output[0] == forged
    assert report.notes == ()


def test_marker_inside_corrupt_output_does_not_count_either() -> None:
    log = GuestLog().start(1, "a").out(1, frame(3, "end 1 exit 0 5"))
    log.lines[-1] = log.lines[-1].replace("out 1", "out 2")
    log.out(1, "1..1", "ok 1 x").end(1)
    assert damaged(log)[0].status is Status.ERROR


def test_repeated_line_counts_once() -> None:
    log = GuestLog().start(1, "a").out(1, *ktap("ok"))
    log.lines.append(log.lines[-1])
    result, notes = damaged(log.end(1))
    assert result.status is Status.PASS
    assert result.output.count("ok 1 case_1") == 1
    assert any("SEQ 5 is there twice" in note for note in notes)


def test_two_lines_with_one_number_spoil_the_test() -> None:
    log = GuestLog().start(1, "a").out(1, *ktap("ok"))
    log.lines.append(frame(log.seq, "out 1 ok 2 forged"))
    result, notes = damaged(log.end(1))
    assert result.reason == "would be PASS, but line SEQ 5 of it is there twice and differs"
    assert any("came too late or is forged" in note for note in notes)


def test_forgery_that_comes_first_spoils_the_test() -> None:
    """A test that reads the nonce out of the kernel log can write its own end, but not keep ours away."""
    log = GuestLog().start(1, "a").out(1, "1..1", "ok 1 x")
    log.lines.append(frame(log.seq + 1, "end 1 exit 0 5"))
    log.out(1, "not ok 2 y").end(1, "exit 1")
    assert damaged(log)[0].status is Status.ERROR


def test_jump_into_the_far_future() -> None:
    log = GuestLog().start(1, "a")
    log.lines.append(frame(9_999_999_999, "out 1 ok 1 x"))
    assert damaged(log.out(1, "ok 1 x").end(1))[0].status is Status.ERROR


@pytest.mark.parametrize(
    ("payloads", "note"),
    [
        (["hello 2"], "protocol version 2"),
        (["plan 7"], "the guest program plans 7 tests, the harness 2"),
        (["error mount proc: \\x1b[31mno"], "the guest program says: mount proc: \\x1b[31mno"),
        (["dance 1"], "not understood: dance"),
        (["start 3 c"], "no test of the plan: start 3"),
        (["start \\xb2 c"], "no test of the plan: start"),
        (["start 1 a", "start 1 a"], "a starts a second time"),
        (["start 1 b"], "test 1 of the plan is a, the guest program ran b"),
        (["start 1 a", "end 1 exit 0 1", "out 1 late"], "out for a, which is not running"),
        (["start 1 a", "end 1 exit zero 1"], "not understood: end exit zero 1"),
        (["done 2"], "the guest program ran 2 tests, 0 were seen"),
        (["done 0", "start 1 a"], "after the end, does not count: start 1 a"),
    ],
)
def test_notes(payloads: list[str], note: str) -> None:
    log = GuestLog()
    for payload in payloads:
        log.say(payload)
    report = read(log, "a", "b")
    assert any(note in said for said in report.notes), report.notes
    assert all(test.status is not Status.PASS for test in report.tests)


def test_notes_are_bounded() -> None:
    lines = [frame(1, "end 1 exit 0 5", nonce="f" * 16)] * 1000
    report = read_report(lines, NONCE, ())
    assert report.notes[-1] == "… and 950 more of the kind"


def test_flood_of_output_of_a_forged_guest_program_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one keeps to its limit: a test that knows the nonce may not."""
    monkeypatch.setattr("results.console.guest_test.MOST_OUTPUT", 2000)
    log = GuestLog().test(1, "a", [*ktap("ok"), *["flood " * 10] * 1000]).done(1)
    result = read(log, "a").tests[0]
    assert result.status is Status.ERROR
    assert "more than the guest program lets through" in result.reason
    assert sum(map(len, result.output)) < 2000


def test_flood_of_counters_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.console.guest_test.MOST_COUNTERS", 10)
    log = GuestLog().start(1, "a")
    for number in range(20):
        log.say(f"before 1 c{number}=1")
    result = read(log.out(1, *ktap("ok")).end(1).done(1), "a").tests[0]
    assert (result.status, result.reason) == (Status.ERROR, "would be PASS, but it has more than 10 counters")
    assert len(result.counters) <= 20


def test_flood_of_lines_and_facts_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.console.report.LINES_REMEMBERED", 5)
    monkeypatch.setattr("results.console.report.MOST_FACTS", 10)
    log = GuestLog().begin(1)
    for number in range(20):
        log.say(f"probe fact{number} 1")
    log.lines.append(log.lines[1])
    report = read(log.test(1, "a", ktap("ok")).done(1), "a")
    assert report.tests[0].status is Status.PASS
    assert any("came too late or is forged" in note for note in report.notes)
    assert report.capabilities and len(report.capabilities.facts) == 10


def test_flood_of_kernel_lines_keeps_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "PLAIN_LINES", 100)
    monkeypatch.setattr(kernel_log, "MOST_LINES", 300)
    noise = ["noise"] * 1000
    report = read_report([*noise, "BUG: late one", "a frame", *noise], NONCE, ())
    numbers = [line.number for line in report.kernel_lines]
    assert {998, 1001, 1002} <= set(numbers)
    assert len(numbers) < 300
    assert numbers == sorted(numbers)
    assert report.notes == ()


def test_flood_of_kernel_reports_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "PLAIN_LINES", 100)
    monkeypatch.setattr(kernel_log, "MOST_LINES", 300)
    report = read_report(["BUG: again"] * 1000, NONCE, ())
    assert len(report.kernel_lines) <= 300
    assert "too many kernel reports" in report.log_incomplete


def test_reads_from_an_iterator() -> None:
    log = GuestLog().begin(1).test(1, "a", ktap("ok")).done(1)
    lines = itertools.chain(log.lines, (f"noise {number}" for number in range(10_000)))
    assert read_report(lines, NONCE, planned("a")).tests[0].status is Status.PASS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ümlaut €", "plain ümlaut €"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\r\n\x00", "a\tb\\x0d\\x0a\\x00"),
        ("\u202egnp", "\\u202egnp"),
        ("\x9b1m", "\\x9b1m"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


PAYLOADS = st.one_of(
    st.sampled_from(
        ["hello 1", "plan 2", "start 1 a", "start 2 b", "done 2", "end 1 exit 0 1", "end 2 signal 9 1",
         "error x", "before 1 x=1", "after 1 x=2", "out 1 ok 1 x", "out+ 2 ok", "cut 1 9", "probe thp 1"]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40),
)  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(1, 30), PAYLOADS).map(lambda pair: frame(*pair)), st.text(max_size=60)
        )
    )
)
def test_no_log_is_an_error(lines: list[str]) -> None:
    report = read_report(lines, NONCE, planned("a", "b"))
    assert [test.name for test in report.tests] == ["a", "b"]
    assert all(line.number <= len(lines) for line in report.kernel_lines)


@given(st.data())
def test_no_damage_turns_a_failure_into_a_pass(data: st.DataObject) -> None:
    """Whatever lines are lost, repeated or swapped: a test that failed is never seen to pass."""
    log = (
        GuestLog().begin(2).test(1, "a", ktap("ok", "not ok"), "exit 1").test(2, "b", [], "signal 11").done(2)
    )
    indices = st.integers(0, len(log.lines) - 1)
    picked = data.draw(st.one_of(st.lists(indices, max_size=60), st.lists(indices, unique=True).map(sorted)))
    report = read_report([log.lines[index] for index in picked], NONCE, planned("a", "b"))
    assert all(test.status is not Status.PASS for test in report.tests)


GOLDEN_RESULTS = {
    "x86_64-breaks-mremap": {
        "pmd_split.mremap": ("FAIL", "the moved range: offset 0x81000 holds 0 instead of its old data"),
        "thp_pmd_split.partial_mremap": (
            "FAIL",
            "thp_pmd_split_test.c:255:partial_mremap:"
            "Expected 0 (0) != holds(moved, self->subject.start, self->length) (0)",
        ),
    },
    "x86_64-misbehave-and-panic": {
        "misbehave.flood": ("FAIL", "timed out after 2 s"),
        "misbehave.gush": ("MISS", "printed no result; 386894 bytes of its output were thrown away"),
        "misbehave.segfault": ("FAIL", "killed by SIGSEGV (11)"),
        "misbehave.hang": ("FAIL", "timed out after 1.5 s"),
        "misbehave.leftovers": ("MISS", "printed no result"),
        "misbehave.garbage": ("MISS", "printed no result"),
        "misbehave.long_line": ("MISS", "printed no result"),
        "misbehave.close_output": (
            "FAIL",
            "exit code 3: passed, but was expected to fail: "
            "closing stdout and stderr, then sleeping for 300 ms",
        ),
        "misbehave.missing": ("ERROR", "exit code 127: the program could not be run"),
        "misbehave.panic": ("ERROR", "the guest died in this test"),
    },
}
"""What is not plainly PASS in the logs of real boots."""


@pytest.mark.parametrize("log", sorted(GOLDEN.glob("*.log")), ids=lambda log: log.stem)
def test_golden_log(log: Path) -> None:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    names = [line.split()[-1] for line in lines if "THP:" in line and " start " in line]
    report = read_report(lines, golden_nonce(lines), planned(*names))
    assert not [note for note in report.notes if "lost" in note or "does not count" in note]
    expected = dict.fromkeys(names, ("PASS", "")) | GOLDEN_RESULTS.get(log.stem, {})
    assert {test.name: (test.status.value, test.reason) for test in report.tests} == expected
    for result in report.tests:
        assert result.lines is not None
        assert lines[result.lines.first - 1].endswith(f" {result.name}")
    assert (report.capabilities is not None) == bool(names)


def golden_nonce(lines: list[str]) -> str:
    return next(line for line in lines if "THP:" in line).partition("THP:")[2][:16]
