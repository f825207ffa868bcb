# SPDX-License-Identifier: GPL-2.0-only
"""Reads the kernel's log out of a dump of a guest's memory.

Nothing but the kernel's System.map is needed: the dump is searched for the banner that begins with
`Linux version`, which says where the kernel is. The layout of printk's ring buffer is that of
kernel/printk/printk_ringbuffer.h on 64-bit big-endian machines, from Linux 5.10 on. What is in the
dump is not trusted: every address is checked, and every loop has a bound.
"""

from __future__ import annotations

import bisect
import itertools
import mmap
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BANNER = b"Linux version "
PAGE = 4096
MOST_CANDIDATES = 64
"""Candidates for the banner that are tried; a log that quotes it has one more each time."""
_COUNT_BITS = range(3, 19)
_SIZE_BITS = range(8, 25)
_ID_MASK = (1 << 62) - 1
_COMMITTED, _FINALIZED = 1, 2
_DESCRIPTOR = struct.Struct(">QQQ")
"""State and id in one; where the text begins, and where the next one does."""
_INFO = struct.Struct(">8xQH2xI64x")
"""Time in nanoseconds, length of the text, caller."""
_CALLER_IS_CPU = 1 << 31
"""In `caller_id` of `struct printk_info`: else the rest is the number of a task (kernel/printk/printk.c)."""
_ID = struct.Struct(">Q")


class Unreadable(Exception):  # noqa: N818 - says what a dump is, not that somebody erred
    """A dump or System.map without the data that is looked for."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """A kernel's System.map."""

    addresses: Mapping[str, int]
    """Of everything, by name; of equal names any one."""
    code_addresses: Sequence[int]
    """Of functions, ascending."""
    code_names: Sequence[str]


def read_symbols(system_map: Path) -> Symbols:
    """Read a System.map.

    Raises:
        Unreadable: if it is not there, or is no System.map.
    """
    addresses, code = {}, []
    try:
        for line in system_map.read_text(encoding="ascii").splitlines():
            address, kind, name = line.split(maxsplit=2)
            addresses[name] = int(address, 16)
            if kind in "tTwW":
                code.append((int(address, 16), name))
    except OSError as error:
        raise Unreadable(f"{system_map}: {error.strerror}") from None
    except ValueError as error:
        raise Unreadable(f"{system_map}: {error}") from None
    code.sort()
    return Symbols(addresses, [address for address, _ in code], [name for _, name in code])


@dataclass(frozen=True, slots=True)
class FoundKernel:
    """A kernel in a dump, with its log."""

    symbols: Symbols
    loaded_by: int
    """Physical addresses minus those of System.map."""
    moved_by: int
    """Virtual addresses minus those of System.map."""
    log: tuple[bytes, ...]
    """Lines as a serial console shows them with CONFIG_PRINTK_CALLER, without their ends."""

    def function_at(self, address: int) -> str:
        """`name+0x1f` for a virtual address of the kernel's code; empty for any other."""
        linked = address - self.moved_by
        position = bisect.bisect_right(self.symbols.code_addresses, linked) - 1
        if position < 0 or linked >= self.symbols.addresses.get("_etext", 0):
            return ""
        offset = linked - self.symbols.code_addresses[position]
        return f"{self.symbols.code_names[position]}+{offset:#x}"


def find_kernel(dump: Path, symbols: Symbols) -> FoundKernel:
    """Find the running kernel in a dump, and read its log.

    A copy of the image that was never run may be in memory too; the one with the longest log is taken.

    Raises:
        Unreadable: if there is none.
    """
    try:
        with dump.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            found = list(_kernels(memory, symbols))
    except KeyError as error:
        raise Unreadable(f"System.map has no symbol {error.args[0]}") from None
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise Unreadable(f"{dump.name}: {error}") from None
    if not found:
        raise Unreadable(
            f"no kernel of this System.map is in the {dump.stat().st_size >> 20} MiB of the dump"
        )
    return max(found, key=lambda kernel: len(kernel.log))


def _kernels(memory: mmap.mmap, symbols: Symbols) -> Iterator[FoundKernel]:
    """Whatever could be a kernel: its banner stands a whole number of pages from where it was linked to."""
    for position in _banners(memory):
        loaded_by = position - symbols.addresses["linux_banner"]
        if loaded_by % PAGE:
            continue
        try:
            yield from _kernel_loaded_by(memory, symbols, loaded_by)
        except Unreadable:
            continue


def _banners(memory: mmap.mmap) -> list[int]:
    """Where banners stand; by a pattern, because mmap.find crashes Debian 12's Python (3.11.2)."""
    found = re.finditer(re.escape(BANNER), memory)
    return [banner.start() for banner in itertools.islice(found, MOST_CANDIDATES)]


def _kernel_loaded_by(memory: mmap.mmap, symbols: Symbols, loaded_by: int) -> Iterator[FoundKernel]:
    (ring,) = _unpack(_ID, memory, symbols.addresses["prb"] + loaded_by)
    for name in ("printk_rb_static", "printk_rb_dynamic"):
        moved_by = ring - symbols.addresses.get(name, 1)
        if moved_by >= 0 and not moved_by % PAGE:
            log = _Ring(memory, symbols, loaded_by, moved_by).lines(symbols.addresses[name] + loaded_by)
            yield FoundKernel(symbols, loaded_by, moved_by, tuple(log))


def _unpack(layout: struct.Struct, memory: mmap.mmap, address: int) -> tuple[int, ...]:
    if not 0 <= address <= len(memory) - layout.size:
        raise Unreadable(f"address {address:#x} is not in the dump")
    return layout.unpack_from(memory, address)


class _Ring:
    """printk's ring buffer: descriptors, their infos, and the text."""

    _HEAD = struct.Struct(">I4xQQQQ")
    _TEXT = struct.Struct(">IIQ")

    def __init__(self, memory: mmap.mmap, symbols: Symbols, loaded_by: int, moved_by: int) -> None:
        self._memory = memory
        self._image = range(symbols.addresses["_text"] + moved_by, symbols.addresses["_end"] + moved_by)
        self._to_physical = loaded_by - moved_by
        self._size = 0
        self._text = 0

    def _physical(self, address: int) -> int:
        """Memory outside of the image is mapped to its own address."""
        return address + self._to_physical if address in self._image else address

    def lines(self, address: int) -> Iterator[bytes]:
        """All lines of the ring buffer at a physical address, the oldest first."""
        bits, descriptors, infos, head, tail = _unpack(self._HEAD, self._memory, address)
        if bits not in _COUNT_BITS:
            raise Unreadable(f"a ring buffer of 2^{bits} records")
        self._find_text(address + self._HEAD.size)
        count = 1 << bits
        for step in range(min(count, ((head - tail) & _ID_MASK) + 1)):
            number = (tail + step) & _ID_MASK
            index = number % count
            descriptor = self._physical(descriptors) + index * _DESCRIPTOR.size
            text = self._text_of(number, _unpack(_DESCRIPTOR, self._memory, descriptor))
            if text is not None:
                info = _unpack(_INFO, self._memory, self._physical(infos) + index * _INFO.size)
                yield from _lines_of(text[: info[1]], info[0], info[2])

    def _find_text(self, address: int) -> None:
        """Linux 6.7 has one more field before it, a sequence number: its upper half is zero."""
        for place in (address, address + 8):
            bits, padding, text = _unpack(self._TEXT, self._memory, place)
            if bits in _SIZE_BITS and not padding:
                self._size, self._text = 1 << bits, self._physical(text)
                return
        raise Unreadable("a ring buffer without text")

    def _text_of(self, number: int, descriptor: Sequence[int]) -> bytes | None:
        """A record's text with the padding behind it; None where there is no such record."""
        state, begin, following = descriptor
        if state >> 62 not in (_COMMITTED, _FINALIZED) or state & _ID_MASK != number:
            return None
        if begin & following & 1:  # a record without text
            return b""
        start, end = begin % self._size, following % self._size
        if begin // self._size != following // self._size and end:
            start = 0  # the block did not fit in what was left at the end
        elif not end:
            end = self._size
        if end - start < _ID.size or _unpack(_ID, self._memory, self._text + start)[0] != number:
            return None
        return self._memory[self._text + start + _ID.size : self._text + end]


def _lines_of(text: bytes, nanoseconds: int, caller_id: int) -> Iterator[bytes]:
    seconds, microseconds = divmod(nanoseconds // 1000, 1_000_000)
    caller = b"%c%d" % (b"C" if caller_id & _CALLER_IS_CPU else b"T", caller_id & ~_CALLER_IS_CPU)
    for line in text.replace(b"\0", rb"\x00").split(b"\n"):
        yield b"[%5d.%06d][%6s] %s" % (seconds, microseconds, caller, line)
