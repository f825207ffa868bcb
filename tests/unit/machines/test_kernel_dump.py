# SPDX-License-Identifier: GPL-2.0-only
"""printk's ring buffer, found in memory dumps: made up ones, damaged ones, and a real one."""

from __future__ import annotations

import lzma
import random
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.machines.hercules.dump import Symbols, Unreadable, find_kernel, read_symbols

GOLDEN = Path(__file__).parents[2] / "golden" / "dump"
COUNT_BITS, SIZE_BITS = 3, 8
FIRST_ID = (1 << 62) - (1 << COUNT_BITS)
"""printk starts just before its numbers wrap around."""
FINAL, COMMITTED, RESERVED = 2, 1, 0
LINKED = {"_text": 0x100000, "linux_banner": 0x101000, "prb": 0x102000, "printk_rb_static": 0x102010}
DESCRIPTORS, INFOS, TEXT, ETEXT, END = 0x103000, 0x104000, 0x105000, 0x100800, 0x106000
MOVED_BY = 0x3FFE0000000


@dataclass
class FakeKernel:
    """Writes a kernel with a small log into memory, the way that printk does."""

    loaded_by: int = 0x200000
    newer: bool = True
    """Linux 6.7 and later have one more field."""
    moved_by: int = MOVED_BY

    def __post_init__(self) -> None:
        self.memory = bytearray(END + self.loaded_by)
        self.number = self.head = 0
        self.put(LINKED["linux_banner"], b"Linux version 6.12.0 (somebody@somewhere)\0")
        self.put(LINKED["prb"], struct.pack(">Q", LINKED["printk_rb_static"] + self.moved_by))

    def put(self, linked: int, content: bytes) -> None:
        place = linked + self.loaded_by
        self.memory[place : place + len(content)] = content

    def say(
        self, text: bytes, state: int = FINAL, nanoseconds: int = 1_234_567_999, caller: int = 1 << 31
    ) -> None:
        """Store a record; like printk, a text that does not fit at the end is put at the start."""
        identity = (FIRST_ID + self.number) & (1 << 62) - 1
        index = identity % (1 << COUNT_BITS)
        begin, following = self.store(identity, text)
        descriptor = struct.pack(">QQQ", state << 62 | identity, begin, following)
        self.put(DESCRIPTORS + index * 24, descriptor)
        info = struct.pack(">QQHBBI64x", self.number, nanoseconds, len(text), 0, 6, caller)
        self.put(INFOS + index * 88, info)
        self.number += 1

    def store(self, identity: int, text: bytes) -> tuple[int, int]:
        if not text:
            return 3, 3
        length = (8 + len(text) + 7) // 8 * 8
        size, begin = 1 << SIZE_BITS, self.head
        place = begin % size
        if place + length > size:
            place, self.head = 0, (begin // size + 1) * size
        self.put(TEXT + place, struct.pack(">Q", identity) + text.ljust(length - 8, b"\xaa"))
        self.head += length
        return begin, self.head

    def symbols(self) -> Symbols:
        addresses = {**LINKED, "_etext": ETEXT, "_end": END}
        return Symbols(addresses, [0x100000, 0x100400], ["start_kernel", "cpu_idle"])

    def write(self, path: Path, records: int = 1 << COUNT_BITS) -> Path:
        last = (FIRST_ID + self.number - 1) & (1 << 62) - 1
        first = (last - min(records, self.number) + 1) & (1 << 62) - 1
        pointers = struct.pack(">QQQQ", DESCRIPTORS + self.moved_by, INFOS + self.moved_by, last, first)
        finalized = struct.pack(">Q", self.number) if self.newer else b""
        text = struct.pack(">IIQQQ", SIZE_BITS, 0, TEXT + self.moved_by, self.head, 0)
        ring = struct.pack(">II", COUNT_BITS, 0) + pointers + finalized + text
        self.put(LINKED["printk_rb_static"], ring)
        path.write_bytes(self.memory)
        return path


def log_of(kernel: FakeKernel, tmp_path: Path) -> tuple[bytes, ...]:
    return find_kernel(kernel.write(tmp_path / "core"), kernel.symbols()).log


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize(("loaded_by", "moved_by"), [(0, 0), (0x200000, MOVED_BY), (0x300000, 0)])
def test_the_log_is_read_in_console_form(tmp_path: Path, newer: bool, loaded_by: int, moved_by: int) -> None:
    kernel = FakeKernel(loaded_by, newer, moved_by)
    kernel.say(b"Linux version 6.12.0", nanoseconds=0)
    kernel.say(b"two\nlines\0")
    kernel.say(b"")
    kernel.say(b"from a task", caller=1234567)
    kernel.say(b"being continued", COMMITTED, nanoseconds=123_456_000_001_999, caller=1 << 31 | 12)
    assert log_of(kernel, tmp_path) == (
        b"[    0.000000][    C0] Linux version 6.12.0",
        b"[    1.234567][    C0] two",
        b"[    1.234567][    C0] lines\\x00",
        b"[    1.234567][    C0] ",
        b"[    1.234567][T1234567] from a task",
        b"[123456.000001][   C12] being continued",
    )


def test_a_log_that_has_gone_round_several_times(tmp_path: Path) -> None:
    kernel = FakeKernel()
    for number in range(100):
        kernel.say(b"line %d %s" % (number, b"x" * (number % 9)))
    kernel.write(tmp_path / "core", records=5)
    log = find_kernel(tmp_path / "core", kernel.symbols()).log
    assert log == tuple(b"[    1.234567][    C0] line %d %s" % (n, b"x" * (n % 9)) for n in range(95, 100))


def test_a_record_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    kernel = FakeKernel()
    for text, state in ((b"before", FINAL), (b"half", RESERVED), (b"after", FINAL)):
        kernel.say(text, state)
    assert log_of(kernel, tmp_path) == (b"[    1.234567][    C0] before", b"[    1.234567][    C0] after")


def test_a_text_that_is_another_records_is_left_out(tmp_path: Path) -> None:
    kernel = FakeKernel()
    kernel.say(b"overwritten")
    kernel.say(b"kept")
    kernel.put(TEXT, b"\0" * 8)
    assert log_of(kernel, tmp_path) == (b"[    1.234567][    C0] kept",)


def test_a_copy_that_was_never_run_is_not_the_kernel(tmp_path: Path) -> None:
    kernel = FakeKernel(loaded_by=0x800000)
    kernel.say(b"running")
    core = kernel.write(tmp_path / "core")
    copy = FakeKernel(loaded_by=0)
    content = copy.write(tmp_path / "copy").read_bytes()
    core.write_bytes(content + core.read_bytes()[len(content) :])
    found = find_kernel(core, kernel.symbols())
    assert (found.loaded_by, found.log) == (0x800000, (b"[    1.234567][    C0] running",))


def test_addresses_are_given_as_function_and_offset(tmp_path: Path) -> None:
    kernel = FakeKernel()
    found = find_kernel(kernel.write(tmp_path / "core"), kernel.symbols())
    assert found.function_at(MOVED_BY + 0x100410) == "cpu_idle+0x10"
    assert found.function_at(MOVED_BY + 0x100000) == "start_kernel+0x0"
    assert [found.function_at(address) for address in (0, 0x100410, MOVED_BY + ETEXT)] == ["", "", ""]


# What can't be read


def test_memory_without_a_kernel(tmp_path: Path) -> None:
    core = tmp_path / "core"
    for content in (b"", b"\0" * 5000, b"Linux version " * 5000):
        core.write_bytes(content)
        with pytest.raises(Unreadable):
            find_kernel(core, FakeKernel().symbols())
    with pytest.raises(Unreadable):
        find_kernel(tmp_path / "missing", FakeKernel().symbols())


def test_damaged_memory_gives_lines_or_a_reason_and_never_takes_long(tmp_path: Path) -> None:
    kernel = FakeKernel()
    for number in range(20):
        kernel.say(b"line %d" % number)
    whole = kernel.write(tmp_path / "core").read_bytes()
    ring = LINKED["printk_rb_static"] + kernel.loaded_by
    chance = random.Random(1)
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            area, size = chance.choice([(ring, 96), (DESCRIPTORS + kernel.loaded_by, 192), (ring - 16, 8)])
            damaged[area + chance.randrange(size)] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        (tmp_path / "core").write_bytes(damaged[: chance.choice([len(damaged), ring + 40, ring + 96])])
        try:
            log = find_kernel(tmp_path / "core", kernel.symbols()).log
        except Unreadable:
            continue
        assert sum(map(len, log)) < 1 << 20


@pytest.mark.parametrize("text", ["", "not a map\n", "zz T name\n", "0000 T name\n"])
def test_a_file_that_is_no_system_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "System.map").write_text(text)
    core = FakeKernel().write(tmp_path / "core")
    with pytest.raises(Unreadable):
        find_kernel(core, read_symbols(tmp_path / "System.map"))
    with pytest.raises(Unreadable, match="No such file"):
        read_symbols(tmp_path / "missing")


