# SPDX-License-Identifier: GPL-2.0-only
"""The history between a good and a bad commit, as `git bisect` sees it.

git keeps the state of a bisection in the repository where it runs. Ours is a throw-away one that
reads the objects of another: nobody's checkout is touched. It is made anew for each question and
told all that is known (`git bisect replay`), so that nothing is lost with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import UsageError
from harness.sources.git.repository import GitError, Repository
from harness.sources.git.scratch import reading_repository
from results.bisect.search import Hint
from results.model.bisect import Mark
from results.text import abbrev

_POSSIBLE = re.compile(r"^# possible first bad commit: \[([0-9a-f]+)\]", re.MULTILINE)
_ONLY_SKIPPED = "# only skipped commits left to test"
_FOUND = re.compile(r"^# first bad commit: \[([0-9a-f]+)\]", re.MULTILINE)
_TRAILER = re.compile(r"^(?:[A-Za-z-]+-by|Cc|To): *(\S.*@.*)$")


@dataclass(frozen=True, slots=True)
class Told:
    """What git knows of a commit."""

    subject: str
    author: str
    mentioned: tuple[str, ...]
    """Addresses in its trailers, without the author's."""


class History:
    """Everything that `bad` has and `good` has not."""

    def __init__(self, owner: Repository, good: str, bad: str) -> None:
        """Begin with two commit ids.

        Raises:
            UsageError: if good is not an ancestor of bad.
        """
        self._owner = owner
        self.good = good
        self.bad = bad
        self._require_order()
        listed = owner.run("rev-list", "--topo-order", "--parents", f"{good}..{bad}").splitlines()
        self._parents = {commit: parents for commit, *parents in map(str.split, listed)}
        """Every commit before its parents."""
        self._lines: dict[str, frozenset[str]] = {}
        self._told: dict[str, Told] = {}
        self._replayed: tuple[Mapping[str, Mark], str, str] | None = None

    @property
    def commits(self) -> int:
        """How many these are."""
        return len(self._parents)

    def _require_order(self) -> None:
        good, bad = self.good, self.bad
        if good == bad:
            raise UsageError(f"good and bad are the same commit {abbrev(good)}", hint="Name two commits.")
        if self._is_ancestor(good, bad):
            return
        if self._is_ancestor(bad, good):
            raise UsageError(
                f"good ({abbrev(good)}) comes after bad ({abbrev(bad)}): are they the wrong way round?",
                hint="--good is the older one. To find what mended something, look for its opposite.",
            )
        try:
            base = self._owner.run("merge-base", good, bad)
        except GitError:
            raise UsageError(
                f"good ({abbrev(good)}) and bad ({abbrev(bad)}) have no history in common",
                hint="In a shallow clone: `git fetch --unshallow`.",
            ) from None
        raise UsageError(
            f"good ({abbrev(good)}) is no ancestor of bad ({abbrev(bad)}): they diverge at {abbrev(base)}",
            hint=f"If that one is good: --good {abbrev(base)}",
        )

    def _is_ancestor(self, one: str, other: str) -> bool:
        return self._owner.succeeds("merge-base", "--is-ancestor", one, other)

    def hint(self, marks: Mapping[str, Mark]) -> Hint:
        """What git says with these marks."""
        log, following = self._replay(marks)
        if found := _FOUND.search(log):
            return Hint(culprit=found[1])
        if _ONLY_SKIPPED in log:
            return Hint(left=tuple(_POSSIBLE.findall(log)))
        return Hint(next=following)

    def log(self, marks: Mapping[str, Mark]) -> str:
        """`git bisect log` with these marks."""
        return self._replay(marks)[0]

    def _replay(self, marks: Mapping[str, Mark]) -> tuple[str, str]:
        """Git's log, and the commit that it wants to have tested; its last one, if there is none."""
        if self._replayed and self._replayed[0] == marks:
            return self._replayed[1:]
        lines = [f"git bisect start '--no-checkout' '{self.bad}' '{self.good}'"]
        lines += [f"git bisect {mark} {commit}" for commit, mark in self._in_order(marks).items()]
        with reading_repository(self._owner, self.bad) as scratch:
            record = scratch.path / "bisect.log"
            record.write_text("\n".join(lines) + "\n")
            try:
                scratch.run("bisect", "replay", str(record))
            except GitError as error:
                if error.returncode != _CANNOT_GO_ON:
                    raise
            # What `git bisect log` and `git rev-parse BISECT_HEAD` print, without starting them.
            log, following = (
                (scratch.path / ".git" / name).read_text().strip() for name in ("BISECT_LOG", "BISECT_HEAD")
            )
        self._replayed = dict(marks), log, following
        return log, following

    def _in_order(self, marks: Mapping[str, Mark]) -> dict[str, Mark]:
        """The marks as git can take them: the oldest bad commit last, and nothing that does not precede it.

        A commit that passed for good at first may come out bad when others were called bad already.
        """
        bad = {commit for commit, mark in marks.items() if mark is Mark.BAD and commit != self.bad}
        oldest_last = [commit for commit in self._list(self.bad) if commit in bad]
        within = set(self._list(oldest_last[-1])) if bad else set(marks)
        queue = iter(oldest_last)
        return {
            next(queue) if mark is Mark.BAD else commit: mark
            for commit, mark in marks.items()
            if commit not in (self.good, self.bad) and (mark is Mark.BAD or commit in within)
        }

    def _list(self, tip: str) -> list[str]:
        """What a commit has and good has not, every one before its parents."""
        line = self.line(tip)
        return [commit for commit in self._parents if commit in line]

    def parents(self, commit: str) -> Sequence[str]:
        """Those parents of a commit that are good itself or come after it; the others are good with it."""
        return [each for each in self._parents[commit] if each == self.good or each in self._parents]

    def line(self, commit: str) -> frozenset[str]:
        """A commit and all before it, as far back as the good end, which is in every line."""
        if commit not in self._lines:
            found, ahead = {self.good}, [commit]
            while ahead:
                each = ahead.pop()
                if each not in found:
                    found.add(each)
                    ahead += self._parents.get(each, ())
            self._lines[commit] = frozenset(found & {self.good, *self._parents})
        return self._lines[commit]

    def tell(self, commit: str) -> Told:
        """Subject, author and trailers."""
        if commit not in self._told:
            self._told[commit] = self._ask_for(commit)
        return self._told[commit]

    def _ask_for(self, commit: str) -> Told:
        form = "%s%x00%an <%ae>%x00%(trailers:only=true,unfold=true)"
        subject, author, trailers = self._owner.run("show", "-s", f"--format={form}", commit).split("\0")
        found = (_TRAILER.match(line) for line in trailers.splitlines())
        mentioned = dict.fromkeys(match[1].strip() for match in found if match)
        return Told(subject, author, tuple(each for each in mentioned if each != author))


_CANNOT_GO_ON = 2
"""How `git bisect` ends when only skipped commits are left."""
