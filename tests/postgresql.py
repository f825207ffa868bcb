# SPDX-License-Identifier: GPL-2.0-only
"""A real PostgreSQL server of our own: in a temporary folder, without a port, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_USERS = ("postgres", "nobody")
_QUICK = ("fsync=off", "full_page_writes=off", "max_connections=20", "shared_buffers=16MB")


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """A running server; every database that is asked for is a new one."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self._folder, self._user = programs, folder, user
        self._databases = 0

    def new_database(self) -> str:
        """The address of an empty database."""
        import psycopg

        self._databases += 1
        name = f"results{self._databases}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._address(name)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.restart()

    def restart(self) -> None:
        """Start again what `stop` has stopped."""
        options = " ".join(f"-c {option}" for option in (*_QUICK, "listen_addresses="))
        log = str(self._folder / "log")
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-l", log, "-w", "-t", "120",
            "-o", f"{options} -k {self._folder}", "start",
        )  # fmt: skip

    def _address(self, database: str) -> str:
        return f"postgresql://tester@/{database}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        become: Sequence[str] = ("runuser", "-u", self._user, "--") if self._user else ()
        command = (*become, str(self._programs / program), *arguments)
        # pg_ctl's server keeps what it inherits: a pipe would never end.
        with (self._folder / "said").open("w+") as said:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", timeout=180, check=False
            )
            said.seek(0)
            assert ended.returncode == 0, said.read()


@contextmanager
def server(programs: Path) -> Iterator[Server]:
    """Start one; as somebody else if we are root, who may not."""
    user = next((name for name in _USERS if _known(name)), None) if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="thp-pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
            folder.chmod(0o755)
        running = Server(programs, folder, user)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
