# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel leaves behind for the next one: pstore (Documentation/admin-guide/ramoops.rst).

A kernel keeps its last words in memory that a restart leaves alone, or in the firmware's flash. The next one
shows them as files, which systemd-pstore(8) moves to a folder of its own.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from harness.machines.console_filter import _NUMBERED, last_number
from harness.machines.host.remote.ssh import Link

FOLDERS = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
MOST_FILES = 200
MOST_BYTES = 4 << 20
"""Of one file."""
_NAME = r"[\w.+-]+(?:/[\w.+-]+)*"
_PART = re.compile(rb"\w+#(\d+) Part(\d+)\n")
"""How each part of a dump begins: the number of the crash, and of the part; the last words are in part 1."""
_LEVEL = re.compile(rb"^<\d+>", re.MULTILINE)
"""The console shows none."""


def inventory(link: Link) -> frozenset[str]:
    """What is there, by content.

    Raises:
        LinkError: if the host can't be asked.
    """
    return frozenset(digest for digest, _ in _listed(link))


def collect(link: Link, known: frozenset[str]) -> Mapping[str, bytes]:
    """Take what was not there before, and remove it there: flash is small. Name below its folder → content.

    Raises:
        LinkError: if the host can't be asked.
    """
    taken: dict[str, bytes] = {}
    for digest, path in _listed(link):
        if digest in known:
            continue
        words = " ".join(shlex.quote(f"{folder}/{path}") for folder in FOLDERS)
        # It may be moved from the one folder to the other just now.
        take = f"[ -f $file ] && head -c {MOST_BYTES} $file | base64 && rm -f $file && break"
        said = link.run_as_root(f"for file in {words}; do {take}; done")
        with contextlib.suppress(binascii.Error):
            taken[path] = base64.b64decode(said.out)
    return {path: content for path, content in taken.items() if content}


def _listed(link: Link) -> Iterator[tuple[str, str]]:
    pattern = re.compile(rf"([0-9a-f]{{64}})  (?:{'|'.join(FOLDERS)})/({_NAME})")
    command = f"find {' '.join(FOLDERS)} -type f -exec sha256sum {{}} + 2>/dev/null"
    for line in link.run_as_root(f"{command} | head -n {MOST_FILES}").out.splitlines():
        if listed := pattern.fullmatch(line):
            yield listed[1], listed[2]


def unheard(files: Mapping[str, bytes], number: int, shown: bytes = b"") -> bytes:
    """What the files say beyond the guest program's line of this number, but for lines that were shown."""
    known = set(shown.splitlines())
    said: list[bytes] = []
    for text in _texts(files):
        part = _beyond(text, number)
        number = max(number, last_number(part))
        new = [line for line in part.splitlines() if line not in known]
        said += new
        known.update(new)
    return b"".join(line + b"\n" for line in said)


def _texts(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The kernel's whole console if it was kept; else the marks of the tests, and how the log ended."""
    named = [(PurePosixPath(path).name, content) for path, content in sorted(files.items())]
    consoles = [content for name, content in named if name.startswith("console-")]
    yield from consoles
    yield from (content for name, content in named if name.startswith("pmsg-"))
    if not consoles:
        yield _last_dump(content for name, content in named if name.startswith("dmesg-"))


def _last_dump(contents: Iterator[bytes]) -> bytes:
    """The parts of the last crash, in order; what is compressed has no heading that can be read."""
    parts = [
        (int(head[1]), -int(head[2]), text[head.end() :]) for text in contents if (head := _PART.match(text))
    ]
    last = max((crash for crash, _, _ in parts), default=0)
    text = b"".join(text for crash, _, text in sorted(parts) if crash == last)
    return _LEVEL.sub(b"", text)


def _beyond(text: bytes, number: int) -> bytes:
    end = 0
    for line in _NUMBERED.finditer(b"\n" + text):
        if int(line[1]) <= number:
            end = line.end() - 1
    return text[end:].lstrip(b"\r\n")
