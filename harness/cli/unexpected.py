# SPDX-License-Identifier: GPL-2.0-only
"""Errors that nobody expected: a file with the traceback, and a sentence that names it."""

from __future__ import annotations

import shlex
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from harness.core import version
from harness.core.errors import HarnessError, InfrastructureError, UsageError
from harness.core.workspace import from_environment
from results.text import first_line, printable

FOLDER = "errors"
"""Of the state folder."""
_SHOWN = 300


def unexpected(error: Exception, exit_code: int | None = None) -> HarnessError:
    """Return what to tell the user of an unexpected error, and write its traceback to a file.

    A run folder of another version, or of a stranger, is told like a user's mistake.
    """
    from results.journal.journal import JournalError  # takes longer than printing help

    if isinstance(error, JournalError):
        return UsageError(str(error), exit_code=exit_code)
    words = printable(first_line(str(error))[:_SHOWN]) if str(error).strip() else "no reason given"
    file = _write(error)
    where = f"Its traceback is in {file}: report it with that file." if file else "No file could be written."
    return InfrastructureError(
        f"internal error, which says nothing of the kernel: {type(error).__name__}: {words}",
        hint=where,
        exit_code=exit_code,
    )


def _write(error: Exception) -> Path | None:
    """Write the traceback into the state folder, or else where temporary files are."""
    text = "".join(
        (
            f"thp-harness {version.describe()}\n{shlex.join(sys.argv)}\n\n",
            *traceback.format_exception(error),
        )
    )
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-"
    for folder in (from_environment().state / FOLDER, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", prefix=name, suffix=".txt", dir=folder, delete=False, errors="backslashreplace"
            ) as file:
                file.write(text)
        except OSError:
            continue
        return Path(file.name)
    return None
