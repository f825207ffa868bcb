# SPDX-License-Identifier: GPL-2.0-only
"""What the program says when it can't go on: a message, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class HarnessError(Exception):
    """A failure that is told to the user in words, without a traceback.

    `str(error)` is the message. `hint` says what to do, and may be empty.
    """

    default_exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = self.default_exit_code if exit_code is None else exit_code


class UsageError(HarnessError):
    """The user asked for something that can't be done as asked."""

    default_exit_code = 2


class InfrastructureError(HarnessError):
    """The machine, the network or a tool failed; nothing is said about the kernel."""

    default_exit_code = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Guess which of the known names was meant, as an end for a message; empty if none is near."""
    import difflib  # only a mistake takes it

    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
