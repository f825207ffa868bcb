# SPDX-License-Identifier: GPL-2.0-only
"""Puts kernels and initramfs where a lab's machines fetch them, named by their contents."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness.config.lab import LabRecord
from harness.core.errors import InfrastructureError

PREFIX = "thp-"
PUT_SECONDS = 600
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Published:
    """A file that the lab can fetch."""

    name: str
    url: str
    sha256: str


class ArtifactStore:
    """Where files for one lab are put."""

    def __init__(self, record: LabRecord) -> None:
        self._record = record
        self._facts = record.artifacts
        self._known: set[str] = set()
        self._putting = threading.Lock()

    def put(self, content: bytes, suffix: str) -> Published:
        """Make a file available.

        Raises:
            InfrastructureError: if it can't be put there.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{PREFIX}{sha256[:40]}{suffix}"
        with self._putting:
            if name not in self._known:
                self._put(content, name)
                self._known.add(name)
        return Published(name, f"{self._facts.url}/{name}", sha256)

    def drop(self, published: Published) -> None:
        """Remove a file that no job needs; uploads of a command stay."""
        with self._putting:
            self._known.discard(published.name)
            if self._facts.folder:
                with contextlib.suppress(OSError):
                    (self._folder / published.name).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what has been in the folder for too long."""
        if not self._facts.folder:
            return
        oldest = time.time() - self._facts.keep_days * _DAY
        for path in self._folder.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    @property
    def _folder(self) -> Path:
        return self._record.path(self._facts.folder)

    def _put(self, content: bytes, name: str) -> None:
        try:
            if self._facts.folder:
                _write(self._folder, name, content)
            else:
                self._run(content, name)
        except OSError as error:
            where = error.filename or self._facts.folder
            raise InfrastructureError(
                f"lab {self._record.name}: artifacts: {where}: {error.strerror}",
                hint=f"Correct `artifacts:` in {self._record.file}.",
            ) from None

    def _run(self, content: bytes, name: str) -> None:
        """What the command prints may have secrets in it, and is not shown."""
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            _write(Path(folder), name, content)
            here = str(Path(folder) / name)
            command = [word.replace("{file}", here).replace("{name}", name) for word in self._facts.command]
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=PUT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                why = f"did not end within {PUT_SECONDS} s"
            else:
                why = f"ended with status {done.returncode}" if done.returncode else ""
        if why:
            raise InfrastructureError(
                f"lab {self._record.name}: artifacts: {command[0]} {why}",
                hint=f"Try the command by hand; it is in {self._record.file}.",
            )


def _write(folder: Path, name: str, content: bytes) -> None:
    """Whole or not at all, and readable by a web server."""
    handle, path = tempfile.mkstemp(dir=folder, prefix=".thp-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        Path(path).replace(folder / name)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise
