# SPDX-License-Identifier: GPL-2.0-only
"""The guest program on a host's installed system: how it gets there, is started, followed and cleared away.

All of it is in one folder of the host, on a disk, and survives a crash.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import shlex
import stat
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.build.guest.initramfs import unpacked
from harness.build.guest.manifest import ATTEMPTED, LOG, PATH_IN_GUEST
from harness.config.host import HostRecord
from harness.machines.host.remote.ssh import Link, LinkError

LOG_BYTES = 64 << 20
"""The log's size, and the most that it may hold; unwritten parts take no room."""
CHUNK_BYTES = 256 << 10
MOST_BYTES = 4 << 20
"""What is fetched of a log that was not read to its end."""
UNPACK_SECONDS = 120.0
_BOOT = "read -r boot </proc/sys/kernel/random/boot_id"
_UNPACK = f"""\
set -eu
umask 077
rm -rf {{folder}}
mkdir -p {{folder}}
cd {{folder}}
tar -xzf {{archive}}
truncate -s {LOG_BYTES} {LOG}
sync
"""
_START = f"""\
set -eu
cd {{folder}}
{_BOOT}
mkdir started.$boot 2>/dev/null || exit 0
run='./init {{folder}}/{PATH_IN_GUEST}; echo $? >ended.new; mv ended.new ended'
setsid sh -c "$run" >/dev/null 2>&1 </dev/null &
"""
"""Once in each boot, however often the connection is lost; it goes on without one."""
_LOOK = f"""\
cat /proc/sys/kernel/random/boot_id
cd {{folder}} || exit
cat ended 2>/dev/null || echo -
tail -c +{{place}} {LOG} | head -c {{most}} | tr -d '\\000' | base64
"""
"""In this order: what ended before the log was read has said all that is in it."""


@dataclass(frozen=True, slots=True)
class GuestProgress:
    """What is new of the guest program."""

    boot_id: str
    status: int | None
    """With which it has ended, if it has."""
    lines: bytes
    """Whole lines of its log."""


def guest_folder(record: HostRecord) -> str:
    """Where it stands on the host."""
    return f"{record.folder}/system"


def install(link: Link, initramfs: Path) -> None:
    """Have the files of an initramfs in its folder, and nothing else.

    Raises:
        LinkError: if the connection fails, or there is no room.
    """
    with link.scratch() as folder:
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
            archive.write(as_tar(initramfs.read_bytes()))
            archive.flush()
            link.upload(Path(archive.name), f"{folder}/programs")
        script = _UNPACK.format(folder=_place(link), archive=f"{folder}/programs")
        said = link.run_as_root(script, UNPACK_SECONDS)
    if said.code:
        raise LinkError(f"{link.record.name}: the guest program could not be copied: {said.complaint}")


def is_started(link: Link) -> bool:
    """Whether it was started in this boot.

    Raises:
        LinkError: if the connection fails.
    """
    return link.run_as_root(f"{_BOOT}; test -d {_place(link)}/started.$boot").code == 0


def as_tar(initramfs: bytes) -> bytes:
    """Its files as an archive that every host can unpack; devices and folders are left out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, entry in unpacked(initramfs).items():
            if entry.content is None:
                continue
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(entry.content), stat.S_IMODE(entry.mode)
            archive.addfile(member, io.BytesIO(entry.content))
    return packed.getvalue()


def start(link: Link) -> None:
    """Start it, detached, unless it was started in this boot before.

    Raises:
        LinkError: if that fails.
    """
    link.ask_root_script(_START.format(folder=_place(link)))


def look_after(link: Link, offset: int) -> GuestProgress:
    """What its log says from an offset on, up to a bound.

    Raises:
        LinkError: if the connection fails, or its folder is gone.
    """
    script = _LOOK.format(folder=_place(link), place=offset + 1, most=CHUNK_BYTES)
    said = link.ask_root_script(script).split("\n", 2)
    try:
        boot_id, status, encoded = said
        text = base64.b64decode(encoded)
        return GuestProgress(boot_id, None if status == "-" else int(status), text[: text.rfind(b"\n") + 1])
    except (ValueError, binascii.Error):
        raise LinkError(f"{link.record.name} reports no state of the guest program: {said[0]}") from None


def clear_away(link: Link, offset: int) -> Mapping[str, bytes]:
    """What a restart has left of log (from an offset on) and marks, by the names that pstore has for such.

    Raises:
        LinkError: if the connection fails, or what is there can't be removed.
    """
    folder, found = _place(link), {}
    for name, file, begin in ((f"console-{LOG}", LOG, offset), (f"pmsg-{ATTEMPTED}", ATTEMPTED, 0)):
        read = f"tail -c +{begin + 1} {folder}/{file} 2>/dev/null | head -c {MOST_BYTES} | tr -d '\\000'"
        with contextlib.suppress(binascii.Error):
            found[name] = base64.b64decode(link.run_as_root(f"{read} | base64").out)
    link.ask(f"rm -rf {folder}", root=True)
    return {name: content for name, content in found.items() if content}


def _place(link: Link) -> str:
    return shlex.quote(guest_folder(link.record))
