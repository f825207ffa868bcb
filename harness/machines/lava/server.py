# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of a lab's server: LAVA's XML-RPC interface, as its page `API` documents it.

Every error says what the lab answered, and none of them has the token in it.
"""

from __future__ import annotations

import base64
import http.client
import xmlrpc.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from harness.config.lab import LabRecord
from harness.core.errors import InfrastructureError

NEWEST_JOBS = 100
"""Jobs in one answer of `scheduler.jobs.list`."""
LINES_AT_ONCE = 5000
CANCELED = "Canceled"
_REFUSED = (401, 403)
_UNKNOWN = 404
T = TypeVar("T")


class LabError(InfrastructureError):
    """The lab says no."""


class LabSilent(LabError):  # noqa: N818 - as KeyRefused of hosts
    """No proper answer: it may be there again later."""


class TokenRefused(LabError):  # noqa: N818
    """The user or the token is not the lab's, or may not do this."""


class JobUnknown(LabError):  # noqa: N818
    """The lab does not know the job, or not any more."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What the lab says of a job."""

    state: str
    """Submitted, Scheduling, Scheduled, Running, Canceling or Finished."""
    health: str
    """Unknown, Complete, Incomplete or Canceled."""
    device: str
    error: str
    """`TYPE: MESSAGE`; empty if nothing went wrong, or as long as nothing is known."""

    @property
    def waits(self) -> bool:
        """Whether it has no board yet."""
        return self.state in ("Submitted", "Scheduling", "Scheduled")

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "Finished"


class _Https(xmlrpc.client.SafeTransport):
    """Gives up a server that does not answer."""

    def __init__(self, seconds: float, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(headers=headers)
        self._seconds = seconds

    def make_connection(self, host: Any) -> http.client.HTTPSConnection:
        connection = super().make_connection(host)
        connection.timeout = self._seconds
        return connection


class _Http(xmlrpc.client.Transport):
    """The same without encryption."""

    def __init__(self, seconds: float, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(headers=headers)
        self._seconds = seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._seconds
        return connection


class LabServer:
    """One lab's server; its methods may be called from several threads at once.

    Every method raises `LabSilent` or `TokenRefused`, those on jobs `JobUnknown`, and all `LabError` for
    whatever else the lab says.
    """

    def __init__(self, record: LabRecord, token: str) -> None:
        self.record = record
        login = base64.b64encode(f"{record.user}:{token}".encode()).decode()
        self._headers = [("Authorization", f"Basic {login}")]

    def whoami(self) -> str:
        """User name of our session in the lab; empty without a login."""
        return self._ask(lambda said: str(said or ""), "system.whoami")

    def version(self) -> str:
        """Of LAVA."""
        return self._ask(str, "system.version")

    def device_types(self) -> tuple[str, ...]:
        """Names of all kinds of boards that we may use."""
        return self._ask(
            lambda said: tuple(str(each["name"]) for each in said), "scheduler.device_types.list"
        )

    def complaint(self, definition: str) -> str:
        """What LAVA's schema has against a job's definition; empty for nothing."""
        return self._ask(
            lambda said: f"{said.get('path', '')}: {said.get('msg', '')}" if said else "",
            "scheduler.jobs.validate",
            definition,
        )

    def submit(self, definition: str) -> int:
        """Queue a job; returns its number."""
        try:
            return self._ask(int, "scheduler.jobs.submit", definition)
        except JobUnknown as error:  # it is a device type that is unknown
            raise LabError(str(error), hint=f"thp-harness labs check {self.record.name}") from None

    def find(self, name: str) -> int | None:
        """Return the newest of the recent jobs with this name, unless it is cancelled."""
        return self._ask(
            lambda said: next((int(each["id"]) for each in said if _is_called(each, name)), None),
            "scheduler.jobs.list",
            *(None, None, 0, NEWEST_JOBS),
        )

    def state(self, job: int) -> JobState:
        """Where a job is."""
        return self._ask(_job_state, "scheduler.jobs.show", str(job))

    def log(self, job: int, start: int) -> tuple[bool, bytes]:
        """Whether a job has come to its end, and the next lines of its log, from `start` on."""
        return self._ask(_part_of_log, "scheduler.jobs.logs", str(job), start, start + LINES_AT_ONCE)

    def cancel(self, job: int) -> None:
        """Make a job end."""
        self._ask(lambda said: None, "scheduler.jobs.cancel", str(job))

    def _ask(self, read: Callable[[Any], T], method: str, *arguments: Any) -> T:
        where = f"lab {self.record.name}: {method}"
        try:
            with self._proxy() as proxy:
                return read(getattr(proxy, method)(*arguments))
        except xmlrpc.client.Fault as error:
            raise _said_no(where, error.faultCode, error.faultString, self.record) from None
        except xmlrpc.client.ProtocolError as error:
            raise _said_no(where, error.errcode, error.errmsg, self.record, http=True) from None
        except TimeoutError:
            raise LabSilent(f"{where}: no answer for {self.record.limits.call_seconds:.0f} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise LabSilent(f"{where}: {error}") from None
        except (
            ExpatError,
            xmlrpc.client.Error,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise LabSilent(
                f"{where}: this is no answer of LAVA ({type(error).__name__})",
                hint="Does `uri:` of the record end in /RPC2?",
            ) from None

    def _proxy(self) -> xmlrpc.client.ServerProxy:
        """A new one for each call: they can't be shared by threads."""
        seconds, uri = self.record.limits.call_seconds, self.record.uri
        kind = _Https if urlsplit(uri).scheme == "https" else _Http
        return xmlrpc.client.ServerProxy(uri, kind(seconds, self._headers), allow_none=True)


def _job_state(found: Any) -> JobState:
    error = ": ".join(str(found[key]) for key in ("error_type", "error_msg") if found.get(key))
    return JobState(
        state=str(found["state"]),
        health=str(found["health"]),
        device=str(found.get("device") or ""),
        error=error or str(found.get("failure_comment") or ""),
    )


def _is_called(found: Any, name: str) -> bool:
    return bool(found["description"] == name and found.get("health") != CANCELED)


def _part_of_log(said: Any) -> tuple[bool, bytes]:
    over, data = said
    return bool(over), data.data if isinstance(data, xmlrpc.client.Binary) else str(data).encode()


def _said_no(where: str, code: int, words: str, record: LabRecord, *, http: bool = False) -> LabError:
    if code in _REFUSED:
        return TokenRefused(
            f"{where}: user {record.user} or the token is refused ({code} {words})",
            hint=f"Look at `user:` and `token:` in {record.file}, and at the lab's page of tokens.",
        )
    if http:
        return LabSilent(f"{where}: HTTP {code} {words}", hint="Does `uri:` of the record end in /RPC2?")
    if code == _UNKNOWN:
        return JobUnknown(f"{where}: {words}")
    return LabError(f"{where}: {words}")
