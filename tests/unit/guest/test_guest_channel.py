# SPDX-License-Identifier: GPL-2.0-only
"""Parts of the guest program, compiled for this machine and run on it: the copier of the kernel log, what
outlives a crash, and how tests are run where others have the machine, too."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build.guest.manifest import render
from harness.core.shipped import WRAPPERS
from results.console.report import read_report
from results.model.run import PlannedTest
from tests.samples.guestlog import NONCE, frame

PARTS = Path(__file__).parents[2] / "guests" / "guest_parts.c"
SOURCES = (
    *("init/channel.c", "init/console_text.c", "init/manifest.c", "lib/kfile.c", "init/report.c"),
    *(
        "init/run.c",
        "init/leftovers.c",
        "init/counters.c",
        "init/output.c",
        "init/gcov.c",
        "init/taint.c",
        "init/watchdog.c",
    ),
)
FULL = b"channel: the device is full, the log ends here\n"

Run = Callable[..., bytes]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one part of the guest program; returns what it prints."""
    program = tmp_path_factory.mktemp("parts") / "guest_parts"
    sources = [str(WRAPPERS / name) for name in SOURCES]
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Werror", "-Wl,--wrap=open,--wrap=read"]
    command = ["gcc", *flags, f"-iquote{WRAPPERS}", "-o", str(program), str(PARTS), *sources]
    subprocess.run(command, check=True)

    def run(*arguments: str, records: list[bytes] | None = None) -> bytes:
        feed = b"".join(record + b"\0" for record in records or [])
        return subprocess.run([program, *arguments], input=feed, check=True, stdout=subprocess.PIPE).stdout

    return run


def record(sequence: int, message: bytes, microseconds: int = 1_234_567, more: bytes = b"") -> bytes:
    return b"1,%d,%d,-%s;%s\n" % (sequence, microseconds, more, message)