# The real one


def test_the_trace_of_a_real_panic(tmp_path: Path) -> None:
    core = tmp_path / "core"
    core.write_bytes(lzma.decompress((GOLDEN / "s390-panic.dump.xz").read_bytes()))
    found = find_kernel(core, read_symbols(GOLDEN / "System.map"))
    assert (found.loaded_by, found.moved_by) == (0, MOVED_BY)
    text = b"\n".join(found.log).decode()
    assert text.startswith("[    0.0") and "Linux version 6.12.117+" in text.splitlines()[0]
    before, _, after = text.partition("Kernel panic - not syncing: sysrq triggered crash\n")
    assert before.splitlines()[-2].endswith("sysrq: Trigger a crash")
    assert [line.partition("] ")[2].strip() for line in after.splitlines()] == [
        "CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.117+ #1",
        "Hardware name: HRC 2097 EMULATOR EMULATOR (LPAR)",
        "Call Trace:",
        "[<000003ffe0120484>] panic+0x11c/0x300",
        "[<000003ffe02f8398>] sysrq_handle_showregs+0x0/0x48",
        "[<000003ffe02f8858>] __handle_sysrq+0xf8/0x180",
        "[<000003ffe02f898e>] write_sysrq_trigger+0x86/0xa8",
        "[<000003ffe02940e4>] proc_reg_write+0x94/0xb0",
        "[<000003ffe0243bde>] vfs_write+0x96/0x168",
        "[<000003ffe0243e10>] ksys_write+0x80/0xc8",
        "[<000003ffe036f546>] __do_syscall+0x18e/0x208",
        "[<000003ffe03768c0>] system_call+0x78/0xa0",
    ]
    assert found.function_at(0x3FFE0120484) == "panic+0x11c"
