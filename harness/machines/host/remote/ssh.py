# SPDX-License-Identifier: GPL-2.0-only
"""The way to a host: SSH with known host keys only, and with a bound to every wait."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.build.build_cache import sha256_of
from harness.config.host import HostRecord
from harness.core.errors import InfrastructureError
from results.files import read_plain
from results.text import printable

if TYPE_CHECKING:
    import paramiko

CHANNEL_SECONDS = 8.0
"""A session that died without a word looks alive: this bounds what paramiko does on it."""
COMMAND_SECONDS = 30.0
KEEPALIVE_SECONDS = 5
_KNOWN_HOSTS_BYTES = 16 << 20
_REMAKE = "Remove the line, or make the file again with ssh-keyscan and compare the keys."
BYTES_PER_SECOND = 100_000
"""A copy that is slower than this is given up."""


class LinkError(InfrastructureError):
    """The host could not be reached, or not any more."""


class Unreachable(LinkError):  # noqa: N818 - what it says to the user, not a fault of the code
    """No answer from the host, or a lost connection."""


class LoginRefused(LinkError):  # noqa: N818
    """The host refuses the login."""


class KeyRefused(LinkError):  # noqa: N818
    """The host's key is unknown, or not the one that is known."""

    def __init__(self, message: str, *, hint: str, known: bool) -> None:
        super().__init__(message, hint=hint)
        self.known = known
        """Whether another key is known."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last words of one that failed."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit status {self.code}"


class Link:
    """One SSH connection; see `connected`."""

    def __init__(self, record: HostRecord, connection: Any) -> None:
        self.record = record
        self._connection = connection

    def run(self, command: str, seconds: float = COMMAND_SECONDS) -> CommandResult:
        """Run a shell command and wait for it.

        Raises:
            Unreachable: if it does not end in time, or the connection is lost.
        """
        from invoke.exceptions import CommandTimedOut, ThreadException
        from paramiko import SSHException

        line = f"sh -c {shlex.quote(command)}"
        try:
            result = self._connection.run(line, hide=True, warn=True, in_stream=False, timeout=seconds)
        except CommandTimedOut:
            raise Unreachable(
                f"{self.record.name} did not finish a command in {seconds:.0f} s: {_short(command)}"
            ) from None
        except (SSHException, ThreadException, OSError, EOFError) as error:
            raise self._lost(error) from None
        if result.exited < 0:
            raise self._lost(None)
        return CommandResult(result.exited, result.stdout, result.stderr)

    def run_as_root(self, command: str, seconds: float = COMMAND_SECONDS) -> CommandResult:
        """The same as root; sudo never asks."""
        if self.record.ssh.user == "root":
            return self.run(command, seconds)
        return self.run(f"sudo -n sh -c {shlex.quote(command)}", seconds)

    def ask(self, command: str, seconds: float = COMMAND_SECONDS, *, root: bool = False) -> str:
        """The output of a command that must succeed.

        Raises:
            LinkError: with the command's own words if it fails.
        """
        said = (self.run_as_root if root else self.run)(command, seconds)
        if said.code:
            raise LinkError(f"{self.record.name}: {_short(command)}: {said.complaint}")
        return said.out.strip()

    def ask_root_script(self, script: str) -> str:
        """As `ask`, for a script of many lines: its output with empty lines kept, and its own last words."""
        said = self.run_as_root(script)
        if said.code:
            raise LinkError(f"{self.record.name}: {said.complaint}")
        return said.out

    def users(self) -> tuple[str, ...]:
        """Who is logged in there (who(1)); our own connection has no terminal and is not counted."""
        said = self.run("who")
        return tuple(dict.fromkeys(line.split()[0] for line in said.out.splitlines() if line.strip()))

    def upload(self, local: Path, remote: str) -> None:
        """Copy a file, and compare what has arrived.

        Raises:
            LinkError: if there is no room for it, or it came out different.
        """
        size = local.stat().st_size
        try:
            with self._copying(size) as (sftp, keep_time), local.open("rb") as file:
                sftp.putfo(file, remote, callback=keep_time)
        except Unreachable:
            self._raise_if_full(remote, size)
            raise
        if self._sha256(remote) != sha256_of(local):
            self._raise_if_full(remote, size)
            raise LinkError(f"{self.record.name}: {local.name} was damaged on its way")

    def download(self, remote: str, local: Path) -> None:
        """Fetch a file that we may read there, and compare what has arrived.

        Raises:
            LinkError: if that fails, or it came out different.
        """
        wanted = self._sha256(remote)
        size = int(self.ask(f"wc -c <{shlex.quote(remote)}"))
        with self._copying(size) as (sftp, keep_time), local.open("wb") as file:
            sftp.getfo(remote, file, callback=keep_time)
        if sha256_of(local) != wanted:
            raise LinkError(f"{self.record.name}: {remote} was damaged on its way")

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """A new folder there for what is copied, removed at the end if the connection lasts.

        Raises:
            LinkError: if it can't be made.
        """
        folder = self.ask(f"mktemp -d {self.record.uploads}/thp-harness.XXXXXX")
        try:
            yield folder
        finally:
            with contextlib.suppress(LinkError):
                self.run(f"rm -rf {shlex.quote(folder)}")

    @contextmanager
    def uploaded(self, kernel: Path, initramfs: Path) -> Iterator[str]:
        """A folder there with both, named `kernel` and `initramfs`; it is removed at the end.

        Raises:
            LinkError: as `upload`.
        """
        with self.scratch() as folder:
            for file, name in ((kernel, "kernel"), (initramfs, "initramfs")):
                self.upload(file, f"{folder}/{name}")
            yield folder

    @contextmanager
    def _copying(self, size: int) -> Iterator[tuple[paramiko.SFTPClient, Callable[[int, int], None]]]:
        """What copies a file of `size` bytes, and what ends that when it takes too long."""
        from paramiko import SSHException

        deadline = time.monotonic() + COMMAND_SECONDS + size / BYTES_PER_SECOND
        try:
            sftp = self._connection.sftp()
            sftp.get_channel().settimeout(CHANNEL_SECONDS)
            yield sftp, lambda done, of: _within(deadline, self.record.name)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(error) from None

    def _sha256(self, remote: str) -> str:
        return self.ask(f"sha256sum {shlex.quote(remote)}").split()[0]

    def _raise_if_full(self, remote: str, size: int) -> None:
        folder = str(Path(remote).parent)
        with contextlib.suppress(Unreachable, ValueError, IndexError):
            free = int(self.run(f"df -Pk {shlex.quote(folder)} | tail -n 1").out.split()[3]) << 10
            if free < size:
                raise LinkError(
                    f"{self.record.name}: {folder} has {free >> 20} MiB left, {size >> 20} MiB are needed",
                    hint="Make room there, or name another folder as `uploads:` in the record.",
                )

    def _lost(self, error: BaseException | None) -> Unreachable:
        why = f": {error}" if error and str(error) else ""
        return Unreachable(f"the connection to {self.record.name} was lost{why}")


def _short(command: str) -> str:
    return command if len(command) <= 60 else command[:57] + "…"


def _within(deadline: float, name: str) -> None:
    if time.monotonic() > deadline:
        raise OSError(f"{name} is too slow with a file")


@contextmanager
def connected(record: HostRecord) -> Iterator[Link]:
    """A connection to the host, closed at the end.

    Raises:
        Unreachable, KeyRefused, LoginRefused: if there is none.
    """
    opened: list[Any] = []
    try:
        yield Link(record, _open(record, opened))
    finally:
        for connection in reversed(opened):
            with contextlib.suppress(Exception):  # it may be dead already, in any way
                connection.close()


def _open(record: HostRecord, opened: list[Any]) -> Any:
    ssh = record.ssh
    gateway = None
    if ssh.jump:
        user, address, port = _parse_jump(ssh.jump, ssh.user)
        gateway = _connection(record, address, port, user, None, opened)
    return _connection(record, ssh.address, ssh.port, ssh.user, gateway, opened)


def _parse_jump(text: str, user: str) -> tuple[str, str, int]:
    name, _, place = text.rpartition("@")
    address, _, port = place.partition(":")
    return name or user, address, int(port or 22)


def _connection(
    record: HostRecord, address: str, port: int, user: str, gateway: Any, opened: list[Any]
) -> Any:
    from fabric import Config, Connection

    limit = record.limits.connect_seconds
    key = str(record.path(record.ssh.key)) if record.ssh.key else None
    options: dict[str, Any] = {
        "banner_timeout": limit,
        "auth_timeout": limit,
        "channel_timeout": CHANNEL_SECONDS,
        "key_filename": key,
        "allow_agent": key is None,
        "look_for_keys": key is None,
    }
    if gateway is None:
        options["sock"] = greeted_socket(address, port, limit, record.limits.banner_seconds)
    config = Config(overrides={"load_ssh_configs": False}, lazy=True)
    connection = Connection(
        address,
        user=user,
        port=port,
        config=config,
        gateway=gateway,
        connect_timeout=max(1, round(limit)),
        connect_kwargs=options,
    )
    opened.append(connection)
    _enforce_known_keys(record, connection.client)
    _log_in(record, f"{user}@{address}:{port}", connection)
    connection.transport.set_keepalive(KEEPALIVE_SECONDS)
    return connection


def greeted_socket(address: str, port: int, limit: float, patience: float) -> socket.socket:
    """A TCP connection on which an SSH server has said hello; its greeting is not taken from it.

    Raises:
        Unreachable: if nothing answers, or no SSH server does.
    """
    where = f"{address}:{port}"
    try:
        opened = socket.create_connection((address, port), limit)
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        raise Unreachable(f"{where} can't be reached: {why}", hint=_reach(address)) from None
    try:
        opened.settimeout(patience)
        greeting = opened.recv(4, socket.MSG_PEEK)
    except OSError:
        greeting = b""
    if not greeting.startswith(b"SSH-"[: len(greeting) or 4]):
        opened.close()
        said = "says nothing" if not greeting else f"says {greeting!r}"
        raise Unreachable(f"{where} takes the connection but {said}: no SSH server", hint=_reach(address))
    opened.settimeout(None)
    return opened


def _reach(address: str) -> str:
    return f"Is the machine on, is its SSH server running, is the port right? Try: ping {address}"


def _enforce_known_keys(record: HostRecord, client: Any) -> None:

    file = record.path(record.ssh.known_hosts)
    client.set_missing_host_key_policy(_refuser(file))
    if file.exists():
        try:
            read_plain(file, _KNOWN_HOSTS_BYTES).decode()
            client.load_host_keys(str(file))
        except OSError as error:
            raise LinkError(f"{file} can't be read: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise LinkError(f"{file} is not UTF-8 text (byte {error.start})", hint=_REMAKE) from None
        except Exception as error:  # paramiko lets through whatever a key's decoder raises
            raise LinkError(f"{file} can't be read: {printable(str(error))}", hint=_REMAKE) from None


def _refuser(file: Path) -> Any:
    import paramiko

    class Refuse(paramiko.RejectPolicy):
        """Tells what the unknown key is, so that it can be compared and added."""

        def missing_host_key(self, client: Any, hostname: str, key: Any) -> NoReturn:
            line = f"{hostname} {key.get_name()} {key.get_base64()}"
            raise KeyRefused(
                f"the key of {hostname} is not in {file}: {fingerprint(key)}",
                hint=f"Compare it with `ssh-keygen -lf` of the host's own key, then: echo '{line}' >>{file}",
                known=False,
            )

    return Refuse()


def fingerprint(key: paramiko.PKey) -> str:
    """As ssh-keygen -l shows it: `ssh-ed25519 SHA256:…`."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def _log_in(record: HostRecord, whom: str, connection: Any) -> None:
    import paramiko

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # we say it ourselves
    try:
        connection.open()
    except paramiko.BadHostKeyException as error:
        raise KeyRefused(
            f"the key of {whom} is not the known one: it shows {fingerprint(error.key)}",
            hint=f"Another machine may answer there. If the host was reinstalled: ssh-keygen -R "
            f"'{error.hostname}' -f {record.path(record.ssh.known_hosts)}, then check again.",
            known=True,
        ) from None
    except paramiko.PasswordRequiredException:
        raise LoginRefused(
            f"the key {record.ssh.key} is locked with a passphrase",
            hint="Load it into ssh-agent, and leave `key:` out of the record.",
        ) from None
    except paramiko.AuthenticationException as error:
        place, _, port = whom.rpartition(":")
        raise LoginRefused(
            f"SSH login to {whom} failed: {error}",
            hint=f"Put the public key there: ssh-copy-id -p {port} -i KEY {place}",
        ) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        if record.ssh.key and not record.path(record.ssh.key).is_file():
            raise LoginRefused(f"the key {record.path(record.ssh.key)} is not there") from None
        raise Unreachable(f"no SSH session with {whom}: {error or 'the connection was lost'}") from None
