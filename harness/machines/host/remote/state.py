# SPDX-License-Identifier: GPL-2.0-only
"""What we remember of a host between two commands: is it away with a kernel of ours, does it need care."""

from __future__ import annotations

import getpass
import json
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.errors import InfrastructureError
from harness.core.locks import claim
from harness.core.workspace import PROGRAM

OWNER = "owner"
"""Name of the file with the id of this state folder."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which boot of which kernel a host runs."""

    boot_id: str
    """/proc/sys/kernel/random/boot_id, new with every boot."""
    version: str
    """/proc/version."""


@dataclass(frozen=True, slots=True)
class BootInProgress:
    """A host that runs a kernel of ours, or is on its way back."""

    token: str
    """Stands on the kernel command line of ours."""
    before: Identity
    since: str


@dataclass(frozen=True, slots=True)
class HostState:
    """What is remembered of one host."""

    away: BootInProgress | None = None
    needs_care: str = ""
    """Reason why no run uses the host until `hosts recover`."""


@dataclass(frozen=True, slots=True)
class HostStateFile:
    """The files of one host in the state folder."""

    state: Path
    name: str

    @property
    def _folder(self) -> Path:
        return self.state / "hosts"

    @property
    def journal(self) -> Path:
        """Everything that was done to the host, one JSON object a line."""
        return self._folder / f"{self.name}.log"

    def standing(self) -> HostState:
        """What is remembered; nothing is remembered of a host that was never used."""
        try:
            known = json.loads((self._folder / f"{self.name}.json").read_text())
            away = known["away"]
            before = Identity(**away["before"]) if away else None
            found = BootInProgress(away["token"], before, away["since"]) if before else None
            return HostState(found, known["needs_care"])
        except FileNotFoundError:
            return HostState()
        except (OSError, ValueError, KeyError, TypeError) as error:
            file = self._folder / f"{self.name}.json"
            return HostState(needs_care=f"{file} can't be read: {error}")

    def remember(self, standing: HostState) -> None:
        """Keep it, before anything is done that it speaks of."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f"{self.name}.new"
        draft.write_text(json.dumps(asdict(standing), indent=2) + "\n")
        draft.replace(self._folder / f"{self.name}.json")

    def left(self, token: str, before: Identity) -> None:
        """Remember that the host is about to start a kernel of ours."""
        self.remember(replace(self.standing(), away=BootInProgress(token, before, _now())))

    def note(self, what: str, **facts: Any) -> None:
        """Append to the journal."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a") as file:
            file.write(json.dumps({"time": _now(), "event": what, **facts}) + "\n")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands with this state folder away from the host.

        Raises:
            InfrastructureError: if one of them has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = claim(self._folder / f"{self.name}.lock")
        if lock is None:
            raise InfrastructureError(
                f"the host {self.name} is in use by another {PROGRAM} of yours", hint="Wait until it is done."
            )
        with lock:
            yield

    def owner(self) -> str:
        """An id that tells this state folder from any other one; made when first asked for."""
        path = self._folder / OWNER
        self._folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_suffix(f".{secrets.token_hex(4)}")
            draft.write_text(secrets.token_hex(8) + "\n")
            draft.replace(path)
        return path.read_text().strip()


def person() -> str:
    """Who we are, for people: `alice@desk`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return f"{name}@{platform.node()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
