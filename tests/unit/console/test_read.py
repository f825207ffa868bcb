# SPDX-License-Identifier: GPL-2.0-only
"""Logs of any origin: what is found in them, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.console.read import ReadLog, answer, read_log
from results.console.transport import bare, unwrapped
from results.model.run import LineRange
from tests.samples.guestlog import NONCE, GuestLog, ktap

GOLDEN = Path(__file__).parents[2] / "golden"
KTAP = ["TAP version 13", "1..2", "ok 1 a", "# x.c:3: lost", "not ok 2 b"]
WARNING = [
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 1 at mm/x.c:7 my_split+0x12/0x30",
    "Call Trace:",
    " <TASK>",
    " my_split+0x12/0x30",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
]


def read(lines: list[str]) -> list[ReadLog]:
    return read_log("x.log", lambda: iter([line + "\n" for line in lines]))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("ok 1 a", "ok 1 a"),
        ("> > ok 1 a", "ok 1 a"),
        ("2026-01-31T10:00:00.1234567Z ok 1 a", "ok 1 a"),
        ("[10:00:00.123] ok 1 a", "ok 1 a"),
        ("[2026-01-31 10:00:00] ok 1 a", "ok 1 a"),
        ('- {"dt": "2026-01-31T10:00:00", "lvl": "target", "msg": "ok 1 \\"a\\""}', 'ok 1 "a"'),
        ('- {"dt": "2026-01-31T10:00:00", "lvl": "info", "msg": "ok 1 a"}', ""),
        ('- {"dt": torn', '- {"dt": torn'),
        ("[    1.000000] ok 1 a", "[    1.000000] ok 1 a"),
    ],
)
def test_what_the_console_showed(line: str, shown: str) -> None:
    assert unwrapped(line) == shown


@pytest.mark.parametrize(
    "front",
    [
        "Jan 31 10:00:00 board kernel: ",
        "Jan  1 10:00:00 board mremap_test[77]: ",
        "2026-01-31T10:00:00+0100 board kernel: ",
        "2026-01-31T10:00:00.123456+01:00 board kernel: ",
        "[Sat Jan 31 10:00:00 2026] ",
    ],
)
def test_what_a_journal_puts_before_a_message(front: str) -> None:
    assert bare(f"{front}ok 1 a") == "ok 1 a"


@pytest.mark.parametrize(
    "front", ["", "> ", "Jan 31 10:00:00 board kernel: ", "[    1.000000][  T77] ", "[10:00:00] "]
)
def test_results_and_reports_with_their_lines(front: str) -> None:
    (log,) = read([front + line for line in (*KTAP, *WARNING)])
    (test,) = log.tests
    assert [(leaf.name, leaf.status, leaf.reason, leaf.lines) for leaf in test.leaves] == [
        ("a", "PASS", "", LineRange(3, 3)),
        ("b", "FAIL", "x.c:3: lost", LineRange(4, 5)),
    ]
    assert [(splat.kind, splat.lines.first) for splat in log.splats] == [("warning", 6)]
    assert answer([log]).exit_code == 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["1..1", "ok 1 a"], 0),
        (["1..1", "not ok 1 a"], 1),
        (["1..1", "ok 1 a", "Bail out! lost"], 1),
        (["1..1", "ok 1 a", *WARNING], 1),
        (WARNING, 1),
        (["1..2", "ok 1 a"], 3),
        (["1..1", "ok 1 a", "b ... not ok 2"], 3),
        (["1..1", "ok 1 a # SKIP no swap"], 3),
        (["hello"], 3),
        ([], 3),
    ],
)
def test_exit_status(lines: list[str], code: int) -> None:
    assert answer(read(lines)).exit_code == code


def test_the_worst_of_several_logs_is_the_exit_status() -> None:
    good, bad, none = read(["1..1", "ok 1 a"]), read(["1..1", "not ok 1 a"]), read([])
    assert answer([*good, *none]).exit_code == 3
    assert answer([*good, *none, *bad]).exit_code == 1


def test_guest_protocol_of_any_nonce() -> None:
    log = GuestLog().begin(3).test(1, "mm.one", ktap("ok", "not ok"), "exit 1").start(2, "mm.two")
    (found,) = read([*log.lines, *WARNING])
    assert found.nonce
    assert [(test.name, test.status.value) for test in found.tests] == [
        ("mm.one", "FAIL"),
        ("mm.two", "ERROR"),
        ("test 3", "MISS"),
    ]
    failing = found.tests[0].leaves[1]
    assert failing.lines
    assert "not ok" in log.lines[failing.lines.first - 1]
    assert found.splats[0].test == "mm.two"


def test_two_boots_in_one_log() -> None:
    first = GuestLog().begin(1).test(1, "a", ktap("ok")).done(1).lines
    second = _with_nonce("f" * 16)
    found = read([*first, *WARNING, *second])
    assert [log.nonce for log in found] == [found[0].nonce, "f" * 16]
    assert [[test.status.value for test in log.tests] for log in found] == [["PASS"], ["PASS"]]
    assert [len(log.splats) for log in found] == [1, 0]
    assert found[1].tests[0].lines
    assert found[1].tests[0].lines.first > len(first)
    assert found[1].notes == ()


def _with_nonce(nonce: str) -> list[str]:
    log = GuestLog().begin(1).test(1, "a", ktap("ok")).done(1)
    return [line.replace(NONCE, nonce) for line in log.lines]


def test_a_log_of_a_real_boot() -> None:
    path = GOLDEN / "console" / "x86_64-series.log"
    found = read(path.read_text(errors="replace").split("\n"))
    assert answer(found).exit_code == 0
    assert [len(log.tests) for log in found] == [16]
