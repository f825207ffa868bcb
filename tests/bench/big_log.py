# SPDX-License-Identifier: GPL-2.0-only
"""A console log of 1 GiB, as a guest writes it that never stops complaining.

`python -m tests.bench.big_log FILE` reads one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from results.console.report import read_report
from results.model.run import PlannedTest, Status
from results.splats.find import MOST_SPLATS, find_splats
from tests.bench.bench import Bench, BenchError, environment, run_to_end
from tests.bench.clock import Span, clocked
from tests.bench.figure import Measured
from tests.bench.memory import PeakMemory

LOG_BYTES = 1 << 30
SMALL = 64
"""Lines between two reports of the kernel."""
GOLDEN = Path(__file__).parents[1] / "golden" / "console" / "x86_64-series.log"
NONCE = "0123456789abcdef"
PLANNED = (PlannedTest("chatty", ("/bin/chatty",), 30.0),)
OUTPUT_LINES = 10_000
LONG_LINE = "x" * (1 << 20)


def big_log(bench: Bench) -> Measured:
    """Seconds to read it."""
    span, _ = bench.once(_read)
    return Measured((span.wall,), f"a report of the kernel every {SMALL} lines; {span.cost}")


def big_log_memory(bench: Bench) -> Measured:
    """Peak of the process that reads it."""
    _, mib = bench.once(_read)
    return Measured((mib,), "read as a stream")


def _read(bench: Bench) -> tuple[Span, float]:
    log = bench.folder / "big.log"
    write_log(log, LOG_BYTES)
    memory = PeakMemory()
    command = (sys.executable, "-m", "tests.bench.big_log", str(log))
    try:
        return clocked(lambda: run_to_end(command, environment(), memory=memory)), memory.mib
    finally:
        log.unlink()


def write_log(path: Path, size: int) -> None:
    """Write a log of about `size` bytes: a test with output, then lines and reports of the kernel."""
    kernel = [line for line in GOLDEN.read_text(errors="replace").splitlines() if "THP:" not in line]
    with path.open("w") as log:
        written = sum(log.write(line + "\n") for line in _guest_lines())
        number = 0
        while written < size:
            number += 1
            first = number * SMALL % len(kernel)
            written += sum(log.write(line + "\n") for line in kernel[first : first + SMALL])
            written += log.write(_warning(number))
            if number % 100_000 == 0:
                written += log.write(LONG_LINE + "\n")


def _guest_lines() -> Iterator[str]:
    said = [
        "hello 1",
        "plan 1",
        "start 1 chatty",
        *("out 1 # a line of output" for _ in range(OUTPUT_LINES)),
        *(f"out 1 {line}" for line in ("TAP version 13", "1..1", "ok 1 done")),
        "end 1 exit 0 5",
        "done 1",
    ]
    for seq, payload in enumerate(said, start=1):
        yield f"THP:{NONCE}:{seq}:{zlib.crc32(f'{seq} {payload}'.encode()):08x} {payload}"


def _warning(number: int) -> str:
    lines = (
        "------------[ cut here ]------------",
        f"WARNING: CPU: 0 PID: {number} at mm/x.c:{number} split_{_letters(number % 500)}+0x12/0x30",
        "Call Trace:",
        " <TASK>",
        " do_syscall_64+0x9e/0x1a0",
        " </TASK>",
        "---[ end trace 0000000000000000 ]---",
    )
    return "".join(f"[{number:>8}.000000] {line}\n" for line in lines)


def _letters(number: int) -> str:
    """A function's name can't differ by digits alone: those are no part of a signature."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def main(path: Path) -> None:
    """Read a log as the harness does.

    Raises:
        BenchError: if it does not find what is in there.
    """
    with path.open(encoding="utf-8", errors="replace", newline="\n") as log:
        report = read_report(log, NONCE, PLANNED)
    splats = find_splats(report.kernel_lines)
    if report.tests[0].status is not Status.PASS or len(splats) < MOST_SPLATS:
        raise BenchError(f"{path}: {report.tests[0].status}, {len(splats)} reports of the kernel")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
