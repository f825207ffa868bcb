# SPDX-License-Identifier: GPL-2.0-only
"""Who has a host: a file on the host itself, so that all who use it see the same.

Times are those of the host's clock, for writing and for reading, so clocks need not agree.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from harness.core.errors import InfrastructureError
from harness.machines.host.remote.ssh import Link, LinkError
from harness.machines.host.remote.state import HostStateFile, person

_ENTER = """\
set -eu
mkdir -p {folder}
cd {folder}
read -r boot </proc/sys/kernel/random/boot_id
mutex=mutex.$boot
tries=0
until mkdir "$mutex" 2>/dev/null; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || {{ echo "$PWD/$mutex was left behind: remove it" >&2; exit 1; }}
	sleep 0.1
done
trap 'rmdir "$mutex"' EXIT
trap 'exit 1' HUP INT TERM
now=$(date +%s)
holder= until=0 words=
if [ -f reservation ]; then
	{{ read -r holder; read -r until; read -r words; }} <reservation || :
	case $until in ''|*[!0-9]*) until=0 ;; esac
fi
[ "$until" -gt "$now" ] || holder=
"""
"""Mutual exclusion. A mutex that a crash left behind has the id of an earlier boot."""

_WRITE = """\
if [ -z "$holder" ] || [ "$holder" = {owner} ]; then
	before=$holder
	holder={owner} until=$((now + {seconds})) words={words}
	printf '%s\\n' "$holder" "$until" "$words" >reservation.new
	mv reservation.new reservation
	sync
	echo "${{before:+again}}"
else
	echo held
fi
"""
_TELL = """printf '%s\\n' "$now" "$holder" "$until" "$words"\n"""
_REMOVE = """if [ "$holder" = {owner} ]; then rm -f reservation; sync; fi\n"""
_REMOVE_ANY = "rm -f reservation; sync\n"
SCHEMA = "thp-harness/reservation/1"


class Reserved(InfrastructureError):  # noqa: N818 - what it says to the user
    """Somebody else has the host."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who has a host, and for how long."""

    owner: str
    words: str
    """For people: who, and what for."""
    ends: datetime
    """By the host's clock."""
    seconds_left: int

    def as_document(self) -> dict[str, Any]:
        """For JSON; see docs/reservation.schema.json."""
        return {**asdict(self), "ends": self.ends.isoformat()}

    def __str__(self) -> str:
        left = self.seconds_left // 60
        return f"{self.words}, {left // 60}:{left % 60:02} h left"


def take(link: Link, memory: HostStateFile, purpose: str, hours: float) -> bool:
    """Reserve the host, or renew what is ours; returns whether it was ours already.

    Raises:
        Reserved: if another user has it.
        LinkError: if the host can't be asked, or has no room for the file.
    """
    fields = {
        "owner": shlex.quote(memory.owner()),
        "seconds": round(hours * 3600),
        "words": shlex.quote(f"{person()}: {' '.join(purpose.split())}"),
    }
    first, *rest = _run(link, _WRITE.format(**fields) + _TELL).split("\n")
    if first == "held":
        found = _parse(rest)
        raise Reserved(
            f"the host {link.record.name} is reserved: {found}",
            hint=f"Wait, or ask them. To take it: thp-harness hosts release {link.record.name} --force",
        )
    return first == "again"


def current(link: Link) -> Reservation | None:
    """Who has the host, if anybody."""
    return _parse(_run(link, _TELL).split("\n"))


def release(link: Link, memory: HostStateFile, *, force: bool = False) -> None:
    """Release the host; with `force` also a reservation of another user."""
    _run(link, _REMOVE_ANY if force else _REMOVE.format(owner=shlex.quote(memory.owner())))


def _run(link: Link, script: str) -> str:
    enter = _ENTER.format(folder=shlex.quote(link.record.folder))
    return link.ask_root_script(enter + script)


def _parse(lines: list[str]) -> Reservation | None:
    try:
        now, owner, until, words = lines[0], lines[1], lines[2], lines[3]
        if not owner:
            return None
        return Reservation(owner, words, datetime.fromtimestamp(int(until), UTC), int(until) - int(now))
    except (ValueError, IndexError, OverflowError):
        raise LinkError(f"the host's reservation can't be read: {lines}") from None