def device(path: Path, size: int = 1 << 20) -> Path:
    """A file that looks like a new disk."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def log_on(path: Path) -> bytes:
    return path.read_bytes().split(b"\0", 1)[0]


# Text form


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (record(0, b"Linux version 6.12", 0), b"[    0.000000] Linux version 6.12\n"),
        (record(7, b"far", 123_456_789_012), b"[123456.789012] far\n"),
        (record(7, rb"tab\x09, \x1b[2J, back\x5cslash"), b"[    1.234567] tab\t, \x1b[2J, back\\slash\n"),
        (record(7, rb"two\x0alines"), b"[    1.234567] two\n[    1.234567] lines\n"),
        (record(7, rb"end of line\x0a"), b"[    1.234567] end of line\n[    1.234567] \n"),
        (record(7, b""), b"[    1.234567] \n"),
        (record(7, rb"a NUL \x00 stays"), b"[    1.234567] a NUL \\x00 stays\n"),
        (record(7, rb"not an escape: \xg0 \x1"), b"[    1.234567] not an escape: \\xg0 \\x1\n"),
        (record(7, b"with; semicolons"), b"[    1.234567] with; semicolons\n"),
        (record(7, b"a device\n SUBSYSTEM=usb\n DEVICE=c189:1"), b"[    1.234567] a device\n"),
        (record(7, b"who", more=b",caller=T12"), b"[    1.234567][   T12] who\n"),
        (record(7, b"who", more=b",future=1,caller=C0,x=y"), b"[    1.234567][    C0] who\n"),
        (record(7, b"caller=T1", more=b",x=y"), b"[    1.234567] caller=T1\n"),
        (b"4,7,1234567,c;a continued line\n", b"[    1.234567] a continued line\n"),
        (b"garbage", b"not a record\n"),
        (b"1,2;3,4,-;text", b"not a record\n"),
    ],
)
def test_a_record_becomes_what_a_serial_console_shows(run: Run, given: bytes, shown: bytes) -> None:
    assert run("text", records=[given]) == shown


def test_the_report_arrives_byte_for_byte(run: Run) -> None:
    payloads = (
        "hello 1",
        "plan 1",
        "start 1 t",
        r"out 1 tab\x09 and back\x5cslash",
        "end 1 exit 0 5",
        "done 1",
    )
    lines = [frame(number, payload) for number, payload in enumerate(payloads, 1)]
    records = [record(n, line.replace("\\", r"\x5c").encode()) for n, line in enumerate(lines)]
    text = run("text", records=records).decode()
    assert [line.removeprefix("[    1.234567] ") for line in text.splitlines()] == lines
    report = read_report(text.splitlines(), NONCE, [PlannedTest("t", ("/bin/t",), 1)])
    assert report.done
    assert report.tests[0].output == ("tab\t and back\\slash",)


# The copier


def test_everything_is_on_the_device_when_it_has_finished(run: Run, tmp_path: Path) -> None:
    disk = device(tmp_path / "disk")
    assert run("channel", str(disk), records=[record(n, b"line %d" % n) for n in range(5000)]) == b""
    assert log_on(disk) == b"".join(b"[    1.234567] line %d\n" % n for n in range(5000))
    assert disk.stat().st_size == 1 << 20


def test_records_that_were_overwritten_leave_a_mark(run: Run, tmp_path: Path) -> None:
    disk = device(tmp_path / "disk")
    run("channel", str(disk), records=[record(3, b"three"), b"EPIPE", record(10, b"ten")])
    lost = b"channel: %d records of the kernel log were overwritten before they could be copied\n"
    assert log_on(disk) == lost % 3 + b"[    1.234567] three\n" + lost % 6 + b"[    1.234567] ten\n"


@pytest.mark.parametrize(("size", "count"), [(1000, 100), (1001, 100), (1024, 100), (100_000, 4_200)])
def test_it_stops_at_the_end_of_the_device(run: Run, tmp_path: Path, size: int, count: int) -> None:
    disk = device(tmp_path / "disk", size)
    run("channel", str(disk), records=[record(n, b"line %d" % n) for n in range(count)])
    log = log_on(disk)
    assert log.endswith(FULL)
    assert disk.stat().st_size == size
    lines = log.removesuffix(FULL)
    assert lines == b"".join(b"[    1.234567] line %d\n" % n for n in range(lines.count(b"\n")))
    assert size - len(log) < len("[    1.234567] line 10000\n")


def test_the_device_may_come_later(run: Run, tmp_path: Path) -> None:
    def appear() -> None:
        time.sleep(0.1)
        device(tmp_path / "empty", 0).rename(tmp_path / "disk")
        time.sleep(0.1)
        device(tmp_path / "disk")

    appearing = threading.Thread(target=appear)
    appearing.start()
    output = run("channel", str(tmp_path / "disk"), records=[record(0, b"here")])
    appearing.join()
    assert (output, log_on(tmp_path / "disk")) == (b"", b"[    1.234567] here\n")


# The directive


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("channel /dev/dasda\n", "/dev/dasda"),
        ("", "none"),
        ("channel\n", "manifest line 2: channel wants `PATH`"),
        ("channel dasda\n", "manifest line 2: channel wants `PATH`"),
        ("attempted /var/tmp/attempted\n", "none"),
        ("attempted\n", "manifest line 2: attempted wants `PATH`"),
        ("attempted here\n", "manifest line 2: attempted wants `PATH`"),
        ("watchdog 10\n", "none"),
        ("watchdog 0\n", "manifest line 2: watchdog wants `SECONDS`"),
        ("watchdog ten\n", "manifest line 2: watchdog wants `SECONDS`"),
        ("gcov 262144\n", "none"),
        ("gcov 0\n", "manifest line 2: gcov wants `BYTES`"),
        ("channel /dev/dasda /dev/dasdb\n", "manifest line 2: channel wants `PATH`"),
    ],
)
def test_the_manifest_names_the_device(run: Run, tmp_path: Path, lines: str, answer: str) -> None:
    manifest = tmp_path / "manifest"
    manifest.write_text(f"nonce {NONCE}\n{lines}")
    assert run("manifest", str(manifest)).decode() == f"{answer}\n"


def test_what_the_harness_writes_is_understood(run: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest"
    tests = [PlannedTest("t", ("/bin/t", "x"), 1.0)]
    manifest.write_text(render(NONCE, tests, 1.0, "poweroff", "/dev/dasda", watchdog=9))
    assert run("manifest", str(manifest)) == b"/dev/dasda\n"
    plain = render(NONCE, tests, 1.0, "poweroff")
    assert "channel" not in plain and "watchdog" not in plain


@pytest.mark.parametrize("there", [True, False], ids=["pmsg", "no pmsg"])
def test_what_should_outlive_a_crash_is_kept_where_the_kernel_can(
    run: Run, tmp_path: Path, there: bool
) -> None:
    kmsg, pmsg = tmp_path / "kmsg", tmp_path / "pmsg"
    kmsg.touch()
    if there:
        pmsg.touch()
    run("milestones", str(kmsg), str(pmsg))
    lines = [frame(1, "start 1 one"), frame(2, "out 1 words"), frame(3, "end 1 exit 0 5")]
    assert kmsg.read_text().replace("<1>", "").splitlines() == lines
    if there:
        assert pmsg.read_text().splitlines() == [lines[0], lines[2]]


# On an installed system

LEAVE_DAEMONS = """#!/bin/sh
setsid sh -c 'trap "" TERM HUP; setsid sleep 987 & sleep 987' &
setsid sleep 987 &
cat /proc/self/oom_score_adj
"""


def processes_with(mark: str) -> list[Path]:
    """Those that have it in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(path)
    return found


def test_what_a_test_leaves_behind_is_killed_and_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEFT_BY", mark := f"{tmp_path}/mark")
    script, kmsg, kept, manifest = (tmp_path / name for name in ("daemons", "kmsg", "kept", "manifest"))
    script.write_text(LEAVE_DAEMONS)
    script.chmod(0o755)
    kmsg.touch()
    test = f"test daemons 30000 {script}\n"
    manifest.write_text(f"nonce {NONCE}\nattempted {kept}\n{test}{test}test gone 1000 /nonexistent\n")
    bystander = subprocess.Popen(["sleep", "987"], start_new_session=True)
    try:
        run("run", str(manifest), str(kmsg))
        assert processes_with(mark) == [Path(f"/proc/{bystander.pid}/environ")]
    finally:
        bystander.kill()
        bystander.wait()
    lines = kmsg.read_text().replace("<1>", "").splitlines()
    planned = [PlannedTest(name, ("/bin/t",), 30) for name in ("daemons", "daemons", "gone")]
    report = read_report(lines, NONCE, planned)
    assert [test.output for test in report.tests] == [("0",), ("0",), ()]
    ends = [line for line in lines if " start " in line or " end " in line]
    assert len(ends) == 6
    assert kept.read_text().splitlines() == ends
