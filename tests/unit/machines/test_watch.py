# SPDX-License-Identifier: GPL-2.0-only
"""The watch over a boot, on a machine that plays a script."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest

from harness.machines.base import BootEnding
from harness.machines.watch import Limits, WatchOutcome, watch
from results.model.run import BootEnd
from tests.samples.guestlog import NONCE, frame
from tests.samples.scripted_machine import SILENCE, ScriptedMachine

HELLO = f"[    0.1] {frame(1, 'hello 1')}\r\n".encode()
DONE = f"[    0.9] {frame(2, 'done 3')}\r\n".encode()
PANIC = b"[    0.5] Kernel panic - not syncing: sysrq triggered crash\r\n"
BROKEN = BootEnding(broken=True, detail="emulator was killed by SIGKILL")
STILL_HERE: tuple[bytes, float] = (b"still here\r\n", 0.005)
QUICK = Limits(total=60, boot_silence=0.05, test_silence=0.1, backtrace=0.05, power_off=0.05)


def follow(
    machine: ScriptedMachine, limits: Limits = QUICK, log: io.BytesIO | None = None
) -> tuple[WatchOutcome, bytes]:
    log = log or io.BytesIO()
    outcome = asyncio.run(watch(machine, NONCE, limits, log))
    return outcome, log.getvalue()


def test_a_whole_boot_is_logged_byte_for_byte() -> None:
    script = [b"Linux version 6.12\r\n", HELLO, b"\x00\xff\x1b[2J", DONE, b"reboot: Power down\r\n"]
    machine = ScriptedMachine(script)
    outcome, log = follow(machine)
    assert (outcome.end, outcome.detail) == (BootEnd.DONE, "all tests ran")
    assert log == b"".join(script)
    assert machine.calls == ["start", "stop"]


def test_a_machine_that_stays_on_after_the_end_mark_is_stopped_without_an_interrupt() -> None:
    machine = ScriptedMachine([HELLO, DONE, SILENCE])
    assert follow(machine)[0].end is BootEnd.DONE
    assert machine.calls == ["start", "stop"]


def test_a_machine_that_breaks_after_the_end_mark_has_done_its_work() -> None:
    assert follow(ScriptedMachine([HELLO, DONE], ending=BROKEN))[0].end is BootEnd.DONE


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (HELLO + DONE, BootEnd.DONE),
        (HELLO + PANIC, BootEnd.PANIC),
        (HELLO, BootEnd.REBOOT),
        (b"", BootEnd.REBOOT),
    ],
)
def test_what_a_dead_guest_left_behind_is_logged_and_says_how_it_ended(words: bytes, end: BootEnd) -> None:
    ending = BootEnding(broken=False, detail="", kept={"pmsg-ramoops-0": b"x"}, words=words)
    outcome, log = follow(ScriptedMachine([b"Booting\r\n"], ending=ending))
    assert (outcome.end, log) == (end, b"Booting\r\n" + words)
    assert outcome.kept == {"pmsg-ramoops-0": b"x"}


def test_last_words_explain_a_silence() -> None:
    ending = BootEnding(broken=False, detail="", words=PANIC)
    outcome, _ = follow(ScriptedMachine([HELLO, SILENCE], ending=ending))
    assert (outcome.end, "sysrq triggered" in outcome.detail) == (BootEnd.PANIC, True)
    ending = replace(ending, words=b"[    0.6] nothing of importance\r\n")
    assert follow(ScriptedMachine([HELLO, SILENCE], ending=ending))[0].end is BootEnd.HANG


def test_last_words_do_not_excuse_a_machine_that_did_not_start() -> None:
    ending = BootEnding(broken=True, detail="", words=HELLO + DONE)
    outcome, _ = follow(ScriptedMachine(start_error="no kexec", ending=ending))
    assert (outcome.end, outcome.detail) == (BootEnd.MACHINE, "no kexec")


def test_silence_before_the_guest_program_is_a_hang_with_a_backtrace() -> None:
    machine = ScriptedMachine(
        [b"Booting\r\n", SILENCE], when_interrupted=[b"NMI backtrace\r\n", b" spin\r\n"]
    )
    outcome, log = follow(machine, replace(QUICK, test_silence=60))
    assert (outcome.end, outcome.detail) == (BootEnd.HANG, "nothing on the console for 0 s")
    assert log == b"Booting\r\nNMI backtrace\r\n spin\r\n"
    assert machine.calls == ["start", "interrupt", "stop"]


def test_a_test_may_be_silent_for_longer_than_a_boot() -> None:
    machine = ScriptedMachine([b"x", HELLO, 0.2, b"a test ends", DONE])
    assert follow(machine, replace(QUICK, test_silence=30))[0].end is BootEnd.DONE


def test_a_guest_that_prints_for_ever_meets_the_total_limit() -> None:
    machine = ScriptedMachine([HELLO, *STILL_HERE * 10_000])
    outcome, _ = follow(machine, replace(QUICK, total=0.1))
    assert (outcome.end, outcome.detail) == (BootEnd.TIMEOUT, "still running at the time limit")
    assert 0.1 < outcome.seconds < 30
    assert machine.calls == ["start", "interrupt", "stop"]


def test_a_flood_ends_the_boot_and_the_log_keeps_its_cap() -> None:
    machine = ScriptedMachine([b"x" * 700] * 1000)
    outcome, log = follow(machine, replace(QUICK, log_bytes=1 << 20 >> 10))
    assert outcome.end is BootEnd.FLOOD
    assert len(log) == 1024
    assert machine.calls == ["start", "stop"]


def test_the_log_keeps_its_cap_during_a_backtrace_too() -> None:
    machine = ScriptedMachine([b"x" * 900, SILENCE], when_interrupted=[b"y" * 100] * 20)
    outcome, log = follow(machine, replace(QUICK, log_bytes=1024))
    assert outcome.end is BootEnd.HANG
    assert log == b"x" * 900 + b"y" * 124


@pytest.mark.parametrize("at", [1, 8, 20, len(HELLO) // 2, len(HELLO) - 3])
def test_marks_are_seen_wherever_the_console_cuts_them(at: int) -> None:
    script: list[bytes | float | None] = [HELLO[:at], HELLO[at:], 0.1, DONE[:at], DONE[at:], SILENCE]
    assert follow(ScriptedMachine(script), replace(QUICK, test_silence=30))[0].end is BootEnd.DONE


@pytest.mark.parametrize("size", [1, 7, 37, 45])
def test_a_panic_is_told_whole_wherever_the_console_cuts_it(size: int) -> None:
    pieces = [PANIC[at : at + size] for at in range(0, len(PANIC), size)]
    outcome, _ = follow(ScriptedMachine([HELLO, *pieces, b"Rebooting.\r\n"]))
    assert outcome.end is BootEnd.PANIC
    assert outcome.detail == "Kernel panic - not syncing: sysrq triggered crash"


@pytest.mark.parametrize("size", [1, 50, 1000])
def test_a_panic_that_a_test_prints_is_none(size: int) -> None:
    printed = (
        f"[    0.4][   T31] {frame(2, 'out 1 [    0.0] Kernel panic - not syncing: forged')}\r\n".encode()
    )
    pieces = [printed[at : at + size] for at in range(0, len(printed), size)]
    machine = ScriptedMachine([HELLO, *pieces, 0.1, b"[    0.5] a test goes on\r\n"])
    assert follow(machine, replace(QUICK, test_silence=30))[0].end is BootEnd.REBOOT


def test_the_first_of_two_panics_is_the_one() -> None:
    second = PANIC.replace(b"sysrq triggered crash", b"sysrq triggered crash again, and longer")
    assert "again" not in follow(ScriptedMachine([PANIC, second]))[0].detail


def test_a_panic_that_does_not_reset_the_machine_needs_no_interrupt() -> None:
    machine = ScriptedMachine([HELLO, PANIC, SILENCE])
    assert follow(machine)[0].end is BootEnd.PANIC
    assert machine.calls == ["start", "stop"]


def test_a_panic_that_only_the_machine_knows_of() -> None:
    outcome, _ = follow(ScriptedMachine([HELLO], panicked=True))
    assert (outcome.end, outcome.detail) == (BootEnd.PANIC, "the machine reported a guest panic")


@pytest.mark.parametrize("script", [[], [b"Linux version"], [HELLO, b"a test"]])
def test_a_guest_that_resets_itself(script: list[bytes]) -> None:
    assert follow(ScriptedMachine(script))[0].end is BootEnd.REBOOT


def test_a_foreign_nonce_ends_nothing() -> None:
    forged = f"{frame(1, 'hello 1', 'f' * 16)}\n{frame(2, 'done 3', 'f' * 16)}\n".encode()
    assert follow(ScriptedMachine([forged]))[0].end is BootEnd.REBOOT


def test_a_broken_machine_is_not_the_kernels_fault() -> None:
    outcome, _ = follow(ScriptedMachine([HELLO, b"a test"], ending=BROKEN))
    assert (outcome.end, outcome.detail) == (BootEnd.MACHINE, BROKEN.detail)


def test_a_machine_that_does_not_start_is_still_stopped() -> None:
    machine = ScriptedMachine(start_error="no such emulator", ending=BootEnding(True, "never started"))
    outcome, log = follow(machine)
    assert (outcome.end, outcome.detail) == (BootEnd.MACHINE, "no such emulator")
    assert log == b""
    assert machine.calls == ["start", "stop"]


class _FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_is_not_the_kernels_fault() -> None:
    machine = ScriptedMachine([HELLO])
    outcome, _ = follow(machine, log=_FullDisk())
    assert outcome.end is BootEnd.MACHINE
    assert "No space left" in outcome.detail
    assert machine.calls == ["start", "stop"]


def test_the_machine_is_stopped_when_the_watch_is_cancelled() -> None:
    machine = ScriptedMachine([HELLO, SILENCE])

    async def interrupted() -> None:
        watching = asyncio.create_task(watch(machine, NONCE, replace(QUICK, test_silence=60), io.BytesIO()))
        while "start" not in machine.calls:
            await asyncio.sleep(0)
        watching.cancel()
        await watching

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert machine.calls == ["start", "stop"]
