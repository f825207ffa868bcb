# SPDX-License-Identifier: GPL-2.0-only
"""Whether the kernel that runs somewhere is the one that was built."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_GNU = b"GNU\0"
_BUILD_ID = 3
_HEADER = "III"
"""Of an ELF note: bytes of its name, bytes of its content, its type (elf(5)); in the kernel's byte order."""
WHAT_TELLS = "cat /proc/sys/kernel/osrelease; base64 /sys/kernel/notes 2>/dev/null || :"
"""What a running kernel is to be asked."""


def mismatch(vmlinux: Path, release: str, notes: bytes) -> str:
    """Why a kernel of this release, with these ELF notes, is not the one of `vmlinux`; empty if it may be."""
    if not vmlinux.is_file():
        return ""
    with vmlinux.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as built:
        if built.find(b"Linux version " + release.encode() + b" ") < 0:
            return f"the kernel that runs there calls itself {release}, the one that was built does not"
        for note in _build_ids(notes):
            if built.find(note) < 0:
                return f"build id {note[-20:].hex()} runs there, the kernel that was built has another"
    return ""


def _build_ids(notes: bytes) -> Iterator[bytes]:
    """Each note with a build id, whole."""
    for order in "<>":
        at, header = 0, struct.Struct(order + _HEADER)
        while at + header.size <= len(notes):
            name_bytes, content_bytes, kind = header.unpack_from(notes, at)
            content = at + header.size + name_bytes + -name_bytes % 4
            end = content + content_bytes
            if kind == _BUILD_ID and notes[at + header.size :].startswith(_GNU) and end <= len(notes):
                yield notes[at:end]
            at = end + -content_bytes % 4
