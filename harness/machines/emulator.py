# SPDX-License-Identifier: GPL-2.0-only
"""Whether an emulator is installed, and new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Protocol

from harness.core.errors import InfrastructureError, UsageError

_VERSION = re.compile(r"\b[Vv]ersion (\d+(?:\.\d+)+)")


class Emulator(Protocol):
    """What a record says of its emulator."""

    @property
    def binary(self) -> str:
        """Name of the program."""

    @property
    def package(self) -> str:
        """The Debian package that brings it."""

    @property
    def minimum(self) -> str:
        """Oldest version that is known to work."""


def version(facts: Emulator) -> str:
    """The emulator's version, such as `7.2.22`.

    Raises:
        UsageError: if it is not installed, with the package that brings it.
    """
    if not shutil.which(facts.binary):
        raise UsageError(f"{facts.binary} is not installed", hint=f"apt-get install {facts.package}")
    output = subprocess.run(
        [facts.binary, "--version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    ).stdout
    found = _VERSION.search(output)
    if not found:
        raise InfrastructureError(f"{facts.binary} --version printed no version: {output[:200]!r}")
    return found.group(1)


def require(facts: Emulator) -> str:
    """The emulator's version, if it is new enough.

    Raises:
        UsageError: if it is missing or older than the record's `minimum`.
    """
    found = version(facts)
    if _numbers(found) < _numbers(facts.minimum):
        raise UsageError(
            f"{facts.binary} is version {found}; {facts.minimum} or newer is needed",
            hint=f"apt-get install {facts.package}",
        )
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
