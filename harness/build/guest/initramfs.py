# SPDX-License-Identifier: GPL-2.0-only
"""Writes initramfs archives in the kernel's `newc` format, byte for byte reproducible.

Format: Documentation/driver-api/early-userspace/buffer-format.rst. Archives may be concatenated,
so a boot's own files (its manifest) are appended to the programs that all boots share.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"070701"
ALIGNMENT = 4
HEADER_BYTES = 110
TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory (content None), file or character device of an archive."""

    mode: int
    content: bytes | None = None
    device: tuple[int, int] = (0, 0)


def program(path: Path) -> Entry:
    """An executable file."""
    return Entry(stat.S_IFREG | 0o755, path.read_bytes())


def text(content: str) -> Entry:
    """A readable text file."""
    return Entry(stat.S_IFREG | 0o644, content.encode())


def console() -> Entry:
    """/dev/console, which the kernel opens for pid 1 before anything is mounted."""
    return Entry(stat.S_IFCHR | 0o600, device=(5, 1))


def archive(entries: Mapping[str, Entry]) -> bytes:
    """Pack entries (path without leading slash → entry), with the directories they need."""
    folders = {
        str(parent): Entry(stat.S_IFDIR | 0o755)
        for name in entries
        for parent in Path(name).parents
        if str(parent) != "."
    }
    members = sorted({**folders, **entries}.items())
    packed = b"".join(_member(number, name, entry) for number, (name, entry) in enumerate(members, 1))
    return packed + _member(0, TRAILER, Entry(0))


def _member(number: int, name: str, entry: Entry) -> bytes:
    encoded = name.encode() + b"\0"
    content = entry.content or b""
    fields = (
        number,
        entry.mode,
        0,  # uid
        0,  # gid
        2 if stat.S_ISDIR(entry.mode) else 1,
        0,  # mtime
        len(content),
        0,  # device that holds the file
        0,
        *entry.device,
        len(encoded),
        0,  # checksum, unused in this format
    )
    header = MAGIC + b"".join(b"%08X" % field for field in fields)
    return _padded(header + encoded) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)


def as_one(archives: bytes) -> bytes:
    """Several archives behind each other as one; a tool that unpacks and repacks it sees only the first.

    Raises:
        ValueError: if these are no archives of this format.
    """
    found = b"".join(archives[place.start : place.stop] for place, _, _ in _members(archives))
    return found + _member(0, TRAILER, Entry(0))


def unpacked(archives: bytes) -> Mapping[str, Entry]:
    """What several archives behind each other hold; of members with the same name the last one counts.

    Raises:
        ValueError: if these are no archives of this format.
    """
    return {name: entry for _, name, entry in _members(archives)}


def _members(archives: bytes) -> Iterator[tuple[range, str, Entry]]:
    """Where each member stands, its name, and what it is."""
    at = 0
    while at < len(archives):
        if archives[at] == 0:
            at += 1  # between archives there may be any number of zeros
            continue
        name, entry, end = _member_at(archives, at)
        if name != TRAILER:
            yield range(at, end), name, entry
        at = end


def _member_at(archives: bytes, at: int) -> tuple[str, Entry, int]:
    """The member at an offset, and where the next one begins."""
    header = archives[at : at + HEADER_BYTES]
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise ValueError(f"no member of a newc archive at byte {at}")
    fields = [int(header[first : first + 8], 16) for first in range(len(MAGIC), HEADER_BYTES, 8)]
    mode, content_bytes, name_bytes = fields[1], fields[6], fields[11]
    begin = at + HEADER_BYTES
    name = archives[begin : begin + name_bytes - 1].decode()
    content = begin + name_bytes + -(begin + name_bytes - at) % ALIGNMENT
    end = content + content_bytes
    is_file = stat.S_ISREG(mode)
    entry = Entry(mode, archives[content:end] if is_file else None, (fields[9], fields[10]))
    return name, entry, end + -content_bytes % ALIGNMENT
