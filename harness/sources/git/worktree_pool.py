# SPDX-License-Identifier: GPL-2.0-only
"""Worktrees that several builds of one process want at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.core.locks import POLL_SECONDS
from harness.sources.git.worktree import worktree


@dataclass(slots=True)
class _Shared:
    """A worktree that some builds of ours use at this commit."""

    commit: str
    opened: AbstractContextManager[Path]
    path: Path
    users: int = 0


class Worktrees:
    """The worktrees of a cache, shared by the threads of this process and locked against other ones."""

    def __init__(self, cache: Path, log: Callable[[str], None]) -> None:
        self._cache = cache
        self._log = log
        self._sharing = threading.Condition()
        self._open: dict[str, _Shared] = {}

    @contextmanager
    def at(self, name: str, commit: str, check: Callable[[], None]) -> Iterator[Path]:
        """Hold a worktree at a commit; waits while others of ours have it at another one.

        `check` may raise to end the waiting.
        """
        with self._sharing:
            while (shared := self._open.get(name)) and shared.commit != commit:
                self._sharing.wait(POLL_SECONDS)
                check()
            if shared is None:
                opened = worktree(self._cache, name, commit, self._log, check)
                shared = self._open[name] = _Shared(commit, opened, opened.__enter__())
            shared.users += 1
        try:
            yield shared.path
        finally:
            with self._sharing:
                shared.users -= 1
                if not shared.users:
                    self._open.pop(name)
                    shared.opened.__exit__(None, None, None)
                    self._sharing.notify_all()
